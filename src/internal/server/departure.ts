import type { ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { Timers } from "../connection/timers.ts"

/** Bytes that a peer may send before its request is answered without being held up. */
const keepSize = 64 * 1024

/** A peer that waits for its answer. */
export interface Waiting {
  /** Stops watching, and returns the bytes that the peer sent meanwhile. The socket is left paused. */
  readonly stop: () => Buffer
}

/**
 * Notices that a peer leaves while its request is decided, which a socket that isn't read doesn't show: `left` is called
 * when the peer ends its direction, or the socket closes. The bytes that it sends meanwhile are kept; beyond 64 KiB reading
 * stops, and with it the watching.
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

/** The response to an earlier request on a connection, while it isn't written. Node keeps it here, after an upgrade too. */
export const earlierResponseOn = (socket: Duplex): ServerResponse | undefined =>
  (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined

/** A request that was sent on a connection before the responses to earlier ones were written. */
export interface Pipelined {
  readonly socket: Duplex
  readonly timers: Timers
  /** Milliseconds until the request is given up. */
  readonly limit: number
}

/**
 * Waits until the responses to earlier requests are written, since responses have the order of their requests (RFC 9112
 * §9.3.2). `next` gets the bytes that the peer sent meanwhile; `left` is called when the peer leaves, or the time is over.
 */
export const whenInTurn = (
  { limit, socket, timers }: Pipelined,
  next: (bytes: Buffer) => void,
  left: () => void
): void => {
  const giveUp = (): void => {
    timer.cancel()
    waiting.stop()
    left()
  }
  const timer = timers.after(limit, giveUp)
  const waiting = whenLeft(socket, giveUp)
  const look = (): void => {
    const response = earlierResponseOn(socket)
    if (response !== undefined) return whenWritten(socket, response, look)
    timer.cancel()
    next(waiting.stop())
  }
  look()
}

/** Calls `next` when a response is written. Node's own listener that goes on writing it ended with the upgrade. */
const whenWritten = (socket: Duplex, response: ServerResponse, next: () => void): void => {
  const drain = (): boolean => response.emit("drain")
  socket.on("drain", drain)
  response.once("finish", () => {
    socket.off("drain", drain)
    next()
  })
}
