import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { destroyedError, type Receiver, type Transport, type Written } from "./transport.ts"

const receiverKey = Symbol("effect-ws/receiver")

interface Attached extends Duplex {
  [receiverKey]?: { readonly receiver: Receiver; error: Error | undefined }
}

// Shared by all connections, so that a connection costs no closures.

function onData(this: Attached, chunk: Buffer): void {
  this[receiverKey]?.receiver.received(chunk)
}

function onDrain(this: Attached): void {
  this[receiverKey]?.receiver.drained()
}

function onEnd(this: Attached): void {
  this[receiverKey]?.receiver.ended()
}

function onError(this: Attached, error: Error): void {
  const attached = this[receiverKey]
  if (attached !== undefined) attached.error = error
}

function onClose(this: Attached): void {
  const attached = this[receiverKey]
  if (attached === undefined) return
  // What was read while paused comes first.
  const rest: unknown = this.readableEnded ? null : this.read()
  if (rest instanceof Buffer) attached.receiver.received(rest)
  attached.receiver.closed(attached.error)
}

/** A Node stream as a transport. The stream must be open, and nobody else may read from it or write to it. */
export class DuplexTransport implements Transport {
  private readonly duplex: Attached
  /** Whether bytes that no longer wait were copied by the system. Another stream may hold on to what it was given. */
  private readonly copies: boolean

  constructor(duplex: Duplex) {
    this.duplex = duplex
    this.copies = duplex instanceof Socket
  }

  attach(receiver: Receiver): void {
    const { duplex } = this
    duplex[receiverKey] = { receiver, error: duplex.errored ?? undefined }
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

  pause(): void {
    this.duplex.pause()
  }

  resume(): void {
    this.duplex.resume()
  }

  end(): void {
    if (!this.duplex.writableEnded) this.duplex.end()
  }

  destroy(): void {
    this.duplex.destroy()
  }
}
