import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Frame } from "effect-ws"
import * as fc from "fast-check"
import type { EventEmitter } from "node:events"
import { createRequire } from "node:module"
import type { FrameSink, Role } from "../src/internal/protocol/codec.ts"
import { hybi } from "../src/internal/protocol/hybi/codec.ts"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { isUtf8 } from "node:buffer"
import * as Violation from "../src/internal/protocol/protocolError.ts"

const maxMessageSize = 400

// What may be sent.

const payload = fc.oneof(
  { weight: 6, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  { weight: 2, arbitrary: fc.uint8Array({ minLength: 124, maxLength: 130 }) },
  { weight: 1, arbitrary: fc.integer({ min: 65_530, max: 65_540 }).map((size) => new Uint8Array(size).fill(7)) }
)
const controlPayload = fc.oneof(
  { weight: 5, arbitrary: fc.uint8Array({ maxLength: 10 }) },
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 120, maxLength: 125 }) }
)
const control: fc.Arbitrary<Frame.Frame> = fc.oneof(
  controlPayload.map((bytes) => Frame.ping(bytes)),
  controlPayload.map((bytes) => Frame.pong(bytes))
)
const closeFrame: fc.Arbitrary<Frame.Frame> = fc.oneof(
  fc.constant(Frame.close()),
  fc
    .tuple(fc.constantFrom(1000, 1001, 1011, 3000, 4999), fc.string({ unit: "grapheme", maxLength: 10 }))
    .filter(([, reason]) => Buffer.byteLength(reason) <= 123)
    .map(([code, reason]) => Frame.close(code, reason))
)

/** One message as frames: cut anywhere, also inside a character, with control frames in between. */
const message: fc.Arbitrary<ReadonlyArray<Frame.Frame>> = fc
  .record({
    text: fc.option(fc.string({ unit: "binary", maxLength: 60 }), { nil: undefined }),
    bytes: payload,
    cuts: fc.array(fc.nat(), { maxLength: 4 }),
    controls: fc.array(fc.tuple(fc.nat(), control), { maxLength: 2 })
  })
  .map(({ bytes, controls, cuts, text }) => {
    const whole = text === undefined ? bytes : Buffer.from(text)
    const edges = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b)
    const frames: Array<Frame.Frame> = edges.slice(1).map((end, index) => {
      const options = { fin: index === edges.length - 2 }
      const piece = Frame.binary(whole.subarray(edges[index], end), options)
      return index > 0 ? { ...piece, _tag: "Continuation" } : text === undefined ? piece : { ...piece, _tag: "Text" }
    })
    for (const [at, frame] of controls) frames.splice(at % (frames.length + 1), 0, frame)
    return frames
  })

const frames = fc
  .tuple(fc.array(message, { maxLength: 5 }), fc.option(closeFrame, { nil: undefined }))
  .map(([messages, close]): ReadonlyArray<Frame.Frame> => [...messages.flat(), ...(close === undefined ? [] : [close])])

const key = fc.oneof(fc.constant(Uint8Array.of(0, 0, 0, 0)), fc.uint8Array({ minLength: 4, maxLength: 4 }))

const role = fc.constantFrom<Role>("client", "server")

/** A frame as a hostile peer may write it: every field out of order now and then. */
const anyFrame = fc.record({
  first: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(0x01, 0x81, 0x02, 0x82, 0x00, 0x80, 0x88, 0x89, 0x8a) },
    { weight: 1, arbitrary: fc.nat(255) }
  ),
  masked: fc.oneof({ weight: 12, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  key,
  body: fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }).map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 130 }),
    fc
      .tuple(fc.constantFrom(0, 999, 1000, 1005, 1014, 1015, 3000, 5000), fc.string({ unit: "binary", maxLength: 8 }))
      .map(([code, reason]) => Buffer.concat([Buffer.of(code >> 8, code), Buffer.from(reason)])),
    fc.uint8Array({ minLength: 126, maxLength: 500 })
  ),
  length: fc.oneof(
    { weight: 14, arbitrary: fc.constant("shortest" as const) },
    { weight: 1, arbitrary: fc.constantFrom("16 bits" as const, "64 bits" as const) },
    { weight: 1, arbitrary: fc.constantFrom(401n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n) }
  )
})

type AnyFrame = typeof anyFrame extends fc.Arbitrary<infer A> ? A : never

const write = ({ body, first, key, length, masked }: AnyFrame, role: Role): Uint8Array => {
  const mask = masked === (role === "server")
  const bit = mask ? 0x80 : 0
  const size = BigInt(body.length)
  const long = typeof length === "bigint" ? length : size
  const sixty4 = Buffer.alloc(8)
  sixty4.writeBigUInt64BE(long)
  const header =
    length === "64 bits" || typeof length === "bigint" || size > 65_535n
      ? [Buffer.of(first, bit | 127), sixty4]
      : length === "16 bits" || size > 125n
        ? [Buffer.of(first, bit | 126), sixty4.subarray(6)]
        : [Buffer.of(first, bit | body.length)]
  const content = mask ? body.map((byte, i) => byte ^ (key[i & 3] ?? 0)) : body
  return Buffer.concat([...header, mask ? key : Buffer.of(), content])
}

/** Any bytes that begin as a stream of frames does, more or less. */
const hostile = fc.record({
  role,
  parts: fc.array(
    fc.oneof({ weight: 8, arbitrary: anyFrame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) }),
    { maxLength: 8 }
  ),
  cuts: fc.array(fc.nat(), { maxLength: 12 })
})

const bytesOf = ({ parts, role }: { readonly parts: ReadonlyArray<AnyFrame | Uint8Array>; readonly role: Role }) =>
  Buffer.concat(parts.map((part) => (part instanceof Uint8Array ? part : write(part, role))))

const cutAt = (bytes: Uint8Array, cuts: ReadonlyArray<number>): Array<Uint8Array> => {
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end))
}

interface Outcome {
  readonly frames: ReadonlyArray<unknown>
  readonly error: Frame.FrameErrorReason | undefined
  readonly cut: boolean
}

const parse = (pieces: ReadonlyArray<Uint8Array>, options: Frame.ParserOptions): Outcome => {
  const frames: Array<unknown> = []
  const parser = Frame.makeParser(
    (frame) => frames.push({ ...frame, payload: Uint8Array.from(frame.payload) }),
    options
  )
  let error: Frame.FrameError | undefined
  for (const piece of pieces) error = parser.feed(piece)
  return { frames, error: error?.reason, cut: parser.end() !== undefined }
}

describe("frames, properties", () => {
  it("what is encoded is parsed, masked or not, whole or cut", () => {
    fc.assert(
      fc.property(frames, role, key, fc.array(fc.nat(), { maxLength: 8 }), (frames, role, key, cuts) => {
        const mask = role === "server" ? key : false
        const bytes = Buffer.concat(frames.map((frame) => Frame.encode(frame, { mask })))
        const { cut, error, frames: read } = parse(cutAt(bytes, cuts), { role })
        assert.isUndefined(error)
        assert.isFalse(cut)
        assert.deepStrictEqual(
          read,
          frames.map((frame) => ({ ...frame, payload: Uint8Array.from(frame.payload) }))
        )
      }),
      { numRuns: 300 }
    )
  })

  it("any cut of any bytes gives the same frames or the same error", () => {
    fc.assert(
      fc.property(hostile, (given) => {
        const bytes = bytesOf(given)
        for (const allowedRsv of [0, 4]) {
          const options = { role: given.role, maxMessageSize, allowedRsv }
          const whole = parse([bytes], options)
          assert.deepStrictEqual(parse(cutAt(bytes, given.cuts), options), whole)
          assert.deepStrictEqual(
            parse(
              Array.from(bytes, (byte) => Uint8Array.of(byte)),
              options
            ),
            whole
          )
        }
      }),
      { numRuns: 700 }
    )
  })

  it("a decoder that is suspended after every frame gives the same", () => {
    fc.assert(
      fc.property(hostile, (given) => {
        const bytes = bytesOf(given)
        const run = (pieces: ReadonlyArray<Uint8Array>, pausing: boolean) => {
          const events: Array<string> = []
          const note = (event: string): undefined => {
            events.push(event)
            if (pausing) decoder.suspend()
          }
          const sink: FrameSink = {
            message: (opcode, rsv, bytes, start, end) =>
              opcode === Opcode.text && rsv === 0 && !isUtf8(bytes.subarray(start, end))
                ? Violation.invalidUtf8
                : note(`${opcode} ${rsv} ${bytes.toString("hex", start, end)}`),
            fragment: (opcode, fin, rsv, bytes, start, end) =>
              note(`${opcode} ${fin} ${rsv} ${bytes.toString("hex", start, end)}`),
            control: (opcode, bytes, start, end) => note(`${opcode} ${bytes.toString("hex", start, end)}`)
          }
          const decoder = hybi.decoder(sink, { role: given.role, maxMessageSize, allowedRsv: 4 })
          for (const piece of pieces) decoder.feed(Buffer.from(piece))
          while (decoder.suspended) decoder.resume()
          return { events, violation: decoder.violation }
        }
        assert.deepStrictEqual(run(cutAt(bytes, given.cuts), true), run([bytes], false))
      }),
      { numRuns: 500 }
    )
  })

  it("a decoder that is resumed, or fed, from inside a sink keeps the order", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 8 }), fc.boolean(), (frames, cuts, held) => {
        const bytes = Buffer.concat(frames.map((frame) => Frame.encode(frame)))
        const pieces = cutAt(bytes, cuts).map((piece) => Buffer.from(piece))
        const rest = pieces.slice()
        const payloads: Array<string> = []
        const note = (bytes: Buffer, start: number, end: number): undefined => {
          payloads.push(bytes.toString("hex", start, end))
          if (payloads.length % 2 === 0) decoder.suspend()
          const next = rest.shift()
          if (next !== undefined) decoder.feed(next)
          decoder.resume()
        }
        const sink: FrameSink = {
          message: (_opcode, _rsv, bytes, start, end) => note(bytes, start, end),
          fragment: (_opcode, _fin, _rsv, bytes, start, end) => note(bytes, start, end),
          control: (_opcode, bytes, start, end) => note(bytes, start, end)
        }
        const decoder = hybi.decoder(sink, { role: "client", maxMessageSize: 1_000_000, allowedRsv: 0 })
        if (held) {
          decoder.suspend()
          for (const piece of rest.splice(0)) decoder.feed(piece)
          decoder.resume()
        }
        for (let next = rest.shift(); next !== undefined; next = rest.shift()) decoder.feed(next)
        assert.deepStrictEqual(
          payloads,
          frames.map(({ payload }) => Buffer.from(payload).toString("hex"))
        )
      }),
      { numRuns: 300 }
    )
  })

  it("random bytes never throw, and never give more payload than there were bytes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), role, (pieces, role) => {
        let size = 0
        const parser = Frame.makeParser((frame) => (size += frame.payload.length), { role })
        for (const piece of pieces) parser.feed(piece)
        assert.isAtMost(size, Buffer.concat(pieces).length)
      }),
      { numRuns: 1000 }
    )
  })
})

// The same bytes, read by `ws`.

interface WsReceiver extends EventEmitter {
  /** Set by a close frame: nothing more may be written. */
  readonly writableEnded: boolean
  write(chunk: Uint8Array): boolean
}
type WsReceiverClass = new (options: { readonly isServer: boolean; readonly maxPayload: number }) => WsReceiver
const { Receiver } = createRequire(import.meta.url)("ws") as { readonly Receiver: WsReceiverClass }

interface Verdict {
  readonly events: ReadonlyArray<string>
  /** Close code of the first error. */
  readonly code: number | undefined
  /** Our reason for it. */
  readonly reason?: string | undefined
}

const byWs = async (pieces: ReadonlyArray<Uint8Array>, role: Role): Promise<Verdict> => {
  const events: Array<string> = []
  let code: number | undefined
  const receiver = new Receiver({ isServer: role === "server", maxPayload: maxMessageSize })
  receiver.on("message", (data: Buffer, isBinary: boolean) =>
    events.push(isBinary ? `binary ${data.toString("hex")}` : `text ${data.toString()}`)
  )
  receiver.on("ping", (data: Buffer) => events.push(`ping ${data.toString("hex")}`))
  receiver.on("pong", (data: Buffer) => events.push(`pong ${data.toString("hex")}`))
  receiver.on("conclude", (code: number, reason: Buffer) => events.push(`close ${code} ${reason.toString()}`))
  const failed = new Promise<void>((resolve) => {
    receiver.on("error", (error: Error & Record<symbol, number>) => {
      const status = Object.getOwnPropertySymbols(error).find(({ description }) => description === "status-code")
      assert.isDefined(status)
      code = error[status ?? Symbol.iterator]
      resolve()
    })
  })
  for (const piece of pieces) if (!receiver.writableEnded) receiver.write(Buffer.from(piece))
  await Promise.race([failed, new Promise((resolve) => setImmediate(resolve))])
  return { events, code }
}

const byUs = (pieces: ReadonlyArray<Uint8Array>, role: Role, minimalLength: boolean): Verdict => {
  const events: Array<string> = []
  let assembled: { readonly opcode: number; readonly parts: Array<Buffer> } | undefined
  const message = (opcode: number, bytes: Buffer): Violation.Violation | undefined => {
    if (opcode === Opcode.text && !isUtf8(bytes)) return Violation.invalidUtf8
    events.push(opcode === Opcode.text ? `text ${bytes.toString()}` : `binary ${bytes.toString("hex")}`)
    return undefined
  }
  const sink: FrameSink = {
    message: (opcode, _rsv, bytes, start, end) => message(opcode, bytes.subarray(start, end)),
    fragment: (opcode, fin, _rsv, bytes, start, end) => {
      assembled ??= { opcode, parts: [] }
      assembled.parts.push(Buffer.from(bytes.subarray(start, end)))
      if (!fin) return undefined
      const whole = assembled
      assembled = undefined
      return message(whole.opcode, Buffer.concat(whole.parts))
    },
    control: (opcode, bytes, start, end) => {
      if (opcode !== Opcode.close) {
        events.push(`${opcode === Opcode.ping ? "ping" : "pong"} ${bytes.toString("hex", start, end)}`)
        return undefined
      }
      const code = end > start ? bytes.readUInt16BE(start) : 1005
      events.push(`close ${code} ${bytes.toString("utf8", Math.min(start + 2, end), end)}`)
      decoder.suspend()
      return undefined
    }
  }
  const decoder = hybi.decoder(sink, { role, maxMessageSize, allowedRsv: 0, minimalLength })
  for (const piece of pieces) decoder.feed(Buffer.from(piece))
  return { events, code: decoder.violation?.closeCode, reason: decoder.violation?._tag }
}

/**
 * What is different on purpose: text is refused at the first byte that nothing could make valid, and whatever ws sees
 * behind that byte is another matter: it looks at a whole message. Lengths that aren't in their shortest form, and those
 * of 2^63 and more, are refused with 1002; ws takes the first, and answers the second with 1009. `minimalLength: false`
 * does as ws does.
 */
const compare = (ours: Verdict, theirs: Verdict): void => {
  if (ours.reason !== "InvalidUtf8") {
    assert.deepStrictEqual({ events: ours.events, code: ours.code }, { events: theirs.events, code: theirs.code })
    return
  }
  assert.deepStrictEqual(theirs.events.slice(0, ours.events.length), ours.events)
  const later = theirs.events.slice(ours.events.length)
  assert.isFalse(
    later.some((event) => event.startsWith("text") || event.startsWith("binary")),
    later.join()
  )
}

describe("frames, read by ws too", () => {
  it.live("the same bytes give the same messages, and the same close code", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(hostile, async (given) => {
          const pieces = cutAt(bytesOf(given), given.cuts)
          compare(byUs(pieces, given.role, false), await byWs(pieces, given.role))
        }),
        { numRuns: 1500 }
      )
    )
  )

  it.live("strict lengths differ in nothing else", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(hostile, async (given) => {
          const pieces = cutAt(bytesOf(given), given.cuts)
          const strict = byUs(pieces, given.role, true)
          if (strict.reason === "NonMinimalLength" || strict.reason === "InvalidLength") return
          compare(strict, await byWs(pieces, given.role))
        }),
        { numRuns: 500 }
      )
    )
  )

  it.live("frames that may be sent are messages to both", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(frames, role, key, async (frames, role, key) => {
          const mask = role === "server" ? key : false
          const small = frames.filter(({ payload }) => payload.length < 60)
          const pieces = [Buffer.concat(small.map((frame) => Frame.encode(frame, { mask })))]
          compare(byUs(pieces, role, true), await byWs(pieces, role))
        }),
        { numRuns: 200 }
      )
    )
  )
})
