// Frames of a hostile or clumsy peer: which events they cause, and what goes back over the wire.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { describe } from "@effect/vitest"
import { deflateRawSync } from "node:zlib"
import type { ClientOptions, ServerOptions } from "ws"
import { closed, frame, type Lab, requestHead, sameEach } from "./lab.ts"

const deflateHead = requestHead(["Sec-WebSocket-Extensions: permessage-deflate"])
const deflateAnswer = ["Sec-WebSocket-Extensions: permessage-deflate"]

interface Setting {
  readonly deflate?: boolean
  /** Ends the connection when all was told, not at once: inflating takes `ws` a while, and states would differ. */
  readonly awaited?: boolean
  readonly options?: ServerOptions & ClientOptions & { readonly maxPendingAutoPongs?: number }
}

/** Sends the pieces, each in a write of its own, and logs until the connection is gone. */
const receive = async (
  lab: Lab,
  role: "server" | "client",
  pieces: (mask: boolean) => ReadonlyArray<Buffer>,
  { awaited = false, deflate = false, options = {} }: Setting
): Promise<void> => {
  const { raw, socket } =
    role === "server"
      ? await lab.rawPair({ perMessageDeflate: deflate, ...options }, deflate ? deflateHead : undefined)
      : await lab.rawAccepted({ perMessageDeflate: deflate, ...options }, deflate ? deflateAnswer : [])
  lab.observe(socket, role)
  const gone = closed(socket)
  const told = new Promise<void>((resolve) => {
    socket.on("message", (data) => String(data) === "the last" && resolve())
    socket.on("error", () => resolve())
    raw.socket.on("end", () => resolve())
  })
  for (const piece of pieces(role === "server")) await raw.deliver(socket, piece)
  if (awaited) {
    await raw.deliver(socket, frame(0x81, "the last", { mask: role === "server" }))
    await told
  }
  raw.socket.end()
  await Promise.all([gone, raw.closed])
}

const roles = ["server", "client"] as const

type Pieces = (mask: boolean) => ReadonlyArray<Buffer>

/** The same pieces to a server and to a client, in both libraries. */
const table = (
  title: string,
  cases: { readonly [name: string]: Pieces | readonly [Pieces, Setting] },
  setting: Setting = {}
): void =>
  sameEach(
    title,
    roles.flatMap((role) =>
      Object.entries(cases).map(([name, given]) => {
        const [pieces, own] = typeof given === "function" ? [given, setting] : given
        return [`${role}: ${name}`, (lab: Lab) => receive(lab, role, pieces, own)] as const
      })
    )
  )

const compressed = (data: string | Buffer): Buffer => deflateRawSync(data, { finishFlush: 2 }).subarray(0, -4)

const all256 = (pieces: (byte: number) => Pieces): { readonly [name: string]: Pieces } =>
  Object.fromEntries(Array.from({ length: 256 }, (_, byte) => [byte.toString(16), pieces(byte)]))

/** A whole message before the frame is told; one after it is not, if the frame is broken. */
const between =
  (first: number, payload: string | Buffer, length?: number): Pieces =>
  (mask) => [
    Buffer.concat([
      frame(0x81, "a", { mask }),
      frame(first, payload, { mask, ...(length === undefined ? {} : { length }) }),
      frame(0x81, "z", { mask })
    ])
  ]

describe("frames", () => {
  const firstBytes = all256((first) => between(first, ""))
  table(
    "every first byte [event:error] [code:WS_ERR_INVALID_OPCODE] [code:WS_ERR_EXPECTED_FIN] [code:WS_ERR_UNEXPECTED_RSV_2_3]",
    firstBytes
  )
  table("every first byte, with deflate [code:WS_ERR_UNEXPECTED_RSV_1]", firstBytes, {
    deflate: true,
    awaited: true
  })
  table(
    "every first byte inside a fragmented message",
    all256((first) => (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(first, "b", { mask }), frame(0x80, "c", { mask })])
    ])
  )
  table(
    "every first byte inside a fragmented message, with deflate",
    all256((first) => (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(first, "b", { mask }), frame(0x80, "c", { mask })])
    ]),
    { deflate: true }
  )
  table("the mask bit [code:WS_ERR_EXPECTED_MASK] [code:WS_ERR_UNEXPECTED_MASK]", {
    text: (mask) => [frame(0x81, "a", { mask: !mask })],
    ping: (mask) => [frame(0x89, "a", { mask: !mask })],
    "with a wrong opcode": (mask) => [frame(0x83, "a", { mask: !mask })],
    "with a control frame too long": (mask) => [frame(0x89, "a", { mask: !mask, length: 126 })],
    "with a close frame of one byte": (mask) => [frame(0x88, "a", { mask: !mask })]
  })
  table("lengths [code:WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH] [code:WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH]", {
    "a ping of 125 bytes": between(0x89, Buffer.alloc(125, 97)),
    "a pong of 125 bytes": between(0x8a, Buffer.alloc(125, 97)),
    "a ping of 126 bytes": between(0x89, Buffer.alloc(126, 97)),
    "a ping with 64 bits of length": between(0x89, Buffer.alloc(70_000, 97)),
    "a close frame of one byte, its head alone": (mask) => [frame(0x88, "a", { mask }).subarray(0, 2)],
    "a close frame of one byte": (mask) => [frame(0x88, "a", { mask })],
    "16 bits for 5 bytes": (mask) => [longer(frame(0x82, "12345", { mask }), 126)],
    "64 bits for 5 bytes": (mask) => [longer(frame(0x82, "12345", { mask }), 127)],
    "64 bits for 0 bytes": (mask) => [longer(frame(0x82, "", { mask }), 127)],
    "the top bit of 64": (mask) => [hugeHead(mask, 0x80000000, 5)],
    "2^53 bytes": (mask) => [hugeHead(mask, 0x200000, 0)],
    "2^53 - 1 bytes": (mask) => [hugeHead(mask, 0x1fffff, 0xffffffff)],
    "an empty binary message": between(0x82, ""),
    "an empty text message": between(0x81, ""),
    "a message of 125 bytes": between(0x82, Buffer.alloc(125, 1)),
    "a message of 126 bytes": between(0x82, Buffer.alloc(126, 1)),
    "a message of 65535 bytes": between(0x82, Buffer.alloc(65_535, 1)),
    "a message of 65536 bytes": between(0x82, Buffer.alloc(65_536, 1)),
    "a message of 300000 bytes": between(0x81, Buffer.alloc(300_000, 97))
  })
  table("cut anywhere", {
    "byte by byte": (mask) =>
      Array.from(
        Buffer.concat([
          frame(0x81, "hello", { mask }),
          frame(0x89, "p", { mask }),
          frame(0x88, "\x03\xe8ok", { mask })
        ]),
        (byte) => Buffer.from([byte])
      ),
    "inside a payload": (mask) => {
      const bytes = frame(0x82, Buffer.alloc(1000, 7), { mask })
      return [bytes.subarray(0, 500), bytes.subarray(500)]
    },
    "the connection ends inside a frame": (mask) => [frame(0x82, Buffer.alloc(1000, 7), { mask }).subarray(0, 500)],
    "the connection ends inside a message": (mask) => [frame(0x02, "a", { mask })],
    "the connection ends with nothing said": () => []
  })
  table("text and UTF-8 [code:WS_ERR_INVALID_UTF8]", {
    valid: between(0x81, "häßlich €"),
    "a lone byte": between(0x81, Buffer.from([0xff])),
    "cut at the end": between(0x81, Buffer.from([0x61, 0xc3])),
    "a surrogate": between(0x81, Buffer.from([0xed, 0xa0, 0x80])),
    overlong: between(0x81, Buffer.from([0xc0, 0xaf])),
    "beyond the last character": between(0x81, Buffer.from([0xf4, 0x90, 0x80, 0x80])),
    "in binary": between(0x82, Buffer.from([0xff])),
    "in the last fragment": (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(0x80, Buffer.from([0xff]), { mask })])
    ],
    "a character over two fragments": (mask) => [
      Buffer.concat([frame(0x01, Buffer.from([0xc3]), { mask }), frame(0x80, Buffer.from([0xa4]), { mask })])
    ],
    "a long one": between(0x81, "ä".repeat(1000)),
    "a long one, broken at its end": between(0x81, Buffer.concat([Buffer.alloc(1000, 97), Buffer.from([0x80])]))
  })
  table(
    "without validation [option:skipUTF8Validation]",
    {
      "a lone byte": between(0x81, Buffer.from([0xff])),
      fragments: (mask) => [
        Buffer.concat([frame(0x01, Buffer.from([0xff]), { mask }), frame(0x80, Buffer.from([0xff]), { mask })])
      ],
      "a close reason": (mask) => [frame(0x88, Buffer.from([0x03, 0xe8, 0xff, 0xfe]), { mask })],
      "a long close reason": (mask) => [
        frame(0x88, Buffer.concat([Buffer.from([0x03, 0xe8]), Buffer.alloc(123, 0xff)]), { mask })
      ]
    },
    { options: { skipUTF8Validation: true } }
  )
  table("close frames [code:WS_ERR_INVALID_CLOSE_CODE] [event:close]", {
    empty: between(0x88, ""),
    "with data behind it": (mask) => [
      Buffer.concat([frame(0x88, Buffer.from([0x03, 0xe8]), { mask }), frame(0x81, "late", { mask })]),
      frame(0x81, "later", { mask })
    ],
    twice: (mask) => [Buffer.concat([frame(0x88, "", { mask }), frame(0x88, "", { mask })])],
    "a reason": between(0x88, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from("grün")])),
    "a reason of 123 bytes": between(0x88, Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.alloc(123, 97)])),
    "a broken reason": between(0x88, Buffer.from([0x03, 0xe8, 0xff])),
    "inside a fragmented message": (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(0x88, Buffer.from([0x03, 0xe9]), { mask })])
    ],
    ...Object.fromEntries(
      [
        0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
        65535
      ].map((code) => [`code ${code}`, between(0x88, Buffer.from([code >> 8, code & 255]))])
    )
  })
  table("fragments [event:message]", {
    "of text": (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(0x00, "b", { mask }), frame(0x80, "c", { mask })])
    ],
    "in several reads": (mask) => [frame(0x02, "a", { mask }), frame(0x00, "b", { mask }), frame(0x80, "c", { mask })],
    "all empty": (mask) => [frame(0x02, "", { mask }), frame(0x00, "", { mask }), frame(0x80, "", { mask })],
    "with a ping between": (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(0x89, "p", { mask }), frame(0x80, "c", { mask })])
    ],
    "after another message": (mask) => [
      Buffer.concat([frame(0x01, "a", { mask }), frame(0x80, "b", { mask }), frame(0x82, "c", { mask })])
    ]
  })
})

describe("limits", () => {
  const messages = (mask: boolean): { readonly [name: string]: ReadonlyArray<Buffer> } => ({
    "at the limit": [frame(0x82, Buffer.alloc(20), { mask })],
    "one past it": [frame(0x82, Buffer.alloc(21), { mask })],
    "at the limit, in fragments": [frame(0x02, Buffer.alloc(10), { mask }), frame(0x80, Buffer.alloc(10), { mask })],
    "one past it, in fragments": [frame(0x02, Buffer.alloc(10), { mask }), frame(0x80, Buffer.alloc(11), { mask })],
    "two messages": [frame(0x82, Buffer.alloc(20), { mask }), frame(0x82, Buffer.alloc(20), { mask })],
    "a longer ping": [frame(0x89, Buffer.alloc(100), { mask })],
    "compressed, at the limit": [frame(0xc2, compressed(Buffer.alloc(20)), { mask })],
    "compressed, one past it": [frame(0xc2, compressed(Buffer.alloc(21)), { mask })],
    "compressed, far past it": [frame(0xc2, compressed(Buffer.alloc(100_000)).subarray(0, 20), { mask })]
  })
  const cases = Object.fromEntries(
    Object.keys(messages(true)).map((name): [string, Pieces] => [name, (mask) => messages(mask)[name] ?? []])
  )
  table("maxPayload [option:maxPayload] [code:WS_ERR_UNSUPPORTED_MESSAGE_LENGTH]", cases, {
    deflate: true,
    awaited: true,
    options: { maxPayload: 20 }
  })
  table(
    "maxPayload, told by the head alone",
    { "one past it": (mask) => [frame(0x82, Buffer.alloc(21), { mask }).subarray(0, 2)] },
    { options: { maxPayload: 20 } }
  )
  table("maxPayload 0: no limit", cases, { deflate: true, awaited: true, options: { maxPayload: 0 } })

  const fragments =
    (count: number): Pieces =>
    (mask) => [
      Buffer.concat([
        frame(0x02, "", { mask }),
        ...Array.from({ length: count - 2 }, () => frame(0x00, "x", { mask })),
        frame(0x80, "", { mask }),
        frame(0x81, "next", { mask })
      ])
    ]
  table(
    "maxFragments [option:maxFragments] [code:WS_ERR_TOO_MANY_BUFFERED_PARTS]",
    { "at the limit": fragments(5), "one past it": fragments(6), "none but the last is late": fragments(7) },
    { options: { maxFragments: 5 } }
  )
  table("maxFragments by default", { "at the limit": fragments(16_384), "one past it": fragments(16_385) })
  table("maxFragments 0: no limit", { many: fragments(20_000) }, { options: { maxFragments: 0 } })

  const chunks =
    (count: number): Pieces =>
    (mask) => {
      const bytes = frame(0x82, Buffer.alloc(count), { mask })
      const head = bytes.subarray(0, bytes.length - count)
      return [head, ...Array.from({ length: count }, (_, at) => bytes.subarray(head.length + at, head.length + at + 1))]
    }
  table(
    "maxBufferedChunks [option:maxBufferedChunks]",
    { "at the limit": chunks(6), "one past it": chunks(7) },
    { options: { maxBufferedChunks: 5 } }
  )
  table("maxBufferedChunks 0: no limit", { many: chunks(30) }, { options: { maxBufferedChunks: 0 } })

  const pings =
    (count: number): Pieces =>
    (mask) => [
      Buffer.concat(Array.from({ length: count }, () => frame(0x89, "p", { mask }))),
      frame(0x81, "after", { mask })
    ]
  table("maxPendingAutoPongs [option:maxPendingAutoPongs]", { "at the limit": pings(60), "one past it": pings(61) })
  table(
    "maxPendingAutoPongs 3",
    { "at the limit": pings(3), "one past it": pings(4) },
    { options: { maxPendingAutoPongs: 3 } }
  )
  table("maxPendingAutoPongs 0: no limit", { many: pings(200) }, { options: { maxPendingAutoPongs: 0 } })
  table("autoPong false [option:autoPong]", { pings: pings(5) }, { options: { autoPong: false } })
})

describe("permessage-deflate", () => {
  table(
    "received",
    {
      whole: (mask) => [frame(0xc1, compressed("hello hello hello"), { mask })],
      "in fragments": (mask) => {
        const bytes = compressed("hello hello hello")
        return [Buffer.concat([frame(0x41, bytes.subarray(0, 3), { mask }), frame(0x80, bytes.subarray(3), { mask })])]
      },
      "with others around": (mask) => [
        Buffer.concat([
          frame(0x81, "a", { mask }),
          frame(0xc1, compressed("b"), { mask }),
          frame(0x82, "c", { mask }),
          frame(0x89, "d", { mask }),
          frame(0xc2, compressed(Buffer.alloc(100_000)), { mask }),
          frame(0x81, "e", { mask })
        ])
      ],
      "not UTF-8": (mask) => [frame(0xc1, compressed(Buffer.from([0xff])), { mask })],
      empty: (mask) => [frame(0xc1, "\x00", { mask }), frame(0x81, "after", { mask })]
    },
    { deflate: true, awaited: true }
  )
  // When states change, and what is still answered, hangs on how long `ws` inflates: what is told doesn't.
  sameEach(
    "received, and then no more",
    roles.flatMap((role) =>
      [
        ["a close frame", frame(0x88, Buffer.from([3, 232]), { mask: role === "server" })] as const,
        ["the end", Buffer.alloc(0)] as const
      ].map(
        ([name, last]) =>
          [
            `${role}: ${name}`,
            async (lab: Lab) => {
              const { raw, socket } =
                role === "server"
                  ? await lab.rawPair({ perMessageDeflate: true }, deflateHead)
                  : await lab.rawAccepted({ perMessageDeflate: true }, deflateAnswer)
              socket.on("message", (data) => lab.note("message", data))
              socket.on("close", (code, reason) => lab.note("close", code, reason))
              const gone = closed(socket)
              const large = frame(0xc2, compressed(Buffer.alloc(1_000_000)), { mask: role === "server" })
              raw.socket.end(Buffer.concat([large, last]))
              await gone
              lab.wire.length = 0
            }
          ] as const
      )
    )
  )
})

/** The frame with more bits for its length than it needs. */
const longer = (bytes: Buffer, bits: 126 | 127): Buffer => {
  const length = (bytes[1] ?? 0) & 127
  const field = Buffer.alloc(bits === 126 ? 2 : 8)
  field[field.length - 1] = length
  return Buffer.concat([Buffer.from([bytes[0] ?? 0, ((bytes[1] ?? 0) & 128) | bits]), field, bytes.subarray(2)])
}

const hugeHead = (mask: boolean, high: number, low: number): Buffer => {
  const head = Buffer.alloc(mask ? 14 : 10)
  head[0] = 0x82
  head[1] = (mask ? 128 : 0) | 127
  head.writeUInt32BE(high, 2)
  head.writeUInt32BE(low, 6)
  return head
}
