/** Peers that wait for their answer: they may leave meanwhile, and responses have an order. Without Effect, for every API. */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import type { Timers } from "../connection/timers.ts"
import { dropOnError, noDropOnError } from "../transport/duplex.ts"

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

/**
 * The response to an earlier request on a connection, while it isn't written. Node keeps it here, after an upgrade too. The
 * response to `request` itself is none: a program may have made one, or upgrades a request that Node took for another.
 */
export const earlierResponseOn = (socket: Duplex, request?: IncomingMessage): ServerResponse | undefined => {
  const response = (socket as { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
  return request !== undefined && response?.req === request ? undefined : response
}

/** A request that was sent on a connection before the responses to earlier ones were written. */
export interface Pipelined {
  readonly socket: Duplex
  /** The request, whose own response isn't waited for. */
  readonly request?: IncomingMessage
  readonly timers: Timers
  /** Milliseconds until the request is given up. */
  readonly limit: number
}

/**
 * Waits until the responses to earlier requests are written, since responses have the order of their requests (RFC 9112
 * §9.3.2). `next` gets the bytes that the peer sent meanwhile; `left` is called when the peer leaves, or the time is over.
 */
export const whenInTurn = (
  { limit, request, socket, timers }: Pipelined,
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
    const response = earlierResponseOn(socket, request)
    if (response !== undefined) return whenWritten(socket, response, look)
    timer.cancel()
    next(waiting.stop())
  }
  look()
}

/**
 * Calls `next` with the bytes after a request: at once, or when the responses to earlier requests are written. A peer that
 * leaves before, or whose time is over, is dropped.
 */
export const takeInTurn = (pipelined: Pipelined, head: Buffer, next: (head: Buffer) => void): void => {
  const { request, socket } = pipelined
  if (earlierResponseOn(socket, request) === undefined) return next(head)
  dropOnError(socket)
  whenInTurn(
    pipelined,
    (bytes) => {
      noDropOnError(socket)
      next(Buffer.concat([head, bytes]))
    },
    () => socket.destroy()
  )
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
