import { Socket } from "node:net"
import process from "node:process"
import type { Borrowed } from "../protocol/codec.ts"

/**
 * Reading into one buffer that all sockets share, in place of 64 KiB of fresh memory for each read; and the rest of a large
 * payload into its place, where it need not be copied to.
 *
 * Node offers it as the option `onread` of a socket that a program makes itself. What that option sets is set here on
 * sockets that Node made, where this Node has what it takes; where it hasn't, or with `EFFECT_WS_READS=stream` in the
 * environment, reads come through the stream as ever.
 */

/** The most bytes of one read: a message of 64 KiB comes in one. */
export const readSize = 96 * 1024

/** Reads of fewer bytes are copied at once: their memory is from the pool of `Buffer`. */
const borrowedFrom = 4 * 1024

const buffer = Buffer.allocUnsafeSlow(readSize)

/** The same for what is decrypted, a record at a time. */
const recordBuffer = Buffer.allocUnsafeSlow(16 * 1024)

/**
 * Takes what was read, and returns the memory for the next read; `undefined` for the shared buffer. Borrowed bytes are
 * overwritten by the next read, whichever socket reads.
 */
export type OnRead = (this: Socket, chunk: Buffer, borrowed: Borrowed | undefined) => Buffer | undefined

/** A socket as far as Node's option reaches into it. */
interface Opened {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [key: symbol]: unknown
}

const noop = (): boolean => true

/** Where the socket that was just read from reads next; `undefined` where it does already. */
let next: Buffer | undefined

/** Node calls it after each read, and reads into what it returns. */
const nextMemory = (): Buffer | undefined => {
  const memory = next
  next = undefined
  return memory
}

/**
 * Whether a program looks at what arrives on a socket, besides its connection, whose own listener of `data` is registered
 * all the time: then what arrives goes through the stream.
 */
const isWatched = (socket: Socket): boolean => socket.listenerCount("data") > 1 || socket.push !== Socket.prototype.push

/** While a socket is paused, its stream keeps some of what comes, and so notices when the peer goes. */
const flows = (socket: Socket): boolean =>
  socket.readableFlowing === true && socket.readableLength === 0 && !isWatched(socket)

const pushCopy = (socket: Socket, size: number, memory: Buffer): boolean =>
  socket.push(Buffer.from(memory.subarray(0, size)))

const rethrow = (error: unknown): never => {
  throw error
}

interface Keys {
  readonly buffer: symbol
  readonly callback: symbol
  /** Absent where this Node can't change the buffer of a socket. */
  readonly generator: symbol | undefined
}

/** Returns under which key a socket keeps a value that the option `onread` gave it. */
const keyOf = (onread: { buffer: Buffer | (() => Buffer); callback: () => boolean }, value: unknown) => {
  const probe = new Socket({ onread }) as unknown as Opened
  return Object.getOwnPropertySymbols(probe).find((key) => probe[key] === value)
}

/** Under which keys a socket keeps what the option `onread` gave it. */
const keys = ((): Keys | undefined => {
  if (process.env["EFFECT_WS_READS"] === "stream") return undefined
  const generate = (): Buffer => buffer
  const found = {
    buffer: keyOf({ buffer, callback: noop }, buffer),
    callback: keyOf({ buffer, callback: noop }, noop),
    generator: keyOf({ buffer: generate, callback: noop }, generate)
  }
  return found.buffer === undefined || found.callback === undefined
    ? undefined
    : { buffer: found.buffer, callback: found.callback, generator: found.generator }
})()

/**
 * Whether nothing is read while a read is told: the system's own sockets come one after the other, but what a program writes
 * may have bytes decrypted at once.
 */
const readsInTurn = (socket: Socket): boolean => Object.getPrototypeOf(socket) === Socket.prototype

/**
 * Makes what has a socket read into the shared buffer from then on, and answers whether it does: not when its stream holds
 * bytes that nobody has read, or somebody else listens to them.
 */
export const sharedReads = (onRead: OnRead): ((socket: Socket) => boolean) => {
  const read = (socket: Socket, size: number, memory: Buffer, borrowed: Borrowed | undefined): Buffer | undefined => {
    if (borrowed === undefined || size >= borrowedFrom) return onRead.call(socket, memory.subarray(0, size), borrowed)
    const chunk = Buffer.allocUnsafe(size)
    memory.copy(chunk, 0, 0, size)
    return onRead.call(socket, chunk, undefined)
  }
  const onSystemRead = function (this: Socket, size: number, memory: Buffer): boolean {
    const isShared = memory === buffer
    if (!flows(this)) {
      if (!isShared) next = buffer
      return pushCopy(this, size, memory)
    }
    let target: Buffer | undefined
    try {
      target = read(this, size, memory, isShared ? "call" : undefined)
    } catch (error) {
      // Node would read into this memory again, which may be a message's by now.
      if (isShared) throw error
      process.nextTick(rethrow, error)
    }
    next = target ?? (isShared ? undefined : buffer)
    return true
  }
  const onRecord = function (this: Socket, size: number): boolean {
    if (!flows(this)) return pushCopy(this, size, recordBuffer)
    read(this, size, recordBuffer, "delivery")
    return true
  }
  return (socket) => {
    const opened = socket as unknown as Opened
    if (keys === undefined || socket.readableLength > 0 || socket.listenerCount("data") > 0) return false
    if (typeof opened._handle?.useUserBuffer !== "function") return false
    const inTurn = readsInTurn(socket)
    const memory = inTurn ? buffer : recordBuffer
    opened[keys.buffer] = memory
    opened[keys.callback] = inTurn ? onSystemRead : onRecord
    if (inTurn && keys.generator !== undefined) opened[keys.generator] = nextMemory
    opened._handle.useUserBuffer(memory)
    return true
  }
}
