import type { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Timer, Timers } from "../connection/timers.ts"

/** Milliseconds between two looks. */
const interval = 100

type Any = WebSocketConnection<unknown>

/** Bytes that a connection makes the process keep: what waits to be read, to be written, or for the rest of a message. */
const heldBy = ({ connection: { inbound, outbound }, receiveBuffer }: Any): number =>
  receiveBuffer.held + outbound.buffered + inbound.partialSize

/**
 * One budget of memory for all connections of a server. It looks every 100 ms instead of counting each byte, so that
 * messages cost nothing. When more is held than the budget allows, the connections that hold most are closed with 1013
 * until the others fit; those that are still there at the next look are dropped.
 */
export class Budget {
  private readonly limit: number
  private readonly timers: Timers
  private readonly sockets: ReadonlySet<Any>
  private readonly onEvict: () => void
  private timer: Timer | undefined = undefined
  private evicted = new Set<Any>()
  /** Whether the last look found too much. */
  exhausted = false

  constructor(limit: number, timers: Timers, sockets: ReadonlySet<Any>, onEvict: () => void) {
    this.limit = limit
    this.timers = timers
    this.sockets = sockets
    this.onEvict = onEvict
  }

  /** Begins to look, as long as there are connections. */
  watch(): void {
    this.timer ??= this.timers.after(interval, () => this.look())
  }

  private look(): void {
    this.timer = undefined
    let total = 0
    for (const socket of this.sockets) total += heldBy(socket)
    this.exhausted = total > this.limit
    if (this.exhausted) this.evict(total)
    else this.evicted.clear()
    if (this.sockets.size > 0) this.watch()
  }

  private evict(total: number): void {
    let rest = total
    for (const socket of this.evicted) {
      if (!this.sockets.has(socket)) continue
      rest -= heldBy(socket)
      socket.connection.terminate()
    }
    this.evicted.clear()
    const greediest = [...this.sockets]
      .filter(({ connection }) => connection.isOpen)
      .map((socket) => ({ socket, held: heldBy(socket) }))
      .sort((a, b) => b.held - a.held)
    for (const { held, socket } of greediest) {
      if (rest <= this.limit) break
      rest -= held
      this.evicted.add(socket)
      this.onEvict()
      socket.beginClose(1013, "out of memory")
    }
  }
}
