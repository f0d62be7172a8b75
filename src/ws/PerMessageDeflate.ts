import { types } from "node:util"
import type { ZlibOptions } from "node:zlib"
import { Deflate, type Settings, setLimits } from "../internal/deflate/deflate.ts"
import * as Negotiation from "../internal/protocol/opening/deflateParams.ts"
import { ws8 } from "../internal/protocol/opening/policy.ts"
import type { Param, Params } from "../internal/protocol/opening/extensions.ts"
import * as Violation from "../internal/protocol/protocolError.ts"
import { nothing } from "./internal/data.ts"
import { errorOf } from "./internal/errors.ts"

/**
 * Options of permessage-deflate (RFC 7692 §7.1), as servers and clients take them in `perMessageDeflate`.
 *
 * @category options
 * @since 0.1.0
 */
export interface PerMessageDeflateOptions {
  /**
   * The server forgets its window after each message. `true` asks for it; a server with `false` declines an offer that
   * demands it.
   */
  serverNoContextTakeover?: boolean | undefined
  /** The client forgets its window after each message. `true` asks for it; a client with `false` refuses a response that demands it. */
  clientNoContextTakeover?: boolean | undefined
  /** Base-two logarithm of the server's window, 8 to 15; a server with `false` declines an offer that limits it. */
  serverMaxWindowBits?: number | boolean | undefined
  /** Base-two logarithm of the client's window, 8 to 15. A client without it lets the server choose; with `false` it doesn't. */
  clientMaxWindowBits?: number | boolean | undefined
  /** Options of zlib for compressing: `level` and `memLevel` count. */
  zlibDeflateOptions?:
    | (Omit<ZlibOptions, "dictionary"> & { dictionary?: Buffer | Array<Buffer> | DataView | undefined })
    | undefined
  /** Options of zlib for decompressing: none of them counts. */
  zlibInflateOptions?: ZlibOptions | undefined
  /** Messages shorter than this many bytes are sent as they are, where the sender keeps no context. Default 1024. */
  threshold?: number | undefined
  /** Messages that are at work in zlib at a time, in the whole process. Default: the number of processors, at most 4. */
  concurrencyLimit?: number | undefined
}

/** Parameters as `extension.parse` gives them: each name with its values, `true` for none. */
export interface ParsedParams {
  [name: string]: Array<string | true>
}

/** Parameters that were agreed on. */
export interface DeflateParams {
  server_no_context_takeover?: true
  client_no_context_takeover?: true
  server_max_window_bits?: number
  /** `true` in an offer that leaves the number to the server. */
  client_max_window_bits?: number | true
}

/** The parameters of one offer or response, each value by itself. */
const flatten = (parsed: ParsedParams): Params =>
  Object.entries(parsed).flatMap(([name, values]) => values.map((value): Param => [name, value]))

const read = (params: Params, isServer: boolean): Negotiation.DeflateParams => {
  const read = Negotiation.readDeflateParams(params, isServer ? "offer" : "response", ws8.deflate)
  if (!("_tag" in read)) return read
  const { name, problem, value } = read
  if (problem === "twice") throw new Error(`Parameter "${name}" must have only a single value`)
  if (problem === "unknown") throw new Error(`Unknown parameter "${name}"`)
  throw new TypeError(`Invalid value for parameter "${name}": ${value}`)
}

const names = [
  "server_no_context_takeover",
  "client_no_context_takeover",
  "server_max_window_bits",
  "client_max_window_bits"
] as const

/** Writes one parameter, where it was agreed on. */
const writeParam = (written: DeflateParams, name: string, params: Negotiation.DeflateParams): void => {
  switch (name) {
    case "server_no_context_takeover":
      if (params.serverNoContextTakeover) written[name] = true
      break
    case "client_no_context_takeover":
      if (params.clientNoContextTakeover) written[name] = true
      break
    case "server_max_window_bits":
      if (params.serverMaxWindowBits !== undefined) written[name] = params.serverMaxWindowBits
      break
    case "client_max_window_bits":
      if (params.clientMaxWindowBits !== undefined) written[name] = params.clientMaxWindowBits
      break
  }
}

/** The parameters as `ws` has them: those that the peer sent first, in its order, in an object like the peer's. */
const write = (params: Negotiation.DeflateParams, first: Params, prototype: object | null): DeflateParams => {
  const written: DeflateParams = Object.create(prototype)
  for (const [name] of first) writeParam(written, name, params)
  for (const name of names) writeParam(written, name, params)
  return written
}

const termsOf = (options: PerMessageDeflateOptions, isServer: boolean): Negotiation.DeflateTerms => ({
  serverNoContextTakeover: takeoverOf(options.serverNoContextTakeover, isServer),
  clientNoContextTakeover: takeoverOf(options.clientNoContextTakeover, !isServer),
  serverMaxWindowBits: windowOf(options.serverMaxWindowBits),
  clientMaxWindowBits: windowOf(options.clientMaxWindowBits)
})

/** `false` refuses what the peer wants of our own side; of its side we don't care. */
const takeoverOf = (option: boolean | undefined, isOurs: boolean): boolean | undefined =>
  option === true || (option === false && isOurs) ? option : undefined

const windowOf = (option: number | boolean | undefined): number | false | undefined =>
  typeof option === "number" || option === false ? option : undefined

type Done = (error: Error | null, data?: Buffer) => void

const defaultThreshold = 1024

/** What each flush of the compressor ends in; it is left out of the last frame of a message (RFC 7692 §7.2.1). */
const flushTail = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

/**
 * permessage-deflate for one connection: the negotiation of its parameters, and compression by itself.
 *
 * @category classes
 * @since 0.1.0
 */
export class PerMessageDeflate {
  /** The registered name of the extension. */
  static get extensionName(): "permessage-deflate" {
    return Negotiation.deflateName
  }

  /** What was agreed on, after `accept`. */
  params: DeflateParams | null = null
  readonly _options: PerMessageDeflateOptions
  readonly _isServer: boolean
  /** Longest message in bytes, inflated; 0 for no limit. */
  readonly _maxPayload: number
  readonly #terms: Negotiation.DeflateTerms
  /** What `compress` and `decompress` work with, each by itself: one that fails is replaced. */
  #deflate: Deflate | undefined = undefined
  #inflate: Deflate | undefined = undefined
  /** Frames of a message under way that is being received. */
  #received: Array<Uint8Array> = []
  readonly #compressing: Array<{ readonly run: (job: Done) => void; readonly done: Done }> = []
  readonly #inflating: Array<{ readonly run: (job: Done) => void; readonly done: Done }> = []

  constructor(
    given?:
      | (PerMessageDeflateOptions & { readonly isServer?: boolean; readonly maxPayload?: number | undefined })
      | null
  ) {
    const options = given ?? {}
    this._options = options
    this._isServer = options.isServer === true
    this._maxPayload = (options.maxPayload ?? 0) | 0
    this.#terms = termsOf(options, this._isServer)
    if (options.concurrencyLimit !== undefined) setLimits({ concurrency: Math.max(1, options.concurrencyLimit) })
  }

  /** Client: the parameters to offer. */
  offer(): DeflateParams {
    return write(Negotiation.offerDeflate(this.#terms), [], Object.prototype)
  }

  /** Server: chooses among the offers. Client: checks the response. Returns what was agreed on, or throws. */
  accept(configurations: ReadonlyArray<ParsedParams>): DeflateParams {
    // Those of `extension.parse` have no prototype.
    const [first = {}] = configurations
    return this._negotiate(configurations.map(flatten), Object.getPrototypeOf(first))
  }

  /** `accept`, of parameters as the header has them. */
  _negotiate(offers: ReadonlyArray<Params>, prototype: object | null = null): DeflateParams {
    const isServer = this._isServer
    const values = offers.map((params) => read(params, isServer))
    this.params = isServer
      ? this.#choose(offers, values, prototype)
      : this.#check(offers[0] ?? [], values[0] ?? read([], false), prototype)
    return this.params
  }

  /** Messages shorter than this many bytes are sent as they are, where the sender keeps no context. */
  get _threshold(): number {
    return this._options.threshold ?? defaultThreshold
  }

  /** Compresses the data of a frame; `fin` says that it is the last one of its message. */
  compress(data: Uint8Array | string, fin: boolean, callback: Done): void {
    const payload = typeof data === "string" ? Buffer.from(data) : data
    const run = (done: Done): void =>
      (this.#deflate ??= this.makeCompression()).compress(payload, (result) => {
        if (types.isNativeError(result)) done(result)
        else done(null, fin ? asBuffer(result) : Buffer.concat([result, flushTail]))
      })
    enqueue(this.#compressing, run, callback)
  }

  /** Decompresses the data of a frame. A message in several frames comes out with its last one, whole. */
  decompress(data: Uint8Array, fin: boolean, callback: Done): void {
    const run = (done: Done): void => {
      this.#received.push(data)
      if (!fin) {
        queueMicrotask(() => done(null, nothing))
        return
      }
      const payload = Buffer.concat(this.#received)
      this.#received = []
      const limit = limitOf(this._maxPayload)
      const inflate = (this.#inflate ??= this.makeCompression())
      inflate.inflate(payload, limit, (result) => {
        if (typeof result !== "string") return done(null, asBuffer(result))
        inflate.close()
        this.#inflate = undefined
        done(errorOf(result === "invalid" ? Violation.invalidCompressedData : Violation.messageTooLarge(limit)))
      })
    }
    enqueue(this.#inflating, run, callback)
  }

  /** Frees what `compress` and `decompress` hold. */
  cleanup(): void {
    this.#deflate?.close()
    this.#inflate?.close()
    this.#deflate = this.#inflate = undefined
    this.#received = []
    this.#inflating.length = 0
    const error = new Error("The deflate stream was closed while data was being processed")
    for (const { done } of this.#compressing.splice(0)) done(error)
  }

  /** What a connection compresses with; its own from then on. */
  makeCompression(): Deflate {
    return new Deflate(this.#settings())
  }

  #settings(): Settings {
    const params = this.params ?? {}
    const { _threshold: threshold } = this
    const { zlibDeflateOptions } = this._options
    const server = {
      windowBits: params.server_max_window_bits ?? 15,
      takeover: params.server_no_context_takeover !== true
    }
    const client = {
      windowBits: typeof params.client_max_window_bits === "number" ? params.client_max_window_bits : 15,
      takeover: params.client_no_context_takeover !== true
    }
    const [deflate, inflate] = this._isServer ? [server, client] : [client, server]
    return {
      // zlib has no window of 8 bits to compress with, so that there nothing is compressed.
      deflate: { ...deflate, windowBits: Math.max(9, deflate.windowBits) },
      inflate,
      threshold: deflate.windowBits < 9 ? Infinity : deflate.takeover ? 0 : threshold,
      level: zlibDeflateOptions?.level ?? -1,
      memLevel: zlibDeflateOptions?.memLevel ?? 8
    }
  }

  #choose(
    offers: ReadonlyArray<Params>,
    values: ReadonlyArray<Negotiation.DeflateParams>,
    prototype: object | null
  ): DeflateParams {
    for (const [at, value] of values.entries()) {
      const agreed = Negotiation.acceptDeflate(value, this.#terms, ws8.deflate)
      if (agreed !== undefined) return write(agreed, offers[at] ?? [], prototype)
    }
    throw new Error("None of the extension offers can be accepted")
  }

  #check(response: Params, value: Negotiation.DeflateParams, prototype: object | null): DeflateParams {
    const agreed = Negotiation.verifyDeflate(value, this.#terms, ws8.deflate)
    if (typeof agreed !== "string") return write(agreed, response, prototype)
    const what = agreed === "client_max_window_bits" ? "Unexpected or invalid" : "Unexpected"
    throw new Error(`${what} parameter "${agreed}"`)
  }
}

/** A limit in the terms of the options: a positive 32-bit integer, or none. */
export const limitOf = (option: number | undefined): number => {
  const limit = (option ?? 0) | 0
  return limit > 0 ? limit : Infinity
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

interface Job {
  readonly run: (done: Done) => void
  readonly done: Done
}

/** The engine takes one message at a time in each direction. */
const enqueue = (queue: Array<Job>, run: Job["run"], done: Done): void => {
  const job: Job = { run, done }
  queue.push(job)
  if (queue.length === 1) next(queue)
}

const next = (queue: Array<Job>): void => {
  const job = queue[0]
  job?.run((error, data) => {
    // After `cleanup` nobody waits any more.
    if (queue[0] !== job) return
    queue.shift()
    next(queue)
    // It may begin the next one of this direction.
    job.done(error, data)
  })
}
