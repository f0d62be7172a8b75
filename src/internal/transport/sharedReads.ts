import { Socket } from "node:net"
import process from "node:process"
import type { Borrowed } from "../protocol/codec.ts"

/**
 * Reading into one buffer that all sockets share, in place of 64 KiB of fresh memory for each read.
 *
 * Node offers it as the option `onread` of a socket that a program makes itself. What that option sets is set here on
 * sockets that Node made, where this Node has what it takes; where it hasn't, or with `EFFECT_WS_READS=stream` in the
 * environment, reads come through the stream as ever.
 */

/** The most bytes of one read: a message of 64 KiB comes in one. */
export const readSize = 96 * 1024

/** Reads of fewer bytes are copied at once: their memory is from the pool of `Buffer`. */
const lentFrom = 4 * 1024

const buffer = Buffer.allocUnsafeSlow(readSize)

/** The same for what is decrypted, a record at a time. */
const recordBuffer = Buffer.allocUnsafeSlow(16 * 1024)

/** Hears of a read. Borrowed bytes are overwritten by the next one, whichever socket reads. */
export type OnRead = (this: Socket, chunk: Buffer, borrowed: Borrowed | undefined) => void

/** A socket as far as Node's option reaches into it. */
interface Opened {
  readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null
  [key: symbol]: unknown
}

const noop = (): boolean => true

/** Under which keys a socket keeps what the option `onread` gave it. */
const keys = ((): { readonly buffer: symbol; readonly callback: symbol } | undefined => {
  if (process.env["EFFECT_WS_READS"] === "stream") return undefined
  const probe = new Socket({ onread: { buffer, callback: noop } }) as unknown as Opened
  const own = Object.getOwnPropertySymbols(probe)
  const found = {
    buffer: own.find((key) => probe[key] === buffer),
    callback: own.find((key) => probe[key] === noop)
  }
  return found.buffer === undefined || found.callback === undefined
    ? undefined
    : { buffer: found.buffer, callback: found.callback }
})()

/**
 * Whether a program looks at what arrives on a socket, besides its connection, whose own listener of `data` is registered
 * all the time: then what arrives goes through the stream.
 */
const isWatched = (socket: Socket): boolean => socket.listenerCount("data") > 1 || socket.push !== Socket.prototype.push

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
  const callback = (memory: Buffer, borrowed: Borrowed) =>
    function (this: Socket, size: number): boolean {
      // While it is paused, its stream keeps some of what comes, and so notices when the peer goes.
      const flows = this.readableFlowing === true && this.readableLength === 0 && !isWatched(this)
      if (flows && size >= lentFrom) {
        onRead.call(this, memory.subarray(0, size), borrowed)
        return true
      }
      const chunk = Buffer.allocUnsafe(size)
      memory.copy(chunk, 0, 0, size)
      if (!flows) return this.push(chunk)
      onRead.call(this, chunk, undefined)
      return true
    }
  const onSystemRead = callback(buffer, "call")
  const onRecord = callback(recordBuffer, "delivery")
  return (socket) => {
    const opened = socket as unknown as Opened
    if (keys === undefined || socket.readableLength > 0 || socket.listenerCount("data") > 0) return false
    if (typeof opened._handle?.useUserBuffer !== "function") return false
    const inTurn = readsInTurn(socket)
    const memory = inTurn ? buffer : recordBuffer
    opened[keys.buffer] = memory
    opened[keys.callback] = inTurn ? onSystemRead : onRecord
    opened._handle.useUserBuffer(memory)
    return true
  }
}
