import { assert, describe, it } from "@effect/vitest"
import { isUtf8 } from "node:buffer"
import * as fc from "fast-check"
import type { Decoder, DecoderOptions, FrameSink } from "../src/internal/protocol/codec.ts"
import { hixie76 } from "../src/internal/protocol/hixie/codec.ts"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { OutputBuffer, referenceSize, slabSize } from "../src/internal/protocol/outputBuffer.ts"
import * as Violation from "../src/internal/protocol/protocolError.ts"

const maxMessageSize = 1024

/** Writes down what a decoder finds, and validates text as every sink has to. */
class Recorder implements FrameSink {
  readonly events: Array<string> = []
  /** Called after each event. */
  afterEvent: (() => void) | undefined = undefined

  message(opcode: number, rsv: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    assert.strictEqual(opcode, Opcode.text)
    assert.strictEqual(rsv, 0)
    if (!isUtf8(bytes.subarray(start, end))) return Violation.invalidUtf8
    this.events.push(`text ${bytes.toString("utf8", start, end)}`)
    this.afterEvent?.()
    return undefined
  }

  fragment(): undefined {
    assert.fail("Hixie-76 has no fragments")
  }

  control(opcode: number, _bytes: Buffer, start: number, end: number): undefined {
    assert.strictEqual(opcode, Opcode.close)
    assert.strictEqual(end, start)
    this.events.push("close")
    this.afterEvent?.()
  }
}

const setup = (options?: Partial<DecoderOptions>): { readonly sink: Recorder; readonly decoder: Decoder } => {
  const sink = new Recorder()
  const decoder = hixie76.decoder(sink, { role: "server", maxMessageSize, allowedRsv: 0, ...options })
  return { sink, decoder }
}

interface Outcome {
  readonly events: ReadonlyArray<string>
  readonly violation: Violation.Violation | undefined
  readonly partial: boolean
}

/** Feeds copies of the pieces, one after the other. */
const decode = (pieces: ReadonlyArray<Uint8Array>, options?: Partial<DecoderOptions>): Outcome => {
  const { sink, decoder } = setup(options)
  for (const piece of pieces) decoder.feed(Buffer.from(piece))
  return { events: sink.events, violation: decoder.violation, partial: decoder.partial }
}

const single = (bytes: Uint8Array): Array<Uint8Array> => Array.from(bytes, (byte) => Uint8Array.of(byte))

/** Checks the bytes whole, and one by one. */
const check = (
  bytes: Uint8Array,
  expected: { readonly events?: ReadonlyArray<string>; readonly violation?: string; readonly partial?: boolean },
  options?: Partial<DecoderOptions>
): void => {
  for (const pieces of [[bytes], single(bytes)]) {
    const { events, violation, partial } = decode(pieces, options)
    assert.deepStrictEqual(events, expected.events ?? [])
    assert.strictEqual(violation?._tag, expected.violation)
    if (violation === undefined) assert.strictEqual(partial, expected.partial ?? false)
  }
}

const bytes = (...parts: ReadonlyArray<number | string | Uint8Array>): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part))))

const closing = Buffer.of(0xff, 0x00)

describe("Hixie-76 decoder", () => {
  it("reads text between 00 and FF", () => {
    check(bytes(0x00, "hello", 0xff), { events: ["text hello"] })
    check(bytes(0x00, 0xff), { events: ["text "] })
    check(bytes(0x00, "Grüße, 世界 🌍", 0xff, 0x00, "\u0000", 0xff), { events: ["text Grüße, 世界 🌍", "text \u0000"] })
  })

  it("hands whole text on where it stands, and cut text in a buffer of its own", () => {
    const whole: Array<Buffer> = []
    const sink: FrameSink = {
      message: (_opcode, _rsv, payload) => void whole.push(payload),
      fragment: () => undefined,
      control: () => undefined
    }
    const decoder = hixie76.decoder(sink, { role: "server", maxMessageSize, allowedRsv: 0 })
    const chunk = bytes(0x00, "one", 0xff, 0x00, "tw")
    decoder.feed(chunk)
    decoder.feed(bytes("o", 0xff))
    assert.strictEqual(whole[0], chunk)
    assert.notStrictEqual(whole[1]?.buffer, chunk.buffer)
    assert.strictEqual(whole[1]?.toString(), "two")
  })

  it("reads the closing frame, cut anywhere (§6.1 of the old defects)", () => {
    check(closing, { events: ["close"] })
    check(bytes(0x00, "bye", 0xff, closing), { events: ["text bye", "close"] })
    assert.deepStrictEqual(decode([Buffer.of(0xff)]), { events: [], violation: undefined, partial: true })
    // A length of zero may be written with more than one digit.
    check(bytes(0xff, 0x80, 0x00), { events: ["close"] })
  })

  it("takes an empty chunk for nothing", () => {
    const empty = new Uint8Array(0)
    assert.deepStrictEqual(decode([empty, Buffer.of(0xff), empty, Buffer.of(0x00), empty]).events, ["close"])
    assert.deepStrictEqual(decode([empty]), { events: [], violation: undefined, partial: false })
  })

  it("discards frames with a length, and goes on behind them, however they are cut", () => {
    const payload = Buffer.alloc(300, 0xff)
    check(bytes(0x80, 0x82, 0x2c, payload, 0x00, "after", 0xff), { events: ["text after"] })
    check(bytes(0x80, 0x03, "abc", 0xfe, 0x00, 0xff, 0x02, 0x00, 0xff, closing), { events: ["close"] })
    check(bytes(0x80, 0x82), { partial: true })
    check(bytes(0x80, 0x82, 0x2c, payload.subarray(1)), { partial: true })
  })

  it("discards the types 01 to 7F up to their FF", () => {
    for (const type of [0x01, 0x02, 0x41, 0x7f]) {
      check(bytes(type, 0x00, "not text", 0x80, 0xc0, 0xff, 0x00, "text", 0xff), { events: ["text text"] })
      check(bytes(type, "open"), { partial: true })
    }
  })

  it("refuses text that is not UTF-8, at the first byte that shows it", () => {
    check(bytes(0x00, 0xc0), { violation: "InvalidUtf8" })
    for (const bad of [[0x80], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90], [0xe2, 0x82, 0x28]]) {
      const { violation } = decode(single(bytes(0x00, "text", Buffer.from(bad))))
      assert.deepStrictEqual(violation, Violation.invalidUtf8)
      check(bytes(0x00, "text", Buffer.from(bad), 0xff), { violation: "InvalidUtf8" })
    }
    // A character that the terminator cuts.
    check(bytes(0x00, 0xe2, 0x82, 0xff), { violation: "InvalidUtf8" })
  })

  it("leaves text unchecked when asked", () => {
    const { violation } = decode([bytes(0x00, 0x80)], { skipUtf8Validation: true })
    assert.isUndefined(violation)
  })

  it("does nothing more after a violation", () => {
    const { sink, decoder } = setup()
    const violation = decoder.feed(bytes(0x00, "fine", 0xff, 0x00, 0x80, 0xff, 0x00, "late", 0xff))
    assert.deepStrictEqual(violation, Violation.invalidUtf8)
    assert.strictEqual(decoder.feed(bytes(0x00, "later", 0xff)), violation)
    decoder.suspend()
    assert.strictEqual(decoder.feed(bytes(0x00, "later", 0xff)), violation)
    assert.strictEqual(decoder.resume(), violation)
    assert.deepStrictEqual(sink.events, ["text fine"])
  })
})

const text = (size: number): Buffer => bytes(0x00, "x".repeat(size), 0xff)

describe("Hixie-76 limits", () => {
  it("takes text of the limit, and not one byte more", () => {
    check(text(maxMessageSize), { events: [`text ${"x".repeat(maxMessageSize)}`] })
    check(text(maxMessageSize + 1), { violation: "MessageTooLarge" })
    // Without its end too: the byte beyond the limit is enough.
    check(text(maxMessageSize + 1).subarray(0, maxMessageSize + 1), { partial: true })
    check(text(maxMessageSize + 1).subarray(0, maxMessageSize + 2), { violation: "MessageTooLarge" })
    check(text(0), { events: ["text "] }, { maxMessageSize: 0 })
    check(text(1), { violation: "MessageTooLarge" }, { maxMessageSize: 0 })
  })

  it("bounds a discarded type without a length", () => {
    check(bytes(0x01, "x".repeat(maxMessageSize), 0xff, closing), { events: ["close"] })
    check(bytes(0x01, "x".repeat(maxMessageSize + 1)), { violation: "MessageTooLarge" })
  })

  it("says bad text before the limit, when the bad byte comes first", () => {
    check(bytes(0x00, 0x80, "x".repeat(maxMessageSize)), { violation: "InvalidUtf8" })
    check(bytes(0x00, "x".repeat(maxMessageSize - 1), 0x80, 0x80), { violation: "InvalidUtf8" })
    check(bytes(0x00, "x".repeat(maxMessageSize), 0x80), { violation: "MessageTooLarge" })
  })

  it("checks a length while it is read", () => {
    check(bytes(0x80, 0x88, 0x00, Buffer.alloc(1024), closing), { events: ["close"] })
    check(bytes(0x80, 0x88, 0x01), { violation: "MessageTooLarge" })
    // 2^31, 2^32, 2^53, 2^63 and beyond: the digits end the connection before they are all there.
    for (const exponent of [31, 32, 53, 63, 64, 700]) {
      const digits = Math.floor(exponent / 7)
      const length = bytes(0x80 | (1 << (exponent % 7)), Buffer.alloc(digits - 1, 0x80), 0x00)
      check(bytes(0x80, length), { violation: "MessageTooLarge" })
      check(bytes(0x80, length.subarray(0, 3)), { violation: "MessageTooLarge" })
    }
  })

  it("keeps a length exact up to the largest limit", () => {
    const { decoder } = setup({ maxMessageSize: Number.MAX_SAFE_INTEGER })
    assert.isUndefined(decoder.feed(bytes(0x80, Buffer.alloc(6, 0xff), 0x7f)))
    assert.isTrue(decoder.partial)
  })

  it("ends a run of digits (CVE-2026-54466)", () => {
    check(bytes(0x80, Buffer.alloc(6, 0x80), 0x00, closing), { events: ["close"] })
    check(bytes(0x80, Buffer.alloc(7, 0x80), 0x00), { violation: "MalformedFrame" })
    check(bytes(0x80, Buffer.alloc(100_000, 0x80)), { violation: "MalformedFrame" })
    check(bytes(0x80, Buffer.alloc(7, 0xff)), { violation: "MalformedFrame" }, { maxMessageSize: Infinity })
    assert.include(decode([bytes(0x80, Buffer.alloc(8, 0x80))]).violation?.section, "hixie-thewebsocketprotocol-76")
  })
})

describe("Hixie-76 decoder, paced", () => {
  it("stops after the frame under way and goes on where it stopped", () => {
    const { sink, decoder } = setup()
    sink.afterEvent = () => decoder.suspend()
    decoder.feed(bytes(0x00, "a", 0xff, 0x00, "b", 0xff, 0x00))
    assert.deepStrictEqual(sink.events, ["text a"])
    assert.isTrue(decoder.suspended)
    decoder.feed(bytes("c", 0xff, closing))
    assert.deepStrictEqual(sink.events, ["text a"])
    for (const expected of ["text b", "text c", "close"]) {
      decoder.resume()
      assert.strictEqual(sink.events.at(-1), expected)
    }
    assert.strictEqual(sink.events.length, 4)
  })

  it("keeps the order when it is resumed, or fed, from inside a sink", () => {
    const { sink, decoder } = setup()
    decoder.suspend()
    decoder.feed(bytes(0x00, "a", 0xff, 0x00, "b", 0xff))
    decoder.feed(bytes(0x00, "c", 0xff))
    sink.afterEvent = () => {
      decoder.suspend()
      if (sink.events.length === 1) decoder.feed(bytes(0x00, "d", 0xff))
      decoder.resume()
    }
    decoder.resume()
    assert.deepStrictEqual(sink.events, ["text a", "text b", "text c", "text d"])
    assert.isFalse(decoder.suspended)
  })
})

// Streams of frames, good and bad, with long runs rare.
const anyPart = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => bytes(0x00, text, 0xff)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((raw) => bytes(0x00, raw, 0xff)) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 60 }).map((raw) => bytes(0x80, raw.length, raw)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 0x7f }), fc.uint8Array({ max: 0xfe, maxLength: 60 }))
      .map(([type, raw]) => bytes(type, raw, 0xff))
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
  { weight: 1, arbitrary: fc.constant(closing) }
)
const anyStream = fc.array(anyPart, { maxLength: 12 }).map((parts) => Buffer.concat(parts))

const cut = (stream: Uint8Array, cuts: ReadonlyArray<number>): Array<Uint8Array> => {
  const at = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b)
  return at.slice(1).map((end, index) => stream.subarray(at[index], end))
}

describe("Hixie-76 properties", () => {
  it("any cut of the bytes gives the same frames or the same violation", () => {
    fc.assert(
      fc.property(anyStream, fc.array(fc.nat(), { maxLength: 20 }), (stream, cuts) => {
        const options = { maxMessageSize: 50 }
        const whole = decode([stream], options)
        const inPieces = decode(cut(stream, cuts), options)
        assert.deepStrictEqual(inPieces.events, whole.events)
        assert.deepStrictEqual(inPieces.violation, whole.violation)
        if (whole.violation === undefined) assert.strictEqual(inPieces.partial, whole.partial)
        assert.deepStrictEqual(decode(single(stream), options).events, whole.events)
      }),
      { numRuns: 500 }
    )
  })

  it("suspending after each frame changes nothing", () => {
    fc.assert(
      fc.property(anyStream, fc.array(fc.nat(), { maxLength: 6 }), (stream, cuts) => {
        const { sink, decoder } = setup()
        sink.afterEvent = () => decoder.suspend()
        for (const piece of cut(stream, cuts)) decoder.feed(Buffer.from(piece))
        while (decoder.suspended) decoder.resume()
        const whole = decode([stream])
        assert.deepStrictEqual(sink.events, whole.events)
        assert.deepStrictEqual(decoder.violation, whole.violation)
      })
    )
  })

  it("what is encoded is decoded", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 100 })), (texts) => {
        const encoded = encode((out) => {
          for (const text of texts) hixie76.encoder("client").text(out, Opcode.text, true, text)
        })
        const { events, violation } = decode([encoded])
        assert.isUndefined(violation)
        assert.deepStrictEqual(
          events,
          texts.map((text) => `text ${text}`)
        )
      })
    )
  })
})

/** All that was written to an output, as one. */
const encode = (write: (out: OutputBuffer) => void): Buffer => {
  const out = new OutputBuffer()
  const written: Array<Uint8Array> = []
  write(out)
  out.flush({
    buffered: 0,
    write: (piece) => {
      written.push(Uint8Array.from(piece))
      return true
    },
    writeAll: (pieces) => {
      for (const piece of pieces) written.push(Uint8Array.from(piece))
      return true
    }
  })
  return Buffer.concat(written)
}

describe("Hixie-76 encoder", () => {
  const encoder = hixie76.encoder("server")

  it("writes text between 00 and FF, in both roles", () => {
    for (const role of ["client", "server"] as const) {
      const encoded = encode((out) => hixie76.encoder(role).text(out, Opcode.text, true, "Grüße"))
      assert.deepStrictEqual(encoded, bytes(0x00, "Grüße", 0xff))
    }
    assert.deepStrictEqual(
      encode((out) => encoder.text(out, Opcode.text, true, "")),
      Buffer.of(0x00, 0xff)
    )
  })

  it("writes a lone surrogate as U+FFFD", () => {
    assert.deepStrictEqual(
      encode((out) => encoder.text(out, Opcode.text, true, "\ud800")),
      bytes(0x00, "\ufffd", 0xff)
    )
  })

  it("writes text of every size", () => {
    for (const size of [16 * 1024 - 1, 16 * 1024, slabSize - 2, slabSize - 1, slabSize, 3 * slabSize]) {
      for (const character of ["x", "世"]) {
        const text = character.repeat(size)
        const expected = bytes(0x00, text, 0xff)
        assert.isTrue(encode((out) => encoder.text(out, Opcode.text, true, text)).equals(expected), `${size}`)
      }
    }
  })

  it("writes UTF-8 bytes as text, by reference from the reference size on", () => {
    for (const size of [0, 5, referenceSize - 1, referenceSize, referenceSize + 1, 2 * slabSize]) {
      const payload = Buffer.alloc(size, "y")
      const encoded = encode((out) => {
        encoder.frame(out, Opcode.text, true, 0, payload)
        encoder.text(out, Opcode.text, true, "next")
      })
      assert.isTrue(encoded.equals(bytes(0x00, payload, 0xff, 0x00, "next", 0xff)), `${size}`)
    }
  })

  it("writes the closing frame without a code", () => {
    assert.deepStrictEqual(
      encode((out) => encoder.close(out, Buffer.of(0x03, 0xe8))),
      closing
    )
  })

  it("throws for what the draft can't say, and writes nothing", () => {
    const payload = Buffer.from("payload")
    const attempts: ReadonlyArray<(out: OutputBuffer) => void> = [
      (out) => encoder.frame(out, Opcode.binary, true, 0, payload),
      (out) => encoder.frame(out, Opcode.ping, true, 0, payload),
      (out) => encoder.frame(out, Opcode.pong, true, 0, payload),
      (out) => encoder.frame(out, Opcode.close, true, 0, payload),
      (out) => encoder.frame(out, Opcode.text, false, 0, payload),
      (out) => encoder.frame(out, Opcode.text, true, 4, payload),
      (out) => encoder.frame(out, Opcode.continuation, true, 0, payload),
      (out) => encoder.text(out, Opcode.text, false, "text"),
      (out) => encoder.text(out, Opcode.continuation, true, "text"),
      // The rest would be read as frames of its own.
      (out) => encoder.frame(out, Opcode.text, true, 0, bytes("text", 0xff, closing))
    ]
    for (const attempt of attempts) {
      const out = new OutputBuffer()
      assert.throws(() => attempt(out), TypeError)
      assert.strictEqual(out.size, 0)
    }
  })

  it("names what the draft can't say", () => {
    assert.deepStrictEqual(hixie76.capabilities, {
      binary: false,
      ping: false,
      closeCode: false,
      fragments: false,
      masking: false,
      extensions: false
    })
  })
})
