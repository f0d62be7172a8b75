import { isUtf8 } from "node:buffer"
import type { Readable } from "node:stream"
import type { EncodedOptions, Turn } from "../../internal/connection/turn.ts"
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
  sending: EncodedOptions
): void => {
  const { outbound } = link.connection
  if (mask !== (link.role === "client")) {
    const messages = fin && opcode <= Opcode.binary ? 1 : 0
    outbound.encoded(encodeFrame(opcode, fin, 0, payload, mask ? randomKey() : undefined), messages, sending)
  } else {
    outbound.frame(opcode, fin, lasting(payload), sending)
    if (payload.length >= referenceSize) outbound.flush()
  }
}

const sendNow = (link: Link, data: unknown, options: SendOptions, sending: EncodedOptions): Error | undefined => {
  const payload = payloadOf(data)
  const binary = options.binary === undefined ? isBinary(data) : Boolean(options.binary)
  if (!link.draft.capabilities.binary) return sendText(link, payload, binary, sending)
  const mask = masks(link, options)
  if (typeof payload === "string" && !binary && mask === (link.role === "client")) {
    link.connection.outbound.message(payload, false, sending.written, Opcode.text, sending.turn)
  } else {
    sendFrame(link, binary ? Opcode.binary : Opcode.text, true, bytesOf(payload), mask, sending)
  }
  return undefined
}

/** A message that waits until another one is sent in pieces. */
class WaitingMessage implements Turn {
  readonly size = 0
  readonly endsSoon = false
  readonly isUnfinished = false
  private readonly send: (turn: Turn) => void
  readonly revoked: () => void

  constructor(send: (turn: Turn) => void, revoked: () => void) {
    this.send = send
    this.revoked = revoked
  }

  begin(): boolean {
    this.send(this)
    return false
  }
}

/** Sends one message on an open link, in its turn. `failed` is called with the reason when it can't be sent. */
export const sendMessage = (
  link: Link,
  data: unknown,
  options: SendOptions,
  written: Sent | undefined,
  failed: (error: Error) => void
): void => {
  const { outbound } = link.connection
  const send = (turn?: Turn): void => {
    const error = sendNow(link, data, options, { written, turn })
    if (error !== undefined) failed(error)
  }
  if (outbound.isReady) send()
  else outbound.turn(new WaitingMessage(send, () => written?.(notOpened())))
}

/** Hixie-76 has text alone, and masks nothing. */
const sendText = (
  link: Link,
  payload: string | Uint8Array,
  binary: boolean,
  sending: EncodedOptions
): Error | undefined => {
  if (binary) return new Error(`${link.draft.id} has no binary messages`)
  if (typeof payload === "string") {
    link.connection.outbound.message(payload, false, sending.written, Opcode.text, sending.turn)
    return undefined
  }
  if (!isUtf8(payload)) return new Error(`${link.draft.id} has no messages but text, and this is not UTF-8`)
  link.connection.outbound.frame(Opcode.text, true, Uint8Array.from(payload), sending)
  return undefined
}

/** Sends a ping or a pong on an open link. Returns why it can't be sent. */
export const sendControl = (link: Link, opcode: number, data: unknown, options: SendOptions): Error | undefined => {
  if (!link.draft.capabilities.ping) return new Error(`${link.draft.id} has no pings and pongs`)
  const payload = bytesOf(data)
  if (payload.length > maxControlSize) {
    return new Error(`a ping or pong holds at most ${maxControlSize} bytes, not ${payload.length}`)
  }
  sendFrame(link, opcode, true, payload, masks(link, options), { urgent: true })
  return undefined
}

/** One message that is sent piece by piece. */
interface Pieces {
  /** Whether a part of it was sent. */
  readonly isBegun: boolean
  /** Sends a piece. Returns why it can't be sent. */
  push(data: unknown, final: boolean, sending: EncodedOptions): Error | undefined
}

/** Fragments, RFC 6455 §5.4. */
class Fragments implements Pieces {
  isBegun = false
  private readonly link: Link
  private readonly mask: boolean
  private readonly opcode: number

  constructor(link: Link, options: SendOptions) {
    this.link = link
    this.mask = masks(link, options)
    this.opcode = options.binary ? Opcode.binary : Opcode.text
  }

  push(data: unknown, final: boolean, sending: EncodedOptions): undefined {
    const opcode = this.isBegun ? Opcode.continuation : this.opcode
    this.isBegun = true
    sendFrame(this.link, opcode, final, bytesOf(data), this.mask, sending)
  }
}

/** Where a draft has no fragments, the pieces wait for the last one. */
class GatheredPieces implements Pieces {
  readonly isBegun = false
  private readonly link: Link
  private readonly binary: boolean
  private readonly pieces: Array<Uint8Array> = []

  constructor(link: Link, options: SendOptions) {
    this.link = link
    this.binary = Boolean(options.binary)
  }

  push(data: unknown, final: boolean, sending: EncodedOptions): Error | undefined {
    this.pieces.push(Uint8Array.from(bytesOf(data)))
    return final ? sendText(this.link, Buffer.concat(this.pieces), this.binary, sending) : undefined
  }
}

/**
 * - `failed`: the message will never be complete, but the connection doesn't know yet.
 * - `over`: the message is complete, or given up.
 */
type Progress = "waiting" | "sending" | "failed" | "over"

/** A message that is sent in pieces: it holds the send queue from its turn to its last piece. */
abstract class PiecewiseMessage implements Turn {
  readonly size = 0
  readonly endsSoon = false
  protected readonly link: Link
  protected progress: Progress = "waiting"
  private readonly pieces: Pieces

  constructor(link: Link, options: SendOptions) {
    this.link = link
    this.pieces = link.draft.capabilities.fragments ? new Fragments(link, options) : new GatheredPieces(link, options)
  }

  get isUnfinished(): boolean {
    return this.pieces.isBegun && this.progress !== "over"
  }

  begin(): boolean {
    this.progress = "sending"
    this.start()
    return true
  }

  abstract revoked(): void

  /** Its turn has come. */
  protected abstract start(): void

  /** Sends a piece. Returns why it can't be sent. */
  protected push(data: unknown, final: boolean, written?: Sent): Error | undefined {
    if (this.progress !== "sending" || !this.link.connection.isOpen) return notOpened()
    return this.pieces.push(data, final, { written, turn: this })
  }

  /** The message is complete, or given up: what waited for it is sent. */
  protected end(): void {
    this.progress = "over"
    this.link.connection.outbound.endTurn(this)
  }
}

/** Asks a callback for the pieces, one a tick. */
class CallbackMessage extends PiecewiseMessage {
  private readonly next: (error: Error | null, send: SendPiece) => void

  constructor(link: Link, options: SendOptions, next: (error: Error | null, send: SendPiece) => void) {
    super(link, options)
    this.next = next
  }

  protected override start(): void {
    process.nextTick(this.next, null, this.send)
  }

  override revoked(): void {
    const waited = this.progress === "waiting"
    this.progress = "over"
    if (waited) this.next(notOpened(), refusePiece)
  }

  private readonly send: SendPiece = (data, final = false) => {
    const error = this.push(data, final)
    if (error !== undefined) {
      this.end()
      this.next(error, this.send)
    } else if (final) {
      this.end()
    } else {
      process.nextTick(this.next, null, this.send)
    }
  }
}

export const refusePiece: SendPiece = () => {
  throw notOpened()
}

/** Takes the pieces from a stream, no faster than the peer reads. A message that can't be completed ends the connection with 1011. */
class PipedMessage extends PiecewiseMessage {
  private readonly source: Readable
  private readonly done: Sent

  constructor(link: Link, source: Readable, options: SendOptions, done: Sent) {
    super(link, options)
    this.source = source
    this.done = done
  }

  protected override start(): void {
    const { source } = this
    source.on("data", this.onData)
    source.on("end", this.onEnd)
    source.on("error", this.onError)
    source.on("close", this.onClose)
  }

  override revoked(): void {
    if (this.progress === "waiting" || this.progress === "sending") this.stop(notOpened())
    this.progress = "over"
  }

  private stop(error: Error | undefined): void {
    const { link, source } = this
    source.off("data", this.onData)
    source.off("end", this.onEnd)
    source.off("error", this.onError)
    source.off("close", this.onClose)
    if (error === undefined) return this.end()
    source.pause()
    if (this.isUnfinished && link.connection.isOpen) {
      this.progress = "failed"
      link.closesWith(1011, "")
      link.connection.close({ code: 1011, reason: "" })
    } else {
      this.end()
    }
    this.done(error)
  }

  private piece(data: unknown, final: boolean): void {
    const { outbound } = this.link.connection
    const error = this.push(data, final, final ? this.done : undefined)
    if (error !== undefined) {
      this.stop(error)
    } else if (final) {
      this.stop(undefined)
    } else if (outbound.isFullFor(this)) {
      this.source.pause()
      outbound.whenWritable(() => void this.source.resume(), this)
    }
  }

  private readonly onData = (data: unknown): void => this.piece(data, false)
  private readonly onEnd = (): void => this.piece("", true)
  private readonly onError = (error: Error): void => this.stop(error)
  private readonly onClose = (): void => this.stop(new Error("the stream ended before its message was complete"))
}

/** Asks `next` for the pieces of a message, in its turn. */
export const streamMessage = (
  link: Link,
  options: SendOptions,
  next: (error: Error | null, send: SendPiece) => void
): void => void link.connection.outbound.turn(new CallbackMessage(link, options, next))

/** Sends what a stream gives as one message, in its turn. `done` is called once: when it was written, or with the reason why not. */
export const pipeMessage = (link: Link, source: Readable, options: SendOptions, done: Sent): void =>
  void link.connection.outbound.turn(new PipedMessage(link, source, options, done))
