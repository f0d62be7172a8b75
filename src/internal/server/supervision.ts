import type { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Timer, Timers } from "../connection/timers.ts"

/** Milliseconds; absent for no limit. */
export interface Ages {
  readonly idle: number | undefined
  readonly lifetime: number | undefined
}

/** Looks at an idle time as often as this. */
const looks = 4

/**
 * Ends a connection that is idle for too long, or lives for too long, with 1001; `onEnd` hears why. Answers how to stop.
 */
export const supervise = <A>(
  socket: WebSocketConnection<A>,
  { idle, lifetime }: Ages,
  timers: Timers,
  onEnd: (why: "idle" | "lifetime") => void
): (() => void) => {
  let idleTimer: Timer | undefined
  let quiet = 0
  const end = (why: "idle" | "lifetime"): void => {
    stop()
    if (!socket.connection.isOpen) return
    onEnd(why)
    socket.retire(1001, why)
  }
  const look = (interval: number): void => {
    // Whoever is held up by its own reader isn't idle.
    quiet = socket.receiveBuffer.takeHeard() || !socket.receiveBuffer.isEmpty ? 0 : quiet + 1
    if (quiet === looks) end("idle")
    else watch(interval)
  }
  const watch = (interval: number): void => {
    idleTimer = timers.after(interval, () => look(interval))
  }
  if (idle !== undefined) watch(idle / looks)
  const lifeTimer = lifetime === undefined ? undefined : timers.after(lifetime, () => end("lifetime"))
  const stop = (): void => {
    idleTimer?.cancel()
    lifeTimer?.cancel()
  }
  return stop
}
