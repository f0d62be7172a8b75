/**
 * The one place that touches what `node:net` does not document.
 *
 * A write through a socket's stream costs about as much again as the system call beneath: a request object, a state
 * machine, a tick. Most frames leave in one call that takes them whole, so here the socket's handle is called itself,
 * with one request object for all writes that end at once. Whatever has not the expected shape goes the documented way,
 * as does everything when `EFFECT_WS_NET` is `public`.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { getSystemErrorName } from "node:util"

/** What a write is known by; the system's answer comes to `oncomplete` when it was not taken whole at once. */
interface Request {
  handle?: Handle | undefined
  oncomplete?: ((status: number) => void) | undefined
  /** Kept alive until the write is done. */
  kept?: unknown
}

/** A TCP socket or a pipe of libuv, as Node wraps it. Both calls answer 0, or a negative error number. */
interface Handle {
  writeBuffer(request: Request, bytes: Uint8Array): number
  writev(request: Request, pieces: ReadonlyArray<Uint8Array>, allBytes: true): number
  /** Bytes that wait in libuv. */
  readonly writeQueueSize: number
}

const isHandle = (value: unknown): value is Handle => {
  if (typeof value !== "object" || value === null) return false
  const kind = value.constructor.name
  return (
    (kind === "TCP" || kind === "Pipe") &&
    "writeBuffer" in value &&
    typeof value.writeBuffer === "function" &&
    "writev" in value &&
    typeof value.writev === "function" &&
    "writeQueueSize" in value &&
    typeof value.writeQueueSize === "number"
  )
}

/** The class of request objects: Node shows it nowhere, but passes one to each call. */
let RequestClass: (new () => Request) | undefined

/** A request whose write ended at once, for the next one. */
let spare: Request | undefined

/** Whether the handle may be used. Node 26 takes most writes without a request object itself, and shows none. */
let allowed = process.env["EFFECT_WS_NET"] !== "public"

/** Lets the next write through a socket's stream show the class of request objects, or that there is none. */
const learn = (handle: Handle): void => {
  const { writeBuffer } = handle
  Object.defineProperty(handle, "writeBuffer", {
    configurable: true,
    value: (...given: Parameters<Handle["writeBuffer"]>): number => {
      Reflect.deleteProperty(handle, "writeBuffer")
      const [request, bytes] = given
      if (given.length === 2 && bytes instanceof Uint8Array && request?.constructor?.name === "WriteWrap") {
        RequestClass = request.constructor as new () => Request
      } else {
        allowed = false
      }
      return writeBuffer.apply(handle, given)
    }
  })
}

/** How a write went: taken whole, still under way, or failed with an error of the system. */
export type Outcome = "written" | "pending" | Error

/** Writes to one socket, past its stream. */
export class DirectWriter {
  private readonly handle: Handle

  private constructor(handle: Handle) {
    this.handle = handle
  }

  /** For a plain socket of a Node that works as expected; `undefined` for any other stream. */
  static of(duplex: Duplex): DirectWriter | undefined {
    if (!allowed || !(duplex instanceof Socket)) return undefined
    const handle: unknown = Reflect.get(duplex, "_handle")
    return isHandle(handle) ? new DirectWriter(handle) : undefined
  }

  /** Whether a write may be tried. The first sockets of a process write the documented way, and are watched. */
  get ready(): boolean {
    if (RequestClass === undefined && allowed) learn(this.handle)
    return RequestClass !== undefined
  }

  /** Bytes that wait in the system's queue. */
  get waiting(): number {
    return this.handle.writeQueueSize
  }

  /**
   * Writes bytes, or several pieces as one. When it answers `"pending"` the bytes must stay as they are, and no other
   * write may be made, until `done` is called: with the error, if there is one.
   */
  write(bytes: Uint8Array | ReadonlyArray<Uint8Array>, done: (error: Error | undefined) => void): Outcome {
    const { handle } = this
    const request = spare ?? this.makeRequest()
    spare = undefined
    request.handle = handle
    const status =
      bytes instanceof Uint8Array ? handle.writeBuffer(request, bytes) : handle.writev(request, bytes, true)
    if (status === 0 && handle.writeQueueSize > 0) {
      request.kept = bytes
      request.oncomplete = (later) => {
        request.kept = request.oncomplete = undefined
        done(later < 0 ? systemError(later) : undefined)
      }
      return "pending"
    }
    request.handle = undefined
    spare = request
    return status === 0 ? "written" : systemError(status)
  }

  private makeRequest(): Request {
    if (RequestClass === undefined) throw new Error("a direct write before the first one that is watched")
    return new RequestClass()
  }
}

/** As Node reports a write that failed. */
const systemError = (errno: number): Error => {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`write ${code}`), { errno, code, syscall: "write" })
}
