// The receiver of `ws` and that of the `ws` face, on the same bytes: the same events, the same error.
import * as fc from "fast-check"
import type { EventEmitter } from "node:events"
import { createRequire } from "node:module"
import { constants, deflateRawSync } from "node:zlib"
import { encodeFrame } from "../../src/internal/protocol/hybi/encoder.ts"
import { PerMessageDeflate as OurDeflate } from "../../src/ws/PerMessageDeflate.ts"
import { Receiver as OurReceiver } from "../../src/ws/Receiver.ts"
import { cutAt, cuts, frameBytes } from "./arbitraries.ts"
import { frameSeeds } from "./seeds.ts"
import { expectSame, type Target } from "./target.ts"

interface Receiver extends EventEmitter {
  readonly writableEnded: boolean
  write(chunk: Uint8Array, done: () => void): boolean
}

interface Options {
  readonly isServer: boolean
  readonly maxPayload: number
  readonly maxFragments: number
  readonly skipUTF8Validation: boolean
  readonly extensions: { readonly [name: string]: unknown }
}

interface Deflate {
  accept(offers: ReadonlyArray<object>): object
}

interface Library {
  readonly Receiver: new (options: Options) => Receiver
  readonly PerMessageDeflate: new (options: { readonly isServer: boolean; readonly maxPayload: number }) => Deflate
}

const theirs = createRequire(import.meta.url)("ws") as Library
const ours = { Receiver: OurReceiver, PerMessageDeflate: OurDeflate } as unknown as Library

const hear = async (
  library: Library,
  pieces: ReadonlyArray<Buffer>,
  { compressed, ...options }: Omit<Options, "extensions"> & { readonly compressed: boolean }
): Promise<ReadonlyArray<string>> => {
  const deflate = new library.PerMessageDeflate({ isServer: options.isServer, maxPayload: options.maxPayload })
  // Without takeover: a compressed message of no bytes at all, which RFC 7692 §7.2.3.6 has written as one, leaves the window
  // of `ws` in the middle of a block, and everything after it reads differently.
  if (compressed) deflate.accept([{ server_no_context_takeover: [true], client_no_context_takeover: [true] }])
  const receiver = new library.Receiver({ ...options, extensions: compressed ? { "permessage-deflate": deflate } : {} })
  const told: Array<string> = []
  let failed = false
  receiver.on("message", (data: Buffer, isBinary: boolean) => told.push(`message ${isBinary} ${data.toString("hex")}`))
  receiver.on("ping", (data: Buffer) => told.push(`ping ${data.toString("hex")}`))
  receiver.on("pong", (data: Buffer) => told.push(`pong ${data.toString("hex")}`))
  receiver.on("conclude", (code: number, reason: Buffer) => told.push(`conclude ${code} ${reason.toString("hex")}`))
  const failure = new Promise<void>((resolve) => {
    receiver.on("error", (error: Error & { readonly code?: string }) => {
      failed = true
      // What zlib itself says of bad data isn't ours to repeat.
      const message = error.code?.startsWith("Z_") === true ? "" : error.message
      told.push(`error ${error.constructor.name} ${error.code} ${message}`)
      resolve()
    })
  })
  for (const piece of pieces) {
    if (failed || receiver.writableEnded) break
    await Promise.race([failure, new Promise<void>((resolve) => receiver.write(piece, resolve))])
  }
  await new Promise((resolve) => setImmediate(resolve))
  return told
}

/** Text that can't become UTF-8 any more is refused at once, where `ws` waits for the end of the message. */
const early = /WS_ERR_INVALID_UTF8/

/** `ws` inflates fragment by fragment, and so finds what is too large before the message ends. */
const late = /WS_ERR_UNSUPPORTED_MESSAGE_LENGTH/

const isMessage = (event: string): boolean => event.startsWith("message")

/** Whether two logs differ in nothing but when the error is found that ends them. */
const differInTime = (told: ReadonlyArray<string>, expected: ReadonlyArray<string>, compressed: boolean): boolean => {
  const same = told.findIndex((event, at) => event !== expected[at])
  const common = same < 0 ? told.length : same
  const [ourRest, theirRest] = [told.slice(common), expected.slice(common)]
  return (
    (ourRest.length === 1 && early.test(ourRest[0] ?? "") && !theirRest.some(isMessage)) ||
    (compressed && theirRest.length === 1 && late.test(theirRest[0] ?? "") && !ourRest.some(isMessage))
  )
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }).map((characters) => Buffer.from(characters)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 3000 }).map((size) => Buffer.alloc(size, "compressible "))
)

/** A message in one to four frames; compressed as a whole where it is. The deflate is always valid, the framing nearly. */
const message = (mask: boolean): fc.Arbitrary<Buffer> =>
  fc
    .record({
      payload: text,
      opcode: fc.constantFrom(1, 2),
      compressed: fc.boolean(),
      cuts: fc.array(fc.nat({ max: 9999 }), { maxLength: 3 }),
      ping: fc.boolean(),
      /** A reserved bit to turn over, now and then; another one would cut the deflate short. */
      spoilt: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(0x10, 0x20) })
    })
    .map(({ compressed, cuts, opcode, payload, ping, spoilt }) => {
      const whole = compressed
        ? deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
        : payload
      const pieces = cutAt(whole, cuts)
      const key = mask ? 0x3d21fa37 : undefined
      const frames = pieces.flatMap((piece, at) => {
        const rsv = compressed && at === 0 ? 4 : 0
        const frame = encodeFrame(at === 0 ? opcode : 0, at === pieces.length - 1, rsv, piece, key)
        return ping ? [frame, encodeFrame(9, true, 0, Buffer.from("ping"), key)] : [frame]
      })
      const bytes = Buffer.concat(frames)
      bytes[0] = (bytes[0] ?? 0) ^ spoilt
      return bytes
    })

const messages = (mask: boolean): fc.Arbitrary<Buffer> =>
  fc.array(message(mask), { maxLength: 4 }).map((all) => Buffer.concat(all))

/** With compression the deflate is valid: of what isn't, libraries find the fault at different places, and zlib is the judge. */
const property = (compressed: boolean) =>
  fc.asyncProperty(
    fc
      .boolean()
      .chain((isServer) =>
        fc.tuple(fc.constant(isServer), compressed ? messages(isServer) : frameBytes(frameSeeds, isServer))
      ),
    cuts,
    fc.record({
      maxPayload: fc.constantFrom(0, 125, 1000, 70_000),
      maxFragments: fc.constantFrom(0, 2, 100),
      skipUTF8Validation: fc.boolean()
    }),
    async ([isServer, bytes], cuts, options) => {
      // `ws` unmasks in place, as we do.
      const given = { isServer, compressed, ...options }
      const expected = await hear(theirs, [Buffer.from(bytes)], given)
      const told = await hear(ours, [Buffer.from(bytes)], given)
      if (!differInTime(told, expected, compressed)) expectSame(told, expected, "ws says otherwise")
      expectSame(await hear(ours, cutAt(bytes, cuts), given), told, "split")
    }
  )

export const targets: ReadonlyArray<Target> = [
  { name: "receiver-like-ws", property: property(false) },
  { name: "receiver-deflate-like-ws", property: property(true) }
]
