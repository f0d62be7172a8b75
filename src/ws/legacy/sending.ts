import { isUtf8 } from "node:buffer"
import type { Readable } from "node:stream"
import { encodeFrame } from "../../internal/protocol/hybi/encoder.ts"
import { randomKey } from "../../internal/protocol/mask.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import { referenceSize } from "../../internal/protocol/outputBuffer.ts"
import type { Link } from "./link.ts"
import { bytesOf, isBinary, payloadOf } from "./payload.ts"
import type { SendOptions, SendPiece, Sent } from "./types.ts"

export const notOpened = (): Error => new Error("not opened")

/** Longest payload of a control frame in bytes, RFC 6455 §5.5. */
const maxControlSize = 125

const masks = ({ role }: Link, { mask }: SendOptions): boolean =>
  mask === undefined ? role === "client" : Boolean(mask)

/**
 * Large payloads are sent without a copy: a `Buffer` as `ws` 0.4 did it, so that it is handed to the system at once; other
 * bytes were copied, and their owner may use them again.
 */
const lasting = (payload: Uint8Array): Uint8Array =>
  payload.length < referenceSize || Buffer.isBuffer(payload) ? payload : Uint8Array.from(payload)

const sendFrame = (
  link: Link,
  opcode: number,
  fin: boolean,
  payload: Uint8Array,
  mask: boolean,
  sent: Sent | undefined
): void => {
  const { connection } = link
  if (mask !== (link.role === "client")) {
    connection.sendEncoded(encodeFrame(opcode, fin, 0, payload, mask ? randomKey() : undefined), sent)
  } else {
    connection.sendFrame(opcode, fin, lasting(payload), 0, sent)
    if (payload.length >= referenceSize) connection.flush()
  }
}

/** Sends one message on an open link. Answers why it can't be sent. */
export const sendMessage = (
  link: Link,
  data: unknown,
  options: SendOptions,
  sent: Sent | undefined
): Error | undefined => {
  const payload = payloadOf(data)
  const binary = options.binary === undefined ? isBinary(data) : Boolean(options.binary)
  if (!link.draft.capabilities.binary) return sendText(link, payload, binary, sent)
  const mask = masks(link, options)
  if (typeof payload === "string" && !binary && mask === (link.role === "client")) {
    link.connection.sendText(payload, false, sent)
  } else {
    sendFrame(link, binary ? Opcode.binary : Opcode.text, true, bytesOf(payload), mask, sent)
  }
  return undefined
}

/** Hixie-76 has text alone, and masks nothing. */
const sendText = (
  link: Link,
  payload: string | Uint8Array,
  binary: boolean,
  sent: Sent | undefined
): Error | undefined => {
  if (binary) return new Error(`${link.draft.id} has no binary messages`)
  if (typeof payload === "string") {
    link.connection.sendText(payload, false, sent)
    return undefined
  }
  if (!isUtf8(payload)) return new Error(`${link.draft.id} has no messages but text, and this is not UTF-8`)
  link.connection.sendFrame(Opcode.text, true, Uint8Array.from(payload), 0, sent)
  return undefined
}

/** Sends a ping or a pong on an open link. Answers why it can't be sent. */
export const sendControl = (link: Link, opcode: number, data: unknown, options: SendOptions): Error | undefined => {
  if (!link.draft.capabilities.ping) return new Error(`${link.draft.id} has no pings and pongs`)
  const payload = bytesOf(data)
  if (payload.length > maxControlSize) {
    return new Error(`a ping or pong holds at most ${maxControlSize} bytes, not ${payload.length}`)
  }
  sendFrame(link, opcode, true, payload, masks(link, options), undefined)
  return undefined
}

/** One message that is sent piece by piece. */
interface Pieces {
  /** Sends a piece. Answers why it can't be sent. */
  push(data: unknown, final: boolean, sent: Sent | undefined): Error | undefined
}

/** Fragments, RFC 6455 §5.4. */
const fragments = (link: Link, options: SendOptions): Pieces => {
  const mask = masks(link, options)
  let opcode: number = options.binary ? Opcode.binary : Opcode.text
  return {
    push: (data, final, sent) => {
      sendFrame(link, opcode, final, bytesOf(data), mask, sent)
      opcode = Opcode.continuation
      return undefined
    }
  }
}

/** Where a draft has no fragments, the pieces wait for the last one. */
const gathered = (link: Link, options: SendOptions): Pieces => {
  const pieces: Array<Uint8Array> = []
  return {
    push: (data, final, sent) => {
      pieces.push(Uint8Array.from(bytesOf(data)))
      return final ? sendText(link, Buffer.concat(pieces), Boolean(options.binary), sent) : undefined
    }
  }
}

const piecesOf = (link: Link, options: SendOptions): Pieces =>
  link.draft.capabilities.fragments ? fragments(link, options) : gathered(link, options)

/** The message in pieces is complete, or given up: what waited for it is sent. */
const runQueue = (link: Link): void => {
  const { queue } = link
  link.queue = undefined
  if (queue !== undefined) for (const waiting of queue) waiting.run()
}

/** Asks `next` for the pieces of a message, one a tick. */
export const streamMessage = (
  link: Link,
  options: SendOptions,
  next: (error: Error | null, send: SendPiece) => void
): void => {
  const pieces = piecesOf(link, options)
  let over = false
  link.queue = []
  const send: SendPiece = (data, final = false) => {
    const error = over || !link.connection.isOpen ? notOpened() : pieces.push(data, final, undefined)
    if (error !== undefined) {
      over = true
      if (link.connection.isOpen) runQueue(link)
      next(error, send)
    } else if (final) {
      over = true
      runQueue(link)
    } else {
      process.nextTick(next, null, send)
    }
  }
  process.nextTick(next, null, send)
}

/**
 * Sends what a stream gives as one message, no faster than the peer takes it. `done` hears, once, that all of it was
 * sent, or why it never will be: a message that can't be completed ends the connection with 1011.
 */
export const pipeMessage = (link: Link, source: Readable, options: SendOptions, done: Sent): void => {
  const { connection } = link
  const pieces = piecesOf(link, options)
  link.queue = [{ run: () => {}, cancel: () => stop(notOpened()) }]

  const stop = (error: Error | undefined): void => {
    source.off("data", onData)
    source.off("end", onEnd)
    source.off("error", onError)
    source.off("close", onClose)
    if (error === undefined) return
    source.pause()
    if (connection.isOpen) {
      link.closesWith(1011, "")
      connection.close({ code: 1011, reason: "" })
    }
    runQueue(link)
    done(error)
  }
  const push = (data: unknown, final: boolean): void => {
    const error = connection.isOpen ? pieces.push(data, final, final ? done : undefined) : notOpened()
    if (error !== undefined) {
      stop(error)
    } else if (final) {
      stop(undefined)
      process.nextTick(runQueue, link)
    } else if (connection.full) {
      source.pause()
      connection.whenDrained(() => void source.resume())
    }
  }
  const onData = (data: unknown): void => push(data, false)
  const onEnd = (): void => push("", true)
  const onError = (error: Error): void => stop(error)
  const onClose = (): void => stop(new Error("the stream ended before its message was complete"))
  source.on("data", onData)
  source.on("end", onEnd)
  source.on("error", onError)
  source.on("close", onClose)
}
