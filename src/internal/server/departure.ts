import type { Duplex } from "node:stream"

/** Bytes that a peer may send before it has its answer without being held up. */
const keepSize = 64 * 1024

/** A peer that waits for its answer. */
export interface Waiting {
  /** Stops looking, and answers what the peer sent meanwhile. The socket is left paused. */
  readonly stop: () => Buffer
}

/**
 * Notices that a peer leaves while its request is decided, which nobody sees on a socket that isn't read: `left` is called
 * when it ends its direction, or is gone altogether. What it sends meanwhile is kept; beyond 64 KiB reading stops, and
 * with it the looking.
 */
export const whenLeft = (socket: Duplex, left: () => void): Waiting => {
  const kept: Array<Buffer> = []
  let size = 0
  const keep = (chunk: Buffer): void => {
    kept.push(chunk)
    size += chunk.length
    if (size > keepSize) socket.pause()
  }
  const leave = (): void => {
    stop()
    left()
  }
  const stop = (): Buffer => {
    socket.off("data", keep)
    socket.off("end", leave)
    socket.off("close", leave)
    socket.pause()
    return Buffer.concat(kept)
  }
  socket.on("data", keep)
  socket.on("end", leave)
  socket.on("close", leave)
  socket.resume()
  return { stop }
}
