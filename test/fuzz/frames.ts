// The frame parser and the Hixie codec: one verdict whatever the split, and what is accepted encodes to itself.
import { isUtf8 } from "node:buffer"
import { hash } from "node:crypto"
import * as fc from "fast-check"
import { MessageAssembler } from "../../src/internal/protocol/messageAssembler.ts"
import type { Codec, DecoderOptions, FrameSink } from "../../src/internal/protocol/codec.ts"
import { hixie76 } from "../../src/internal/protocol/hixie/codec.ts"
import { hybi } from "../../src/internal/protocol/hybi/codec.ts"
import { encodeFrame } from "../../src/internal/protocol/hybi/encoder.ts"
import { Opcode } from "../../src/internal/protocol/opcode.ts"
import { OutputBuffer } from "../../src/internal/protocol/outputBuffer.ts"
import type { Borrowed } from "../../src/internal/protocol/codec.ts"
import * as Violation from "../../src/internal/protocol/protocolError.ts"
import { cutAt, cuts, frameBytes, mutated } from "./arbitraries.ts"
import { frameSeeds, hixieSeeds } from "./seeds.ts"
import { expect, expectSame, type Target } from "./target.ts"

interface Found {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly payload: Buffer
}

interface Reading {
  readonly frames: ReadonlyArray<Found>
  readonly violation: string | undefined
  readonly partial: boolean
}

interface Way {
  /** The consumer has enough after each frame, and goes on then. */
  readonly suspends?: boolean
  /** The pieces are borrowed: their memory is written to again after each, or once something in it was told. */
  readonly borrowed?: Borrowed | undefined
  /** The fragments of a message are gathered side by side. */
  readonly gathers?: boolean
}

const read = (
  codec: Codec,
  pieces: ReadonlyArray<Buffer>,
  options: DecoderOptions,
  { gathers = false, borrowed, suspends = false }: Way = {}
): Reading => {
  const frames: Array<Found> = []
  let fed: Buffer = Buffer.alloc(0)
  const note = (opcode: number, fin: boolean, rsv: number, bytes: Buffer, start: number, end: number) => {
    // As it stands: nobody may write to it any more.
    const payload = bytes.subarray(start, end)
    if (borrowed === "delivery") fed.fill(0xee)
    if (suspends) decoder.suspend()
    if (opcode === Opcode.text && fin && rsv === 0 && options.skipUtf8Validation !== true && !isUtf8(payload)) {
      return Violation.invalidUtf8
    }
    frames.push({ opcode, fin, rsv, payload })
    return undefined
  }
  let assembler: MessageAssembler | undefined
  const gather = (opcode: number, rsv: number, length: number): MessageAssembler =>
    (assembler ??= new MessageAssembler(opcode, rsv, length))
  const sink: FrameSink = {
    ...(gathers ? { gather } : {}),
    message: (opcode, rsv, bytes, start, end) => note(opcode, true, rsv, bytes, start, end),
    fragment: (opcode, fin, rsv, bytes, start, end) => {
      if (gathers) gather(opcode, rsv, end - start).append(bytes, start, end)
      if (fin) assembler = undefined
      return note(opcode, fin, opcode === Opcode.text && fin ? 1 : rsv, bytes, start, end)
    },
    control: (opcode, bytes, start, end) => note(opcode, true, 0, bytes, start, end)
  }
  const decoder = codec.decoder(sink, options)
  for (const piece of pieces) {
    fed = piece
    decoder.feed(piece, borrowed)
    if (borrowed !== undefined) piece.fill(0xee)
    while (decoder.suspended) decoder.resume()
  }
  return {
    frames,
    violation: decoder.violation === undefined ? undefined : `${decoder.violation._tag} ${decoder.violation.message}`,
    partial: decoder.partial
  }
}

/** Bytes as they are compared. */
const digest = (bytes: Buffer): string =>
  bytes.length < 200 ? bytes.toString("hex") : `${bytes.length} ${hash("md5", bytes)}`

const shown = ({ frames, partial, violation }: Reading): unknown => ({
  frames: frames.map(({ fin, opcode, payload, rsv }) => [opcode, fin, rsv, digest(payload)]),
  violation,
  // After a violation nothing is said about the rest.
  partial: violation === undefined ? partial : undefined
})

const limits = fc.constantFrom(0, 1, 125, 126, 1000, 70_000, 2 ** 40)

/** Holds the frame parser to its invariants. */
export const checkHybi = (bytes: Buffer, cuts: ReadonlyArray<number>, options: DecoderOptions): void => {
  const whole = read(hybi, [Buffer.from(bytes)], options)
  expectSame(shown(read(hybi, cutAt(bytes, cuts), options)), shown(whole), "split")
  expectSame(
    shown(read(hybi, cutAt(bytes, cuts), options, { suspends: true })),
    shown(whole),
    "suspended at each frame"
  )
  expectSame(shown(read(hybi, cutAt(bytes, cuts), options, { borrowed: "call" })), shown(whole), "borrowed")
  const both: Way = { borrowed: "call", suspends: true }
  expectSame(shown(read(hybi, cutAt(bytes, cuts), options, both)), shown(whole), "borrowed, suspended at each frame")
  for (const borrowed of [undefined, "call", "delivery"] as const) {
    for (const gathers of [true, false]) {
      const how = `borrowed: ${borrowed}, gathered: ${gathers}`
      expectSame(shown(read(hybi, cutAt(bytes, cuts), options, { gathers, borrowed })), shown(whole), how)
    }
  }
  if (bytes.length < 300) {
    const single = Array.from(bytes, (byte) => Buffer.from([byte]))
    expectSame(shown(read(hybi, single, options)), shown(whole), "byte by byte")
  }
  const size = whole.frames.reduce((sum, { payload }) => sum + payload.length, 0)
  expect(size <= bytes.length, () => `${size} bytes of payload out of ${bytes.length}`)
  if (whole.violation !== undefined || whole.partial || options.minimalLength === false) return
  expectSame(digest(reencoded(bytes, whole.frames, options.role === "server")), digest(bytes), "encoded again")
}

const hybiProperty = (role: "server" | "client") =>
  fc.property(
    frameBytes(frameSeeds, role === "server"),
    cuts,
    fc.record({
      role: fc.constant(role),
      maxMessageSize: limits,
      allowedRsv: fc.constantFrom(0, 4, 7),
      skipUtf8Validation: fc.boolean(),
      minimalLength: fc.boolean()
    }),
    checkHybi
  )

/** The frames, encoded again with the masking keys that stand in the bytes. */
const reencoded = (bytes: Buffer, frames: ReadonlyArray<Found>, mask: boolean): Buffer => {
  let at = 0
  const parts = frames.map(({ fin, opcode, payload, rsv }) => {
    const header = payload.length < 126 ? 2 : payload.length < 65_536 ? 4 : 10
    const key = mask ? bytes.readInt32LE(at + header) : undefined
    const frame = encodeFrame(opcode, fin, rsv, payload, key)
    at += frame.length
    return frame
  })
  return Buffer.concat(parts)
}

/** Holds the Hixie codec to its invariants. */
export const checkHixie = (bytes: Buffer, cuts: ReadonlyArray<number>, options: DecoderOptions): void => {
  const whole = read(hixie76, [Buffer.from(bytes)], options)
  expectSame(shown(read(hixie76, cutAt(bytes, cuts), options)), shown(whole), "split")
  expectSame(
    shown(read(hixie76, cutAt(bytes, cuts), options, { suspends: true })),
    shown(whole),
    "suspended at each frame"
  )
  expectSame(shown(read(hixie76, cutAt(bytes, cuts), options, { borrowed: "call" })), shown(whole), "borrowed")
  const both: Way = { borrowed: "call", suspends: true }
  expectSame(shown(read(hixie76, cutAt(bytes, cuts), options, both)), shown(whole), "borrowed, suspended at each frame")
  const single = Array.from(bytes, (byte) => Buffer.from([byte]))
  expectSame(shown(read(hixie76, single, options)), shown(whole), "byte by byte")
  if (whole.violation !== undefined || options.skipUtf8Validation) return
  // What the draft has discarded is gone; what was told encodes to itself.
  const written: Array<Buffer> = []
  const output = new OutputBuffer()
  const encoder = hixie76.encoder(options.role)
  for (const { opcode, payload } of whole.frames) {
    if (opcode === Opcode.close) encoder.close(output, payload)
    else encoder.text(output, Opcode.text, true, payload.toString())
  }
  output.flush({
    buffered: 0,
    write: (piece) => written.push(Buffer.from(piece)) > 0,
    writeAll: (pieces) => written.push(Buffer.concat(pieces)) > 0
  })
  const again = read(hixie76, [Buffer.concat(written)], { ...options, maxMessageSize: 2 ** 40 })
  expectSame(shown(again), shown({ ...whole, partial: false }), "encoded again")
}

const hixieProperty = fc.property(
  mutated(hixieSeeds),
  cuts,
  fc.record({
    role: fc.constantFrom("server" as const, "client" as const),
    maxMessageSize: limits,
    allowedRsv: fc.constant(0),
    skipUtf8Validation: fc.boolean()
  }),
  checkHixie
)

/** The first two bytes of an input are its options. */
const optionsOf = (bytes: Buffer): { readonly cuts: ReadonlyArray<number>; readonly options: DecoderOptions } => {
  const [first = 0, second = 0] = bytes
  return {
    cuts: [second * 39],
    options: {
      role: (first & 1) === 0 ? "server" : "client",
      maxMessageSize: [1, 125, 1000, 70_000][(first >> 1) & 3] ?? 0,
      allowedRsv: (first & 8) === 0 ? 0 : 4,
      skipUtf8Validation: (first & 16) !== 0,
      minimalLength: (first & 32) === 0
    }
  }
}

const withOptions = (seeds: ReadonlyArray<Buffer>): ReadonlyArray<Buffer> =>
  seeds.flatMap((seed) => [0x0e, 0x0f].map((options) => Buffer.concat([Buffer.from([options, 0x80]), seed])))

const guided = (
  seeds: ReadonlyArray<Buffer>,
  check: (bytes: Buffer, cuts: ReadonlyArray<number>, options: DecoderOptions) => void
) => ({
  seeds: withOptions(seeds),
  sources: /\/src\/internal\//,
  check: (bytes: Buffer): void => {
    const { cuts, options } = optionsOf(bytes)
    check(bytes.subarray(2), cuts, options)
  }
})

export const targets: ReadonlyArray<Target> = [
  { name: "frames-server", property: hybiProperty("server") },
  { name: "frames-client", property: hybiProperty("client") },
  { name: "hixie", property: hixieProperty },
  { name: "frames-guided", guided: guided(frameSeeds, checkHybi) },
  { name: "hixie-guided", guided: guided(hixieSeeds, checkHixie) }
]
