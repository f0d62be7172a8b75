/** permessage-deflate (RFC 7692) as the driver speaks it, on Node's public zlib alone. */
import { constants, deflateRawSync, inflateRawSync } from "node:zlib"
import type { DeflateAsk } from "./case.ts"

/** What holds for one direction. */
export interface Direction {
  readonly noContextTakeover: boolean
  readonly windowBits: number
}

export interface Agreement {
  /** The driver's compressor. */
  readonly own: Direction
  /** The peer's compressor. */
  readonly peer: Direction
}

type Parameters = ReadonlyMap<string, string | true>

interface Extension {
  readonly name: string
  readonly parameters: Parameters
}

const parse = (header: string): ReadonlyArray<Extension> =>
  header
    .split(",")
    .filter((element) => element.trim() !== "")
    .map((element) => {
      const [name = "", ...rest] = element.split(";").map((part) => part.trim())
      const parameters = new Map<string, string | true>()
      for (const part of rest) {
        const [key = "", value] = part.split("=").map((side) => side.trim())
        if (parameters.has(key)) throw new Error(`${key} stands twice in ${element.trim()}`)
        parameters.set(key, value === undefined ? true : value.replaceAll('"', ""))
      }
      return { name, parameters }
    })

const names = {
  serverTakeover: "server_no_context_takeover",
  clientTakeover: "client_no_context_takeover",
  serverBits: "server_max_window_bits",
  clientBits: "client_max_window_bits"
} as const

const known: ReadonlySet<string> = new Set(Object.values(names))

/** Window bits of a parameter: 15 where it is absent, or has no value. */
const bitsOf = (parameters: Parameters, name: string): number => {
  const value = parameters.get(name)
  if (value === undefined || value === true) return 15
  if (!/^(8|9|1[0-5])$/.test(value)) throw new Error(`${name}=${value} is out of range`)
  return Number(value)
}

const check = (parameters: Parameters): void => {
  for (const [name, value] of parameters) {
    if (!known.has(name)) throw new Error(`An unknown parameter: ${name}`)
    if ((name === names.serverTakeover || name === names.clientTakeover) && value !== true) {
      throw new Error(`${name} has a value: ${value}`)
    }
  }
}

const format = (parameters: ReadonlyArray<string>): string => ["permessage-deflate", ...parameters].join("; ")

/** The driver's offer as client. It can do without context and with any window itself, and says so. */
export const offer = (asks: ReadonlyArray<DeflateAsk>): string =>
  asks
    .map((ask) =>
      format([
        names.clientTakeover,
        names.clientBits,
        ...(ask.noContextTakeover ? [names.serverTakeover] : []),
        ...(ask.maxWindowBits === undefined ? [] : [`${names.serverBits}=${ask.maxWindowBits}`])
      ])
    )
    .join(", ")

/**
 * What a server's answer means, `undefined` if it declined. Throws where the answer fits none of the offers
 * (RFC 7692 §7.1).
 */
export const agreeAsClient = (asks: ReadonlyArray<DeflateAsk>, answer: string | undefined): Agreement | undefined => {
  if (answer === undefined) return undefined
  const [extension, ...more] = parse(answer)
  if (extension === undefined) return undefined
  if (extension.name !== "permessage-deflate" || more.length > 0 || asks.length === 0) {
    throw new Error(`The server answered with an extension that was not offered: ${answer}`)
  }
  const { parameters } = extension
  check(parameters)
  if (parameters.get(names.serverBits) === true || parameters.get(names.clientBits) === true) {
    throw new Error(`Window bits without a value: ${answer}`)
  }
  const peer = {
    noContextTakeover: parameters.has(names.serverTakeover),
    windowBits: bitsOf(parameters, names.serverBits)
  }
  const fits = asks.some(
    (ask) => (peer.noContextTakeover || !ask.noContextTakeover) && peer.windowBits <= (ask.maxWindowBits ?? 15)
  )
  if (!fits) throw new Error(`The server's answer fits no offer: ${answer}`)
  return {
    own: {
      noContextTakeover: parameters.has(names.clientTakeover),
      windowBits: bitsOf(parameters, names.clientBits)
    },
    peer
  }
}

/** The driver's answer as server: the first ask that one of the client's offers can bear. */
export const agreeAsServer = (
  asks: ReadonlyArray<DeflateAsk>,
  offered: string | undefined
): { readonly agreement: Agreement; readonly answer: string } | undefined => {
  const offers = parse(offered ?? "").filter((extension) => extension.name === "permessage-deflate")
  for (const { parameters } of offers) {
    check(parameters)
    if (parameters.get(names.serverBits) === true) throw new Error(`${names.serverBits} without a value`)
  }
  for (const ask of asks) {
    for (const { parameters } of offers) {
      if (ask.maxWindowBits !== undefined && !parameters.has(names.clientBits)) continue
      const own = {
        noContextTakeover: parameters.has(names.serverTakeover),
        windowBits: bitsOf(parameters, names.serverBits)
      }
      const windowBits = Math.min(ask.maxWindowBits ?? 15, bitsOf(parameters, names.clientBits))
      return {
        agreement: { own, peer: { noContextTakeover: ask.noContextTakeover, windowBits } },
        answer: format([
          ...(own.noContextTakeover ? [names.serverTakeover] : []),
          ...(parameters.has(names.serverBits) ? [`${names.serverBits}=${own.windowBits}`] : []),
          ...(ask.noContextTakeover ? [names.clientTakeover] : []),
          ...(windowBits < 15 || ask.maxWindowBits !== undefined ? [`${names.clientBits}=${windowBits}`] : [])
        ])
      }
    }
  }
  return undefined
}

const tail = Buffer.of(0x00, 0x00, 0xff, 0xff)

/** Longest message that the driver inflates. */
const maxOutputLength = 64 * 1024 * 1024

/**
 * The plain text that a compressor may still point back into. Handed to zlib as a preset dictionary it does what a
 * context that is kept does, so that each message can be worked on by itself.
 */
class History {
  private bytes: Buffer = Buffer.alloc(0)
  private readonly direction: Direction

  constructor(direction: Direction) {
    this.direction = direction
  }

  get dictionary(): Buffer | undefined {
    return this.bytes.length === 0 ? undefined : this.bytes
  }

  add(plain: Buffer): void {
    if (this.direction.noContextTakeover) return
    const window = 2 ** this.direction.windowBits
    const all = plain.length >= window ? plain : Buffer.concat([this.bytes, plain])
    this.bytes = Buffer.from(all.subarray(Math.max(0, all.length - window)))
  }
}

export class Compressor {
  private readonly direction: Direction
  private readonly history: History

  constructor(direction: Direction) {
    this.direction = direction
    this.history = new History(direction)
  }

  /** RFC 7692 §7.2.1. */
  compress(plain: Buffer): Buffer {
    const { dictionary } = this.history
    const bytes = deflateRawSync(plain, {
      finishFlush: constants.Z_SYNC_FLUSH,
      windowBits: this.direction.windowBits,
      level: constants.Z_BEST_SPEED,
      ...(dictionary === undefined ? {} : { dictionary })
    })
    this.history.add(plain)
    return bytes.subarray(0, bytes.length - tail.length)
  }
}

export class Decompressor {
  private readonly direction: Direction
  private readonly history: History

  constructor(direction: Direction) {
    this.direction = direction
    this.history = new History(direction)
  }

  /** RFC 7692 §7.2.2. Throws where the bytes are no deflate data, or point back further than was agreed. */
  decompress(bytes: Buffer): Buffer {
    const { dictionary } = this.history
    const plain = inflateRawSync(Buffer.concat([bytes, tail]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      windowBits: this.direction.windowBits,
      // zlib looks into its window only beyond the piece of output at hand, so that a small window needs small pieces.
      chunkSize: this.direction.windowBits < 15 ? 64 : 16_384,
      maxOutputLength,
      ...(dictionary === undefined ? {} : { dictionary })
    })
    this.history.add(plain)
    return plain
  }
}
