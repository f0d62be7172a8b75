/**
 * A zlib context: some 270 KB to compress with the default settings, up to 43 KB to decompress, outside of the
 * JavaScript heap. It is freed by `close`, not by the garbage collector, so whoever opens one has to close it.
 */
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  type DeflateRaw,
  type InflateRaw,
  type ZlibOptions
} from "node:zlib"
import { Handle, handleWorks } from "./zlibHandle.ts"

/**
 * How zlib is driven: `handle` is fast, and synchronous where that is wanted, on Node's undocumented native handle;
 * `public` stays with what `node:zlib` documents.
 */
export type Driver = "handle" | "public"

let chosen: Driver | undefined

/**
 * The driver for this process: `handle` where its self-test passes, else `public`. Setting the environment variable
 * `EFFECT_WS_ZLIB` to `public` asks for the latter. Decided at the first call.
 */
export const defaultDriver = (): Driver =>
  (chosen ??= process.env["EFFECT_WS_ZLIB"] !== "public" && handleWorks() ? "handle" : "public")

/** What a context for compressing is made of, in the terms of zlib. */
export interface DeflateParameters {
  /** Base-two logarithm of the window in bytes, 9 to 15. */
  readonly windowBits: number
  /** Compression level, -1 to 9. */
  readonly level: number
  /** Memory for the compression state, 1 to 9. */
  readonly memLevel: number
}

/** What came of one use of a context on the thread pool. */
export interface Outcome {
  /** The output, in pieces that nobody writes to again. */
  readonly pieces: Array<Uint8Array>
  /** Bytes of all pieces. */
  readonly size: number
  /** Bytes of the input that zlib took: fewer than were given when a final block ended before them. */
  readonly taken: number
  /** Why it stopped early; the context is closed then. */
  readonly failure: "too large" | Error | undefined
}

/** A use of a context on the thread pool, under way. */
interface Run {
  readonly limit: number
  readonly start: number
  readonly done: (outcome: Outcome) => void
  readonly pieces: Array<Uint8Array>
  size: number
}

let live = 0

/** Contexts of this process that are open now. */
export const liveContexts = (): number => live

export class Context {
  /** Contexts of equal keys are interchangeable after a reset; undefined for one with a dictionary, which is like no other. */
  readonly key: number | undefined
  private readonly stream: DeflateRaw | InflateRaw
  private readonly handle: Handle | undefined
  private run: Run | undefined = undefined
  private listening = false
  private abandoned = false
  private closed = false

  constructor(stream: DeflateRaw | InflateRaw, driver: Driver, key: number | undefined) {
    this.stream = stream
    this.handle = driver === "handle" ? Handle.of(stream) : undefined
    this.key = key
    stream.on("error", this.onError)
    live++
  }

  /** Whether it is closed, or zlib gave up at the last synchronous use. */
  get dead(): boolean {
    return this.stream.destroyed
  }

  /**
   * Runs zlib here and now, from `input[inputStart, inputEnd)` to `output[outputStart, outputEnd)`, with a flush. What
   * it left of both stands in `inputLeft` and `outputLeft`. Only with the driver `handle`, and while it is not `dead`.
   */
  write(
    input: Uint8Array,
    inputStart: number,
    inputEnd: number,
    output: Uint8Array,
    outputStart: number,
    outputEnd: number
  ): void {
    if (this.handle === undefined || this.dead) throw new Error("a context that can't be used synchronously")
    this.handle.write(input, inputStart, inputEnd, output, outputStart, outputEnd)
  }

  get inputLeft(): number {
    return this.handle?.inputLeft ?? 0
  }

  get outputLeft(): number {
    return this.handle?.outputLeft ?? 0
  }

  /** Forgets the window, as if the context were new. A dictionary would come back. */
  reset(): void {
    this.stream.reset()
  }

  /**
   * Feeds `first` and then `second` to zlib on the thread pool, and gathers what comes out, up to `limit` bytes and one
   * chunk. Both must not change until `done` is called, which is later than this call. One use at a time.
   */
  feed(first: Uint8Array, second: Uint8Array | undefined, limit: number, done: (outcome: Outcome) => void): void {
    if (!this.listening) {
      this.listening = true
      this.stream.on("data", this.onData)
      this.stream.on("end", this.onEnd)
    }
    const run: Run = { limit, start: this.stream.bytesWritten, done, pieces: [], size: 0 }
    this.run = run
    const finish = (error?: Error | null): void => this.finish(run, error ?? undefined)
    if (second === undefined) {
      this.stream.write(first, finish)
    } else {
      if (first.length > 0) this.stream.write(first)
      this.stream.write(second, finish)
    }
  }

  /** Drops what `feed` has under way: it stops and closes after the chunk at work, and is `done` with no output. */
  abandon(): void {
    this.abandoned = true
  }

  /** Frees the context. Idempotent. */
  close(): void {
    if (this.closed) return
    this.closed = true
    live--
    this.stream.destroy()
  }

  private finish(run: Run, failure: Outcome["failure"]): void {
    if (this.run !== run) return
    this.run = undefined
    if (this.abandoned || failure !== undefined) {
      run.pieces.length = 0
      run.size = 0
      this.close()
    }
    run.done({ pieces: run.pieces, size: run.size, taken: this.stream.bytesWritten - run.start, failure })
  }

  private readonly onData = (chunk: Uint8Array): void => {
    const run = this.run
    if (run === undefined) return
    run.size += chunk.length
    if (this.abandoned) this.finish(run, undefined)
    else if (run.size > run.limit) this.finish(run, "too large")
    else run.pieces.push(chunk)
  }

  /** Node ends the stream at a final block that has input after it. */
  private readonly onEnd = (): void => {
    this.close()
    if (this.run !== undefined) this.finish(this.run, undefined)
  }

  private readonly onError = (error: Error): void => {
    this.close()
    if (this.run !== undefined) this.finish(this.run, error)
  }
}

/** What zlib is told for these parameters: every write ends with a flush. */
export const deflateOptions = (parameters: DeflateParameters): ZlibOptions => ({
  flush: constants.Z_SYNC_FLUSH,
  finishFlush: constants.Z_SYNC_FLUSH,
  level: parameters.level,
  memLevel: parameters.memLevel,
  windowBits: parameters.windowBits
})

/** Opens a context that compresses. `chunkSize` is how many bytes come out at a time on the thread pool. */
export const openDeflate = (parameters: DeflateParameters, driver: Driver, chunkSize: number): Context =>
  new Context(createDeflateRaw({ ...deflateOptions(parameters), chunkSize }), driver, deflateKey(parameters, driver))

/** The key of the contexts that `openDeflate` opens with these arguments. */
export const deflateKey = (parameters: DeflateParameters, driver: Driver): number =>
  (((parameters.windowBits * 16 + parameters.level + 1) * 16 + parameters.memLevel) << 1) |
  (driver === "handle" ? 1 : 0)

/** Opens a context that decompresses; `dictionary` is output that came before, which the input may refer to. */
export const openInflate = (
  windowBits: number,
  driver: Driver,
  chunkSize: number,
  dictionary?: Uint8Array | undefined
): Context =>
  new Context(
    createInflateRaw({
      chunkSize,
      flush: constants.Z_SYNC_FLUSH,
      windowBits,
      ...(dictionary === undefined ? undefined : { dictionary })
    }),
    driver,
    dictionary === undefined ? inflateKey(windowBits, driver) : undefined
  )

/** The key of the contexts that `openInflate` opens with these arguments and no dictionary. */
export const inflateKey = (windowBits: number, driver: Driver): number =>
  (windowBits << 1) | (driver === "handle" ? 1 : 0)
