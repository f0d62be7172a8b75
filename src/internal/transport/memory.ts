import { destroyedError, type Receiver, type Transport } from "./transport.ts"
import type { Written } from "../protocol/outputBuffer.ts"

/** Bytes that may wait in one direction before the writer is told to hold on. */
const highWaterMark = 64 * 1024

/**
 * One end of a pipe in memory. Bytes are copied on their way and arrive in a later microtask, in pieces as they
 * were written. It behaves as a socket does: congestion, half-close, loss of the other end.
 */
class MemoryTransport implements Transport {
  buffered = 0
  private peer: MemoryTransport | undefined = undefined
  private receiver: Receiver | undefined = undefined
  private readonly inbox: Array<Buffer> = []
  private paused = false
  private scheduled = false
  private needDrain = false
  private ending = false
  private endSeen = false
  private destroyed = false

  static pair(): [MemoryTransport, MemoryTransport] {
    const left = new MemoryTransport()
    const right = new MemoryTransport()
    left.peer = right
    right.peer = left
    return [left, right]
  }

  attach(receiver: Receiver): void {
    this.receiver = receiver
    this.schedule()
  }

  write(bytes: Uint8Array, written?: Written): boolean {
    const { peer } = this
    if (this.ending || this.destroyed || peer === undefined || peer.destroyed) {
      if (written !== undefined) queueMicrotask(() => written(destroyedError()))
      return true
    }
    if (written !== undefined) queueMicrotask(written)
    peer.inbox.push(Buffer.from(bytes))
    this.buffered += bytes.length
    if (this.buffered >= highWaterMark) this.needDrain = true
    peer.schedule()
    return true
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean {
    return this.write(Buffer.concat(pieces), written)
  }

  get congested(): boolean {
    return this.needDrain
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  end(): void {
    if (this.ending) return
    this.ending = true
    this.peer?.schedule()
    this.schedule()
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.ending = true
    this.inbox.length = 0
    const { peer } = this
    if (peer !== undefined) {
      peer.buffered = 0
      peer.schedule()
    }
    this.closeSoon()
  }

  private schedule(): void {
    if (this.scheduled || this.receiver === undefined) return
    this.scheduled = true
    queueMicrotask(() => {
      this.scheduled = false
      this.deliver()
    })
  }

  private deliver(): void {
    const { peer, receiver } = this
    if (receiver === undefined || peer === undefined || this.destroyed) return
    while (!this.paused && !this.destroyed) {
      const chunk = this.inbox.shift()
      if (chunk === undefined) break
      peer.buffered -= chunk.length
      receiver.received(chunk)
    }
    if (peer.needDrain && peer.buffered < highWaterMark && !peer.destroyed) {
      peer.needDrain = false
      peer.receiver?.drained()
    }
    if (this.destroyed || this.paused || this.inbox.length > 0) return
    if (peer.ending && !this.endSeen) {
      this.endSeen = true
      receiver.ended()
    }
    if (peer.destroyed || (this.endSeen && this.ending)) this.destroy()
  }

  private closeSoon(): void {
    queueMicrotask(() => this.receiver?.closed(undefined))
  }
}

/** Two ends of a pipe in memory. */
export const memoryPair = (): [Transport, Transport] => MemoryTransport.pair()
