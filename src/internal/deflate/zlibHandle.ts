/**
 * The one place that touches what `node:zlib` does not document.
 *
 * A zlib stream of Node owns a native handle, and drives it by `_handle.writeSync`; what is left of the input and of
 * the room for output stands in `_writeState` afterwards. Driven directly, a context is kept from one message to the
 * next and used synchronously, which the documented interface cannot do. Before the handle is used, `handleWorks`
 * watches how this Node calls it and runs a round trip; where anything differs, all goes the documented way.
 */
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from "node:zlib"

interface NativeHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputLength: number,
    output: Uint8Array,
    outputStart: number,
    outputLength: number
  ): void
}

const isNativeHandle = (value: unknown): value is NativeHandle =>
  typeof value === "object" && value !== null && "writeSync" in value && typeof value.writeSync === "function"

/** Synchronous use of the zlib context of one stream. Use after the stream is destroyed ends the process. */
export class Handle {
  private readonly native: NativeHandle
  private readonly state: Uint32Array

  constructor(native: NativeHandle, state: Uint32Array) {
    this.native = native
    this.state = state
  }

  /** The handle of a stream that is open and idle; undefined when this Node has none of the expected shape. */
  static of(stream: DeflateRaw | InflateRaw): Handle | undefined {
    const native: unknown = Reflect.get(stream, "_handle")
    const state: unknown = Reflect.get(stream, "_writeState")
    return isNativeHandle(native) && state instanceof Uint32Array && state.length === 2
      ? new Handle(native, state)
      : undefined
  }

  /**
   * Runs zlib over `input[inputStart, inputEnd)` into `output[outputStart, outputEnd)`, and flushes to a byte boundary
   * (`Z_SYNC_FLUSH`). After an error the stream is destroyed.
   */
  write(
    input: Uint8Array,
    inputStart: number,
    inputEnd: number,
    output: Uint8Array,
    outputStart: number,
    outputEnd: number
  ): void {
    this.native.writeSync(
      constants.Z_SYNC_FLUSH,
      input,
      inputStart,
      inputEnd - inputStart,
      output,
      outputStart,
      outputEnd - outputStart
    )
  }

  /** Bytes of the input that the last `write` did not take. */
  get inputLeft(): number {
    return this.state[1] ?? 0
  }

  /** Bytes of the room for output that the last `write` did not fill. */
  get outputLeft(): number {
    return this.state[0] ?? 0
  }
}

const sample = Buffer.from("a sample, a sample of some text")

/**
 * Whether Node itself calls `writeSync` with the seven arguments that we give. A native function ends the process
 * when its arguments are of the wrong kind, so that a trial call of our own would come too late.
 */
const signatureIsKnown = (): boolean => {
  const stream = createDeflateRaw()
  stream.on("error", () => {})
  try {
    const native: unknown = Reflect.get(stream, "_handle")
    const state: unknown = Reflect.get(stream, "_writeState")
    const processChunk: unknown = Reflect.get(stream, "_processChunk")
    if (!isNativeHandle(native) || !(state instanceof Uint32Array) || typeof processChunk !== "function") return false
    const original = native.writeSync
    const calls: Array<ReadonlyArray<unknown>> = []
    native.writeSync = (...args) => {
      calls.push(args)
      Reflect.apply(original, native, args)
    }
    const result: unknown = Reflect.apply(processChunk, stream, [sample, constants.Z_SYNC_FLUSH])
    const [call] = calls
    if (!(result instanceof Uint8Array) || calls.length !== 1 || call === undefined || call.length !== 7) return false
    const [flush, input, inputStart, inputLength, output, outputStart, outputLength] = call
    return (
      flush === constants.Z_SYNC_FLUSH &&
      input === sample &&
      inputStart === 0 &&
      inputLength === sample.length &&
      output instanceof Uint8Array &&
      outputStart === 0 &&
      outputLength === output.length &&
      state[0] === output.length - result.length &&
      state[1] === 0
    )
  } catch {
    return false
  } finally {
    stream.destroy()
  }
}

/** Two messages with a kept context, one after a reset, and an error, through handles of both kinds. */
const roundTripWorks = (): boolean => {
  const deflate = createDeflateRaw()
  const inflate = createInflateRaw()
  inflate.on("error", () => {})
  try {
    const compressor = Handle.of(deflate)
    const decompressor = Handle.of(inflate)
    if (compressor === undefined || decompressor === undefined) return false
    const packed = Buffer.alloc(256)
    const unpacked = Buffer.alloc(256)
    const sizes: Array<number> = []
    for (let message = 0; message < 3; message++) {
      if (message === 2) {
        deflate.reset()
        inflate.reset()
      }
      compressor.write(sample, 0, sample.length, packed, 0, packed.length)
      const size = packed.length - compressor.outputLeft
      decompressor.write(packed, 0, size, unpacked, 0, unpacked.length)
      if (deflate.destroyed || inflate.destroyed) return false
      const length = unpacked.length - decompressor.outputLeft
      if (compressor.inputLeft !== 0 || decompressor.inputLeft !== 0) return false
      if (!sample.equals(unpacked.subarray(0, length))) return false
      sizes.push(size)
    }
    const [first = 0, second = 0, third = 0] = sizes
    decompressor.write(Buffer.of(0xff, 0xff, 0xff), 0, 3, unpacked, 0, unpacked.length)
    return second < first && third === first && inflate.destroyed && !deflate.destroyed
  } catch {
    return false
  } finally {
    deflate.destroy()
    inflate.destroy()
  }
}

let verdict: boolean | undefined

/** Whether the native handle of this Node does what this module expects. Tried once, at the first call. */
export const handleWorks = (): boolean => (verdict ??= signatureIsKnown() && roundTripWorks())
