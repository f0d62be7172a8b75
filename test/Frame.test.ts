import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { Frame } from "effect-ws"
import { Opcode } from "../src/internal/protocol/opcode.ts"

const hex = (...parts: ReadonlyArray<string>): Buffer => Buffer.from(parts.join("").replaceAll(" ", ""), "hex")

interface Outcome {
  readonly frames: ReadonlyArray<Frame.Frame>
  readonly error: Frame.FrameError | undefined
}

const parse = (pieces: ReadonlyArray<Uint8Array>, options: Frame.ParserOptions): Outcome => {
  const frames: Array<Frame.Frame> = []
  const parser = Frame.makeParser((frame) => frames.push(frame), options)
  let error: Frame.FrameError | undefined
  for (const piece of pieces) error ??= parser.feed(piece)
  return { frames, error }
}

const single = (bytes: Uint8Array): Array<Uint8Array> => Array.from(bytes, (byte) => Uint8Array.of(byte))

/** Parses the bytes whole and one by one, which must give the same. */
const both = (bytes: Uint8Array, options: Frame.ParserOptions): Outcome => {
  const whole = parse([bytes], options)
  const inPieces = parse(single(bytes), options)
  assert.deepStrictEqual(inPieces.frames.map(plain), whole.frames.map(plain))
  assert.deepStrictEqual(inPieces.error?.reason, whole.error?.reason)
  return whole
}

/** A frame with its payload as a plain `Uint8Array`, for comparison. */
const plain = (frame: Frame.Frame): unknown => ({ ...frame, payload: Uint8Array.from(frame.payload) })

const assertFrames = (actual: ReadonlyArray<Frame.Frame>, expected: ReadonlyArray<Frame.Frame>): void =>
  assert.deepStrictEqual(actual.map(plain), expected.map(plain))

const key = hex("37fa213d")
const server = { role: "server" } as const
const client = { role: "client" } as const

/** The header of a frame with a 64-bit length, masked or not. */
const long = (first: number, length: bigint, masked = false): Buffer => {
  const header = Buffer.alloc(masked ? 14 : 10)
  header[0] = first
  header[1] = masked ? 0xff : 0x7f
  header.writeBigUInt64BE(length, 2)
  return header
}

/** What the parser says when the bytes end. */
const endOf = (bytes: Uint8Array): string | undefined => {
  const parser = Frame.makeParser(() => {}, client)
  assert.isUndefined(parser.feed(bytes))
  return parser.end()?.reason._tag
}

/** At which byte the parser refuses. */
const refusedAt = (bytes: Uint8Array, options: Frame.ParserOptions): number => {
  const parser = Frame.makeParser(() => {}, options)
  return single(bytes).findIndex((byte) => parser.feed(byte) !== undefined)
}

const encodeAll = (frames: ReadonlyArray<Frame.Frame>): Uint8Array =>
  Buffer.concat(frames.map((frame) => Frame.encode(frame)))

/** The header of a binary frame, in hexadecimal. */
const headerOf = (size: number): string =>
  Buffer.from(Frame.encode(Frame.binary(new Uint8Array(size))))
    .subarray(0, size < 126 ? 2 : size < 65_536 ? 4 : 10)
    .toString("hex")

/** What `encode` throws. */
const tagOf = (frame: Frame.Frame): string | undefined => {
  try {
    Frame.encode(frame)
  } catch (error) {
    return error instanceof Frame.FrameError ? error.reason._tag : undefined
  }
  return "none"
}

const stream = (pieces: ReadonlyArray<Uint8Array>, options: Frame.ParserOptions) =>
  Stream.pipeThroughChannel(Stream.fromIterable(pieces), Frame.decode(options))

const assemble = (frames: ReadonlyArray<Frame.Frame>) => {
  const messages: Array<string | Uint8Array> = []
  const assembler = Frame.makeAssembler((message) =>
    messages.push(typeof message === "string" ? message : Uint8Array.from(message))
  )
  let error: Frame.FrameError | undefined
  for (const frame of frames) error ??= assembler.feed(frame)
  return { messages, error }
}

describe("Frame", () => {
  describe("the examples of RFC 6455 §5.7", () => {
    const bytes256 = Uint8Array.from({ length: 256 }, (_, i) => i)
    const bytes64k = new Uint8Array(65536).fill(0x41)
    const examples: ReadonlyArray<readonly [string, Buffer, ReadonlyArray<Frame.Frame>]> = [
      ["an unmasked text message", hex("81 05 48 65 6c 6c 6f"), [Frame.text("Hello")]],
      [
        "a fragmented unmasked text message",
        hex("01 03 48 65 6c", "80 02 6c 6f"),
        [Frame.text("Hel", { fin: false }), Frame.continuation("lo")]
      ],
      ["an unmasked ping", hex("89 05 48 65 6c 6c 6f"), [Frame.ping("Hello")]],
      ["an unmasked pong", hex("8a 05 48 65 6c 6c 6f"), [Frame.pong("Hello")]],
      ["256 bytes in one unmasked frame", Buffer.concat([hex("82 7e 0100"), bytes256]), [Frame.binary(bytes256)]],
      [
        "64 KiB in one unmasked frame",
        Buffer.concat([hex("82 7f 0000000000010000"), bytes64k]),
        [Frame.binary(bytes64k)]
      ]
    ]
    for (const [name, bytes, frames] of examples) {
      it(`${name}, both directions`, () => {
        const { frames: read, error } = both(bytes, client)
        assert.isUndefined(error)
        assertFrames(read, frames)
        assert.isTrue(Buffer.concat(frames.map((frame) => Frame.encode(frame))).equals(bytes))
      })
    }

    it("masked: a text message, and the pong of a masked ping", () => {
      const text = hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")
      const pong = hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58")
      assertFrames(both(Buffer.concat([text, pong]), server).frames, [Frame.text("Hello"), Frame.pong("Hello")])
      assert.isTrue(text.equals(Frame.encode(Frame.text("Hello"), { mask: key })))
      assert.isTrue(pong.equals(Frame.encode(Frame.pong("Hello"), { mask: key })))
    })
  })

  describe("the parser", () => {
    it("leaves the caller's bytes as they are", () => {
      const bytes = Frame.encode(Frame.text("Hello"), { mask: key })
      const copy = Uint8Array.from(bytes)
      parse([bytes], server)
      assert.deepStrictEqual(bytes, copy)
    })

    it("gives frames that later bytes don't change", () => {
      const frames: Array<Frame.Frame> = []
      const parser = Frame.makeParser((frame) => frames.push(frame), server)
      const chunk = Uint8Array.from(Frame.encode(Frame.binary(new Uint8Array(100).fill(1)), { mask: key }))
      for (let i = 0; i < 3; i++) {
        assert.isUndefined(parser.feed(chunk))
        chunk.fill(0xff)
        chunk.set(Frame.encode(Frame.binary(new Uint8Array(100).fill(i + 2)), { mask: true }))
      }
      assertFrames(
        frames,
        [1, 2, 3].map((value) => Frame.binary(new Uint8Array(100).fill(value)))
      )
    })

    it("gives control frames between the fragments of a message, and empty fragments", () => {
      const frames = [
        Frame.binary(hex("01"), { fin: false }),
        Frame.ping(),
        Frame.continuation("", { fin: false }),
        Frame.pong("p"),
        Frame.continuation(""),
        Frame.text("", { fin: false }),
        Frame.continuation(""),
        Frame.close(1000, "ü")
      ]
      for (const role of ["server", "client"] as const) {
        const bytes = Buffer.concat(frames.map((frame) => Frame.encode(frame, { mask: role === "server" })))
        const { frames: read, error } = both(bytes, { role })
        assert.isUndefined(error)
        assertFrames(read, frames)
      }
    })

    it("gives what an extension's bits mean a chance, on the first frame of a message alone", () => {
      const options = { role: "client", allowedRsv: 4 } as const
      const first = Frame.text(hex("ff").toString("latin1"), { fin: false, rsv: 4 })
      const frames = [first, Frame.ping(), Frame.continuation("x"), Frame.binary(hex("00"), { rsv: 4 })]
      assertFrames(both(Buffer.concat(frames.map((frame) => Frame.encode(frame))), options).frames, frames)
      for (const frame of [
        Frame.text("x", { rsv: 2 }),
        Frame.text("x", { rsv: 5 }),
        { ...Frame.ping(), rsv: 4 } as unknown as Frame.Frame
      ]) {
        assert.strictEqual(both(Frame.encode(frame), options).error?.reason._tag, "UnexpectedReservedBits")
      }
      const continued = Buffer.concat([Frame.encode(first), Frame.encode(Frame.continuation("x", { rsv: 4 }))])
      assert.strictEqual(both(continued, options).error?.reason._tag, "UnexpectedReservedBits")
    })

    it("doesn't validate text whose bits an extension owns", () => {
      const compressed = Frame.encode({ ...Frame.binary(hex("ff"), { rsv: 4 }), _tag: "Text" })
      const options = { role: "client", allowedRsv: 4 } as const
      assert.isUndefined(both(compressed, options).error)
      const fragments = Buffer.concat([hex("41 01 ff 00 01 ff 80 01 ff"), hex("01 01 c3 80 01 bc")])
      assert.isUndefined(both(fragments, options).error)
    })

    it("is inert after an error, and gives the same error again", () => {
      const frames: Array<Frame.Frame> = []
      const parser = Frame.makeParser((frame) => frames.push(frame), client)
      const error = parser.feed(hex("83 00"))
      assert.strictEqual(error?.reason._tag, "ReservedOpcode")
      assert.strictEqual(parser.feed(Frame.encode(Frame.text("late"))), error)
      assert.strictEqual(parser.end(), error)
      assert.deepStrictEqual(frames, [])
    })

    it("says at the end whether the bytes ended inside a frame, or a message", () => {
      assert.isUndefined(endOf(hex("")))
      assert.isUndefined(endOf(hex("81 01 41")))
      assert.strictEqual(endOf(hex("81")), "IncompleteFrame")
      assert.strictEqual(endOf(hex("81 7e 00")), "IncompleteFrame")
      assert.strictEqual(endOf(hex("81 01")), "IncompleteFrame")
      assert.strictEqual(endOf(hex("01 01 41")), "IncompleteFrame")
      assert.strictEqual(endOf(hex("01 01 41 89 00")), "IncompleteFrame")
    })
  })

  describe("violations", () => {
    // Each with what comes before it, the role that reads it, and the section and code of the verdict.
    const cases: ReadonlyArray<readonly [string, Buffer, "client" | "server", string, number, string]> = [
      ...[0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70].map(
        (bits) =>
          [
            `reserved bits ${bits >> 4}`,
            Buffer.of(0x81 | bits, 0x00),
            "client",
            "UnexpectedReservedBits",
            1002,
            "RFC 6455 §5.2"
          ] as const
      ),
      ...[0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf].map(
        (code) =>
          [`opcode ${code}`, Buffer.of(0x80 | code, 0x00), "client", "ReservedOpcode", 1002, "RFC 6455 §5.2"] as const
      ),
      ...[0x8, 0x9, 0xa].flatMap((code) => [
        [
          `control frame ${code} without FIN`,
          Buffer.of(code, 0x00),
          "client",
          "FragmentedControl",
          1002,
          "RFC 6455 §5.5"
        ] as const,
        [
          `control frame ${code} of 126 bytes`,
          Buffer.concat([Buffer.of(0x80 | code, 0x7e, 0x00, 0x7e), Buffer.alloc(126)]),
          "client",
          "ControlTooLong",
          1002,
          "RFC 6455 §5.5"
        ] as const,
        [
          `control frame ${code} with a 64-bit length`,
          long(0x80 | code, 1n),
          "client",
          "ControlTooLong",
          1002,
          "RFC 6455 §5.5"
        ] as const
      ]),
      ["a continuation of nothing", hex("80 00"), "client", "UnexpectedOpcode", 1002, "RFC 6455 §5.4"],
      ["a continuation after the end", hex("81 00 00 00"), "client", "UnexpectedOpcode", 1002, "RFC 6455 §5.4"],
      ["text in a message", hex("01 00 81 00"), "client", "UnexpectedOpcode", 1002, "RFC 6455 §5.4"],
      ["binary in a message", hex("02 00 89 00 02 00"), "client", "UnexpectedOpcode", 1002, "RFC 6455 §5.4"],
      ["125 as a 16-bit length", hex("82 7e 007d"), "client", "NonMinimalLength", 1002, "RFC 6455 §5.2"],
      ["0 as a 16-bit length", hex("82 7e 0000"), "client", "NonMinimalLength", 1002, "RFC 6455 §5.2"],
      ["65535 as a 64-bit length", long(0x82, 65535n), "client", "NonMinimalLength", 1002, "RFC 6455 §5.2"],
      ["a length of 2^63", long(0x82, 2n ** 63n), "client", "InvalidLength", 1002, "RFC 6455 §5.2"],
      ["a length of 2^64 - 1", long(0x82, 2n ** 64n - 1n), "client", "InvalidLength", 1002, "RFC 6455 §5.2"],
      ["a length of 2^63 - 1", long(0x82, 2n ** 63n - 1n), "client", "MessageTooLarge", 1009, "RFC 6455 §10.4"],
      ["a length of 2^53", long(0x82, 2n ** 53n), "client", "MessageTooLarge", 1009, "RFC 6455 §10.4"],
      ["a length of 2^53 - 1", long(0x82, 2n ** 53n - 1n), "client", "MessageTooLarge", 1009, "RFC 6455 §10.4"],
      ["a length of 2^32", long(0x82, 2n ** 32n), "client", "MessageTooLarge", 1009, "RFC 6455 §10.4"],
      ["a length of 2^31", long(0x82, 2n ** 31n), "client", "MessageTooLarge", 1009, "RFC 6455 §10.4"],
      ["an unmasked frame from a client", hex("81 00"), "server", "ExpectedMask", 1002, "RFC 6455 §5.1"],
      ["a masked frame from a server", hex("81 80 00000000"), "client", "UnexpectedMask", 1002, "RFC 6455 §5.1"],
      ["a close frame of one byte", hex("88 01 03"), "client", "InvalidClosePayload", 1002, "RFC 6455 §5.5.1"],
      ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => {
        const frame = hex("88 02 0000")
        frame.writeUInt16BE(code, 2)
        return [`close code ${code}`, frame, "client", "InvalidCloseCode", 1002, "RFC 6455 §7.4"] as const
      }),
      ["a reason that isn't UTF-8", hex("88 04 03e8 c328"), "client", "InvalidUtf8", 1007, "RFC 6455 §8.1"],
      ["a reason with a cut character", hex("88 03 03e8 c3"), "client", "InvalidUtf8", 1007, "RFC 6455 §8.1"],
      ["text that isn't UTF-8", hex("81 02 c328"), "client", "InvalidUtf8", 1007, "RFC 6455 §8.1"],
      ["text with a cut character", hex("81 01 c3"), "client", "InvalidUtf8", 1007, "RFC 6455 §8.1"],
      [
        "text cut inside a character at the end of its last fragment",
        hex("01 01 c3 00 01 a9 80 01 c3"),
        "client",
        "InvalidUtf8",
        1007,
        "RFC 6455 §8.1"
      ],
      ["a surrogate over two fragments", hex("01 01 ed 00 01 a0"), "client", "InvalidUtf8", 1007, "RFC 6455 §8.1"]
    ]
    for (const [name, bytes, role, tag, closeCode, section] of cases) {
      it(name, () => {
        const { error } = both(bytes, { role })
        assert.strictEqual(error?._tag, "FrameError")
        assert.strictEqual(error?.reason._tag, tag)
        assert.strictEqual(error?.closeCode, closeCode)
        assert.strictEqual(error?.reason.section, section)
        assert.include(error?.message, section)
      })
    }

    it("are found at the first byte that shows them", () => {
      // The length, before the masking key and before a byte of the payload.
      assert.strictEqual(refusedAt(long(0x82, 2n ** 31n, true), server), 9)
      assert.strictEqual(refusedAt(hex("82 fe 007d 00000000"), server), 3)
      assert.strictEqual(refusedAt(hex("89 fe 0001 00000000"), server), 1)
      // The third byte of the text can't follow the second.
      assert.strictEqual(refusedAt(hex("81 05 48 e2 28 a1 48"), client), 4)
      assert.strictEqual(refusedAt(hex("01 02 48 e2 80 03 82 c0 48"), client), 7)
      // A close code, with the frame.
      assert.strictEqual(refusedAt(hex("88 04 03ed 4141"), client), 5)
    })

    it("give what came before them", () => {
      const { frames, error } = both(hex("81 01 41 89 00 83 00 81 01 42"), client)
      assertFrames(frames, [Frame.text("A"), Frame.ping()])
      assert.strictEqual(error?.reason._tag, "ReservedOpcode")
    })
  })

  describe("limits", () => {
    it("take control frames of 125 bytes", () => {
      for (const frame of [Frame.ping(new Uint8Array(125)), Frame.close(1000, "x".repeat(123))]) {
        assertFrames(both(Frame.encode(frame), client).frames, [frame])
      }
    })

    it("take a message of the limit, and not one byte more, before its payload", () => {
      for (const limit of [0, 1, 125, 126, 1000, 65_535, 65_536, 70_000]) {
        const options = { role: "client", maxMessageSize: limit } as const
        const at = Frame.encode(Frame.binary(new Uint8Array(limit)))
        const beyond = Frame.encode(Frame.binary(new Uint8Array(limit + 1)))
        assert.strictEqual(parse([at], options).frames.length, 1)
        const { frames, error } = parse([beyond.subarray(0, beyond.length - limit - 1)], options)
        assert.strictEqual(frames.length, 0)
        assert.strictEqual(error?.reason._tag, "MessageTooLarge")
        assert.deepInclude(error?.reason, { limit })
      }
    })

    it("are 1 MiB by default", () => {
      const size = Frame.defaultMaxMessageSize
      assert.strictEqual(size, 1024 * 1024)
      assert.isUndefined(parse([Frame.encode(Frame.binary(new Uint8Array(size)))], client).error)
      assert.strictEqual(parse([long(0x82, BigInt(size + 1))], client).error?.closeCode, 1009)
    })

    it("count the fragments of a message together, not the control frames between them", () => {
      const options = { role: "client", maxMessageSize: 100 } as const
      const start = [
        Frame.binary(new Uint8Array(40), { fin: false }),
        Frame.ping(new Uint8Array(125)),
        Frame.continuation("", { fin: false }),
        Frame.continuation(new Uint8Array(60), { fin: false }),
        Frame.pong(new Uint8Array(125))
      ]
      const whole = encodeAll([...start, Frame.continuation("")])
      // The count begins anew with each message.
      assert.isUndefined(
        both(Buffer.concat([whole, whole, encodeAll([Frame.binary(new Uint8Array(100))])]), options).error
      )
      const { frames, error } = both(encodeAll([...start, Frame.continuation("x")]), options)
      assert.strictEqual(frames.length, 5)
      assert.strictEqual(error?.closeCode, 1009)
    })

    it("allocate for what comes, not for what a header says", () => {
      const parsers = Array.from({ length: 50 }, () =>
        Frame.makeParser(() => {}, { role: "client", maxMessageSize: 2 ** 40 })
      )
      const before = process.memoryUsage().arrayBuffers
      for (const parser of parsers) assert.isUndefined(parser.feed(long(0x82, 2n ** 39n)))
      for (const parser of parsers) assert.isUndefined(parser.feed(new Uint8Array(100)))
      assert.isBelow(process.memoryUsage().arrayBuffers - before, 60 * 1024 * 1024)
    })
  })

  describe("constructors", () => {
    it("make plain values", () => {
      assertFrames(
        [Frame.text("ü"), Frame.binary(hex("01"), { fin: false, rsv: 4 }), Frame.continuation("x"), Frame.pong()],
        [
          { _tag: "Text", fin: true, rsv: 0, payload: hex("c3bc") },
          { _tag: "Binary", fin: false, rsv: 4, payload: hex("01") },
          { _tag: "Continuation", fin: true, rsv: 0, payload: hex("78") },
          { _tag: "Pong", fin: true, rsv: 0, payload: hex("") }
        ]
      )
      assertFrames(
        [Frame.close(), Frame.close(1000), Frame.close(4999, "ü")],
        [
          { _tag: "Close", fin: true, rsv: 0, code: undefined, reason: "", payload: hex("") },
          { _tag: "Close", fin: true, rsv: 0, code: 1000, reason: "", payload: hex("03e8") },
          { _tag: "Close", fin: true, rsv: 0, code: 4999, reason: "ü", payload: hex("1387 c3bc") }
        ]
      )
    })

    it("throw for control frames that can't be, at the limit and one past it", () => {
      Frame.ping("x".repeat(125))
      Frame.pong(new Uint8Array(125))
      Frame.close(1000, "x".repeat(123))
      for (const [make, tag] of [
        [() => Frame.ping("x".repeat(126)), "ControlTooLong"],
        [() => Frame.pong(new Uint8Array(126)), "ControlTooLong"],
        [() => Frame.close(1000, "x".repeat(124)), "ControlTooLong"],
        // Bytes count, not characters.
        [() => Frame.close(1000, "ü".repeat(62)), "ControlTooLong"],
        [() => Frame.close(undefined, "why"), "InvalidClosePayload"],
        [() => Frame.close(1005), "InvalidCloseCode"],
        [() => Frame.close(1000.5), "InvalidCloseCode"],
        [() => Frame.close(Number.NaN), "InvalidCloseCode"],
        [() => Frame.close(-1000), "InvalidCloseCode"],
        [() => Frame.close(65_536 + 1000), "InvalidCloseCode"]
      ] as const) {
        try {
          make()
          assert.fail(tag)
        } catch (error) {
          assert.instanceOf(error, Frame.FrameError)
          assert.strictEqual(error.reason._tag, tag)
        }
      }
    })

    it("know which close codes may travel", () => {
      const allowed = Array.from({ length: 65_536 }, (_, code) => code).filter(Frame.isValidCloseCode)
      const ranges = [
        [1000, 1003],
        [1007, 1014],
        [3000, 4999]
      ] as const
      assert.deepStrictEqual(
        allowed,
        ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i))
      )
      assert.isFalse(Frame.isValidCloseCode(1000.5))
      assert.isFalse(Frame.isValidCloseCode(Frame.CloseCode.noStatus))
      assert.isFalse(Frame.isValidCloseCode(Frame.CloseCode.abnormal))
      assert.isTrue(Frame.isValidCloseCode(Frame.CloseCode.messageTooBig))
    })

    it("tell opcodes and control frames", () => {
      const frames = [
        Frame.continuation(""),
        Frame.text(""),
        Frame.binary(hex("")),
        Frame.close(),
        Frame.ping(),
        Frame.pong()
      ]
      assert.deepStrictEqual(frames.map(Frame.opcode), [0, 1, 2, 8, 9, 10])
      assert.deepStrictEqual(frames.map(Frame.isControl), [false, false, false, true, true, true])
      assert.strictEqual(Opcode.pong, 10)
    })
  })

  describe("encode", () => {
    it("masks with a fresh key each time", () => {
      const encoded = Array.from({ length: 20 }, () => Buffer.from(Frame.encode(Frame.text("Hello"), { mask: true })))
      assert.isAtLeast(new Set(encoded.map((bytes) => bytes.toString("hex"))).size, 19)
      for (const bytes of encoded) assertFrames(both(bytes, server).frames, [Frame.text("Hello")])
    })

    it("writes lengths in their shortest form", () => {
      assert.strictEqual(headerOf(125), "827d")
      assert.strictEqual(headerOf(126), "827e007e")
      assert.strictEqual(headerOf(65_535), "827effff")
      assert.strictEqual(headerOf(65_536), "827f0000000000010000")
    })

    it("throws for what is no frame", () => {
      assert.strictEqual(tagOf({ ...Frame.ping(), payload: new Uint8Array(126) }), "ControlTooLong")
      assert.strictEqual(tagOf({ ...Frame.close(), payload: new Uint8Array(126) }), "ControlTooLong")
      for (const rsv of [-1, 8, 0.5, Number.NaN]) {
        assert.strictEqual(tagOf(Frame.text("x", { rsv })), "UnexpectedReservedBits")
      }
      for (const size of [0, 3, 5]) {
        assert.throws(() => Frame.encode(Frame.text("x"), { mask: new Uint8Array(size) }), RangeError)
      }
    })
  })

  describe("the Schema", () => {
    const isFrame = Schema.is(Frame.Frame)

    it("accepts what the constructors and the parser make", () => {
      const frames = [
        Frame.text("x", { fin: false, rsv: 7 }),
        Frame.binary(hex("00")),
        Frame.continuation(""),
        Frame.ping(new Uint8Array(125)),
        Frame.pong(),
        Frame.close(),
        Frame.close(1001, "away")
      ]
      for (const frame of frames) {
        assert.isTrue(isFrame(frame), frame._tag)
        assert.isTrue(
          both(Frame.encode(frame), { role: "client", allowedRsv: 7 }).frames.every(isFrame) || frame.rsv > 0
        )
      }
    })

    it("refuses what is none", () => {
      const bad: ReadonlyArray<unknown> = [
        { ...Frame.text("x"), _tag: "Words" },
        { ...Frame.text("x"), fin: "yes" },
        { ...Frame.text("x"), rsv: 8 },
        { ...Frame.text("x"), rsv: 0.5 },
        { ...Frame.text("x"), payload: "x" },
        { ...Frame.ping(), fin: false },
        { ...Frame.ping(), rsv: 4 },
        { ...Frame.pong(), payload: new Uint8Array(126) },
        { ...Frame.close(1000), code: 1005 },
        { ...Frame.close(1000), code: 1000.5 },
        { ...Frame.close(1000), reason: "not in the payload" },
        { ...Frame.close(1000), payload: hex("03e9") },
        { ...Frame.close(), payload: hex("03e8") },
        { ...Frame.close(), reason: "no code" },
        null,
        "text"
      ]
      for (const value of bad) assert.isFalse(isFrame(value), JSON.stringify(value))
    })
  })

  describe("decode", () => {
    it.effect("gives the frames of a stream of bytes, however they are cut", () =>
      Effect.gen(function* () {
        const frames = [Frame.text("a", { fin: false }), Frame.ping("p"), Frame.continuation("b"), Frame.close(1000)]
        const bytes = Buffer.concat(frames.map((frame) => Frame.encode(frame, { mask: true })))
        for (const pieces of [[bytes], single(bytes), [bytes.subarray(0, 7), bytes.subarray(7)]]) {
          assertFrames(yield* Stream.runCollect(stream(pieces, server)), frames)
        }
        assertFrames(yield* Stream.runCollect(stream([], server)), [])
      })
    )

    it.effect("gives what came before an error, then fails with it", () =>
      Effect.gen(function* () {
        const seen: Array<Frame.Frame> = []
        const bytes = hex("81 01 41 89 00 83 00 81 01 42")
        for (const pieces of [[bytes], single(bytes)]) {
          seen.length = 0
          const error = yield* Effect.flip(
            Stream.runForEach(stream(pieces, client), (frame) => Effect.sync(() => seen.push(frame)))
          )
          assert.strictEqual(error.reason._tag, "ReservedOpcode")
          assertFrames(seen, [Frame.text("A"), Frame.ping()])
        }
      })
    )

    it.effect("fails when the bytes end inside a frame, and with the error of the bytes themselves", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Stream.runDrain(stream([hex("81 01 41 81")], client)))
        assert.strictEqual(error.reason._tag, "IncompleteFrame")
        const broken = Stream.concat(Stream.make<[Uint8Array]>(hex("81 01 41")), Stream.fail("broken" as const))
        const seen: Array<Frame.Frame> = []
        const failure = yield* Stream.pipeThroughChannel(broken, Frame.decode(client)).pipe(
          Stream.runForEach((frame) => Effect.sync(() => seen.push(frame))),
          Effect.flip
        )
        assert.strictEqual(failure, "broken")
        assertFrames(seen, [Frame.text("A")])
      })
    )
  })

  describe("the assembler", () => {
    it("joins fragments to messages, text as strings", () => {
      const { messages, error } = assemble([
        Frame.text("whole"),
        Frame.text(Buffer.of(0xc3).toString("latin1"), { fin: false }),
        Frame.ping(),
        Frame.continuation("!"),
        { ...Frame.binary(hex("c3"), { fin: false }), _tag: "Text" },
        Frame.continuation(hex("bc")),
        Frame.binary(hex("01"), { fin: false }),
        ...Array.from({ length: 2000 }, () => Frame.continuation(hex("02"), { fin: false })),
        Frame.continuation(""),
        Frame.binary(hex("")),
        Frame.close()
      ])
      assert.isUndefined(error)
      assert.deepStrictEqual(messages, [
        "whole",
        "Ã!",
        "ü",
        Uint8Array.of(1, ...new Uint8Array(2000).fill(2)),
        new Uint8Array(0)
      ])
    })

    it("refuses frames that are no messages", () => {
      const bad: ReadonlyArray<readonly [ReadonlyArray<Frame.Frame>, string]> = [
        [[Frame.continuation("x")], "UnexpectedOpcode"],
        [[Frame.text("x", { fin: false }), Frame.text("y")], "UnexpectedOpcode"],
        [[{ ...Frame.binary(hex("c3")), _tag: "Text" }], "InvalidUtf8"]
      ]
      for (const [frames, tag] of bad) assert.strictEqual(assemble(frames).error?.reason._tag, tag)
    })
  })
})
