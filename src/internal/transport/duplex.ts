import { Socket } from "node:net"
import { type Duplex, Readable } from "node:stream"
import { Endings } from "./endings.ts"
import { sharedReads } from "./sharedReads.ts"
import { destroyedError, type Receiver, type Transport } from "./transport.ts"
import type { Written } from "../protocol/outputBuffer.ts"

const transportKey = Symbol("effect-ws/transport")

interface Attached extends Duplex {
  [transportKey]?: DuplexTransport
}

/** Whether a connection was started on the stream, now or before. */
export const isAttached = (duplex: Duplex): boolean => (duplex as Attached)[transportKey] !== undefined

// Shared by all connections, so that a connection costs no closures.

function drop(this: Duplex): void {
  this.destroy()
}

/** Drops a stream that fails while it is nobody's yet. TLS that breaks is an error, and no end by itself. */
export const dropOnError = (duplex: Duplex): void => void duplex.on("error", drop)

/** Leaves that to whoever has the stream now. */
export const noDropOnError = (duplex: Duplex): void => void duplex.off("error", drop)

function onData(this: Attached, chunk: Buffer): void {
  this[transportKey]?.receiver?.received(chunk)
}

const readShared = sharedReads(function (this: Attached, chunk, borrowed) {
  const receiver = this[transportKey]?.receiver
  receiver?.received(chunk, borrowed)
  return receiver?.readTarget
})

function onDrain(this: Attached): void {
  this[transportKey]?.receiver?.drained()
}

/** So many take about 10 ms. */
const endings = new Endings<Attached>(256)

const ended = (duplex: Attached): void => duplex[transportKey]?.receiver?.ended()

function onEnd(this: Attached): void {
  endings.handle(ended, this)
}

function onError(this: Attached, error: Error): void {
  const transport = this[transportKey]
  if (transport !== undefined) transport.error = error
  this.destroy()
}

const closed = (duplex: Attached): void => {
  const transport = duplex[transportKey]
  if (transport?.receiver === undefined) return
  // What was read while paused comes first.
  const rest: unknown = duplex.readableEnded ? null : duplex.read()
  if (rest instanceof Buffer) transport.receiver.received(rest)
  transport.receiver.closed(transport.error)
}

function onClose(this: Attached): void {
  endings.handle(closed, this)
}

/** A Node stream as a transport. The stream must be open, and nobody else may read from it or write to it. */
export class DuplexTransport implements Transport {
  /** Who hears of it, once attached. */
  receiver: Receiver | undefined = undefined
  readonly endsAtOnce: boolean = false
  /** What the stream failed with. */
  error: Error | undefined = undefined
  private readonly duplex: Attached
  /** Whether bytes that no longer wait were copied by the system. Another stream may hold on to what it was given. */
  private readonly copies: boolean

  constructor(duplex: Duplex) {
    this.duplex = duplex
    this.copies = duplex instanceof Socket
  }

  attach(receiver: Receiver): void {
    const { duplex } = this
    this.receiver = receiver
    this.error = duplex.errored ?? undefined
    duplex[transportKey] = this
    if (duplex instanceof Socket) readShared(duplex)
    duplex.on("data", onData)
    duplex.on("drain", onDrain)
    duplex.on("end", onEnd)
    duplex.on("error", onError)
    duplex.on("close", onClose)
    // What happened while the handshake was decided is told once more.
    if (duplex.closed) process.nextTick(() => onClose.call(duplex))
    else if (duplex.readableEnded) process.nextTick(() => onEnd.call(duplex))
    // Somebody may have paused it meanwhile.
    duplex.resume()
  }

  write(bytes: Uint8Array, written?: Written): boolean {
    const { duplex } = this
    if (!duplex.writable) return this.refuse(written)
    duplex.write(bytes, written)
    return this.copies && duplex.writableLength === 0
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean {
    const { duplex } = this
    if (!duplex.writable) return this.refuse(written)
    const last = pieces.length - 1
    duplex.cork()
    for (let at = 0; at <= last; at++) duplex.write(pieces[at], at === last ? written : undefined)
    duplex.uncork()
    return this.copies && duplex.writableLength === 0
  }

  private refuse(written: Written | undefined): true {
    if (written !== undefined) process.nextTick(written, destroyedError())
    return true
  }

  get buffered(): number {
    return this.duplex.writableLength
  }

  get congested(): boolean {
    return this.duplex.writableNeedDrain
  }

  /** A socket that reads into memory of its program's stops reading altogether when it is paused; this only stops the flow. */
  pause(): void {
    Readable.prototype.pause.call(this.duplex)
  }

  resume(): void {
    this.duplex.resume()
  }

  end(): void {
    const { duplex } = this
    if (duplex.writableEnded) return
    // The peer has ended its direction and everything is written: closing the socket ends ours, by one call of the system less.
    if (this.isPlain && duplex.readableEnded && duplex.writableLength === 0) duplex.destroy()
    else duplex.end()
  }

  /** Whether it is a socket of the system without a protocol of its own that has to be ended, as TLS has. */
  private get isPlain(): boolean {
    return this.copies && !("encrypted" in this.duplex)
  }

  destroy(): void {
    this.duplex.destroy()
  }
}
