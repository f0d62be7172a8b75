import type { NonEmptyReadonlyArray } from "effect/Array"
import { isUtf8 } from "node:buffer"
import { type Frame, isControl } from "../frame/model.ts"
import { MessageAssembler } from "../protocol/messageAssembler.ts"
import { decodeClose } from "../protocol/closeFrame.ts"
import type { Closed } from "../protocol/closeHandshake.ts"
import type { Connection } from "../connection/connection.ts"
import type { ConnectionHandler } from "../connection/handler.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { Counters } from "../connection/counters.ts"
import type { Timer } from "../connection/timers.ts"
import { decodeUtf8 } from "../protocol/utf8.ts"
import * as Violation from "../protocol/protocolError.ts"
import { SocketError } from "./error.ts"

/**
 * A message: a string for text, a `Uint8Array` for binary.
 *
 * @category models
 * @since 0.1.0
 */
export type Message = string | Uint8Array

/** What a message or frame costs beside its payload, in bytes, when the buffer counts what waits in it. */
const overhead = 64

/** How many times the limit may wait before reading stops in the middle of what was read. */
const holdFactor = 16

/**
 * How what arrives is kept.
 *
 * - `unclaimed`: as frames, until the first reader says what it wants.
 * - `frames`, `messages`: as the readers of these want it.
 * - `pieces`: as the fragments of messages, which no reader takes for frames.
 */
type View = "unclaimed" | "frames" | "messages" | "pieces"

/** How many pings and pongs in a row are recorded before the first reader. */
const maxControls = 16

const isControlFrame = (item: Frame | Message): boolean => typeof item === "object" && "_tag" in item && isControl(item)

/** How many messages end among the frames. */
const messagesIn = (items: ReadonlyArray<Frame | Message>): number => {
  let count = 0
  for (const item of items) {
    if (typeof item === "string" || !("_tag" in item) || (item.fin && !isControl(item))) count++
  }
  return count
}

/** A connection has one reader at a time. */
export const alreadyReading = new SocketError({
  reason: { _tag: "AlreadyReading", message: "the socket already has a reader, of messages or of frames" }
})

/** A reader that waits for something to take. */
export interface Waiter {
  wake(): void
}

/** The socket of a receive buffer. It is notified of pongs and of the end, whether anything is read or not. */
export interface Owner {
  readonly connection: Connection
  onPong(payload: Buffer): void
  onClosed(closed: Closed): void
}

/** How long what arrives is kept. */
type State =
  /** Beyond the limit, reading is paused. */
  | { readonly _tag: "Open" }
  /**
   * This side closes, and the peer's close frame comes after what it sent before. The reader takes that at its pace; one of
   * which is not known whether it reads on is given up when it takes nothing for `grace` milliseconds.
   */
  | { readonly _tag: "Closing"; readonly grace: number | undefined; readonly timer: Timer | undefined }
  /** This side closes, and nothing is read: the peer's close frame must arrive although the buffer is full. */
  | { readonly _tag: "Unread" }
  /** Something was discarded, and so is all that comes after it: what is read has no gap. */
  | { readonly _tag: "Discarding" }
  /** Nothing more will come. */
  | { readonly _tag: "Ended" }

const open: State = { _tag: "Open" }
const unread: State = { _tag: "Unread" }
const discarding: State = { _tag: "Discarding" }
const ended: State = { _tag: "Ended" }

const sizeOf = (item: Frame | Message): number =>
  overhead + (typeof item === "string" ? Buffer.byteLength(item) : "_tag" in item ? item.payload.length : item.length)

/**
 * What arrived and waits to be read. A batch is what one read brought; a reader takes all that waits at once. Nothing
 * that arrives before the first reader is lost, and beyond the limit reading is paused.
 */
export class ReceiveBuffer implements ConnectionHandler {
  private readonly limit: number
  private readonly counters: Counters | undefined
  private owner: Owner | undefined = undefined
  private state: State = open
  /** Woken, once, when there is something to take or nothing more will come. */
  private waiter: Waiter | undefined = undefined
  /** Run, once, when the reader waits. */
  private idleTask: (() => void) | undefined = undefined
  /** The reader that claimed last, unless it has left; this buffer, where it isn't known whether it has. */
  private reader: object | undefined = undefined
  private view: View = "unclaimed"
  private items: Array<Frame | Message> = []
  private size = 0
  /** Whether a message or a fragment came since the last look. */
  private active = false
  /** Called at the end of each batch that brought a message or a fragment. */
  private onArrival: (() => void) | undefined = undefined

  /** `limit` is how many bytes may wait before reading is paused; the counters counts the messages that are taken. */
  constructor(limit: number, counters?: Counters) {
    this.limit = limit
    this.counters = counters
  }

  attach(owner: Owner): void {
    this.owner = owner
  }

  /** Whether nothing more will come. */
  get over(): boolean {
    return this.state === ended
  }

  /** Bytes that wait, overhead included. */
  get held(): number {
    return this.size
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** Whether a message, or a part of one, came since the last call. */
  takeHeard(): boolean {
    const { active } = this
    this.active = false
    return active
  }

  /** Calls `arrived` at the end of each batch that brings a message or a fragment, in place of `takeHeard`. */
  watch(arrived: () => void): void {
    this.onArrival = arrived
  }

  // The reader.

  /** Asks for messages. Returns whether they can be had: not when frames were asked for before, nor while another reader waits. */
  claimMessages(reader: object = this): boolean {
    if (this.waiter !== undefined) return false
    if (this.view === "unclaimed" || this.view === "pieces") {
      this.view = "messages"
      const recorded = this.items
      this.items = []
      this.size = 0
      const partial = this.convert(recorded)
      const inbound = this.connection?.inbound
      if (partial !== undefined) inbound?.adopt(partial)
      // Fragments alone may have paused reading, and there is nothing to take that would resume it.
      if (this.items.length === 0 && inbound?.isPaused === true) inbound.resume()
    }
    if (this.view !== "messages") return false
    this.noteReader(reader)
    return true
  }

  /** Asks for the fragments of messages. Returns whether they can be had: not when frames were asked for before, nor while another reader waits. */
  claimPieces(): boolean {
    if (this.view === "frames" || this.waiter !== undefined) return false
    if (this.view === "unclaimed") this.dropControls()
    this.view = "pieces"
    this.noteReader(this)
    return true
  }

  /** Claims the rest of a message that is read in fragments. Returns whether it can be had: not when whole messages were asked for. */
  claimRest(): boolean {
    return this.view === "pieces" && this.claimPieces()
  }

  /** Asks for frames. Returns whether they can be had: not when messages were asked for before, nor while another reader waits. */
  claimFrames(reader: object = this): boolean {
    if (this.waiter !== undefined) return false
    if (this.view === "unclaimed") this.view = "frames"
    if (this.view !== "frames") return false
    this.noteReader(reader)
    return true
  }

  /** A reader that is known not to have left stays the reader, whatever its handler takes meanwhile. */
  private noteReader(reader: object): void {
    if (this.reader === undefined || this.reader === this) this.reader = reader
  }

  /** Wakes the reader, once, when there is something to take or nothing more will come. One reader can wait at a time. */
  await(waiter: Waiter): boolean {
    if (this.waiter !== undefined) return false
    this.waiter = waiter
    const { idleTask } = this
    this.idleTask = undefined
    idleTask?.()
    return true
  }

  /** Whether everything that came was taken and handled: the reader waits, or there is none. */
  get isIdle(): boolean {
    return this.isEmpty && (this.waiter !== undefined || this.reader === undefined)
  }

  /** Runs `task` once, the next time that the reader begins to wait. */
  whenIdle(task: () => void): void {
    this.idleTask = task
  }

  /** Takes back what was given to `await`. */
  forget(waiter: Waiter): void {
    if (this.waiter === waiter) this.waiter = undefined
  }

  /** The reader reads no more. */
  leave(reader: object): void {
    if (this.reader !== reader) return
    this.reader = undefined
    if (this.state._tag === "Closing") this.discardExcess()
  }

  /** Takes all that waits, of which there must be something. The items are what was claimed: `Message`s or `Frame`s. */
  take<Item extends Frame | Message = Frame | Message>(): NonEmptyReadonlyArray<Item> {
    const { items } = this
    this.items = []
    this.size = 0
    this.count(items, 1)
    this.readOn()
    return items as ReadonlyArray<Frame | Message> as NonEmptyReadonlyArray<Item>
  }

  /** Takes the first of what waits. */
  takeOne<Item extends Frame | Message = Frame | Message>(): NonEmptyReadonlyArray<Item> {
    if (this.items.length === 1) return this.take()
    const taken = this.items.splice(0, 1)
    for (const item of taken) this.size -= sizeOf(item)
    this.count(taken, 1)
    if (this.size <= this.limit) this.readOn()
    else this.restartTimer()
    return taken as ReadonlyArray<Frame | Message> as NonEmptyReadonlyArray<Item>
  }

  /** Puts back what a reader took and didn't handle, before everything that came since. */
  putBack(messages: ReadonlyArray<Message>): void {
    if (messages.length === 0) return
    this.items = [...messages, ...this.items]
    for (const message of messages) this.size += sizeOf(message)
    this.count(messages, -1)
    if (this.size > this.limit && this.isBounded) this.connection?.inbound.pause()
  }

  // The end.

  /**
   * This side closes, for which there are `time` milliseconds. A reader that goes on reading gets everything that the peer sent
   * before its close frame, at its pace; one that takes single messages does as long as it takes one in half of the time. Where
   * nothing is read, what exceeds the limit is discarded.
   */
  close(time: number): void {
    if (this.state !== open) return
    if (this.reader === undefined) return this.discardExcess()
    this.state = { _tag: "Closing", grace: this.reader === this ? time / 2 : undefined, timer: undefined }
    if (this.connection?.inbound.isPaused === true) this.restartTimer()
  }

  /** This side closes, and what is not read must not keep the peer's close frame from arriving. */
  discardExcess(): void {
    if (this.state._tag !== "Open" && this.state._tag !== "Closing") return
    this.stopTimer()
    this.state = unread
    this.connection?.inbound.resume()
  }

  // ConnectionHandler

  get wantsFragments(): boolean {
    return this.view !== "messages"
  }

  wantsPieces(length: number): boolean {
    return this.view === "pieces" || (this.view === "unclaimed" && length > holdFactor * this.limit)
  }

  get borrowsText(): boolean {
    return this.view === "messages"
  }

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    this.active = true
    if (this.view === "messages") {
      if (opcode === Opcode.text) {
        const text = decodeUtf8(bytes, start, end)
        if (text === undefined) return Violation.invalidUtf8
        this.add(text, end - start)
      } else {
        this.add(bytes.subarray(start, end), end - start)
      }
      return undefined
    }
    const payload = bytes.subarray(start, end)
    if (opcode === Opcode.text && !isUtf8(payload)) return Violation.invalidUtf8
    this.add({ _tag: opcode === Opcode.text ? "Text" : "Binary", fin: true, rsv: 0, payload }, end - start)
    return undefined
  }

  fragment(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): undefined {
    this.active = true
    // The rest of a message that was read in pieces, and not to its end.
    if (this.view === "messages") return
    const _tag = opcode === Opcode.continuation ? "Continuation" : opcode === Opcode.text ? "Text" : "Binary"
    this.add({ _tag, fin, rsv: 0, payload: bytes.subarray(start, end) }, end - start)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.pong) this.owner?.onPong(bytes.subarray(start, end))
    if (this.view === "messages" || this.view === "pieces") return
    if (this.view === "unclaimed" && opcode !== Opcode.close && !this.recordsControl(end - start)) return
    const payload = bytes.subarray(start, end)
    if (opcode === Opcode.close) {
      // The last frame there is; it is kept however much waits before it.
      this.keep({ _tag: "Close", fin: true, rsv: 0, ...decodeClose(bytes, start, end), payload }, end - start)
    } else {
      this.add({ _tag: opcode === Opcode.ping ? "Ping" : "Pong", fin: true, rsv: 0, payload }, end - start)
    }
  }

  /**
   * Whether a ping or pong is recorded before the first reader. There may never be one: those of keepalive alone must not
   * stop the reading, nor add up over hours.
   */
  private recordsControl(size: number): boolean {
    const { items } = this
    if (this.size + size + overhead > this.limit) return false
    if (items.length < maxControls) return true
    return items.slice(-maxControls).some((item) => !isControlFrame(item))
  }

  batchEnd(): void {
    const { onArrival } = this
    if (onArrival !== undefined && this.takeHeard()) onArrival()
    if (this.items.length > 0) this.wake()
    if (this.size > this.limit && this.isBounded) {
      this.connection?.inbound.pause()
      this.startTimer()
    }
  }

  ended(): void {
    this.stopTimer()
    this.state = ended
    this.wake()
  }

  closed(closed: Closed): void {
    this.owner?.onClosed(closed)
  }

  private get connection(): Connection | undefined {
    return this.owner?.connection
  }

  /** Whether what exceeds the limit waits at the peer. */
  private get isBounded(): boolean {
    return this.state._tag === "Open" || this.state._tag === "Closing"
  }

  private count(items: ReadonlyArray<Frame | Message>, sign: 1 | -1): void {
    const { counters } = this
    if (counters === undefined) return
    counters.countReceived(sign * (this.view === "messages" ? items.length : messagesIn(items)))
  }

  private readOn(): void {
    const inbound = this.connection?.inbound
    if (inbound?.isPaused !== true) return
    this.stopTimer()
    inbound.resume()
  }

  private startTimer(): void {
    const { connection, state } = this
    if (state._tag !== "Closing" || state.timer !== undefined || connection === undefined) return
    const { grace } = state
    if (grace === undefined) return
    const timer = connection.timers.after(grace, () => this.discardExcess())
    this.state = { _tag: "Closing", grace, timer }
  }

  private stopTimer(): void {
    const { state } = this
    if (state._tag !== "Closing" || state.timer === undefined) return
    state.timer.cancel()
    this.state = { _tag: "Closing", grace: state.grace, timer: undefined }
  }

  private restartTimer(): void {
    this.stopTimer()
    this.startTimer()
  }

  private add(item: Frame | Message, size: number): void {
    if (this.state === discarding) return
    if (this.size > this.limit && !this.isBounded) {
      this.state = discarding
      return
    }
    this.keep(item, size)
    if (this.size > holdFactor * this.limit && this.isBounded) this.connection?.inbound.hold()
  }

  private keep(item: Frame | Message, size: number): void {
    this.items.push(item)
    this.size += size + overhead
  }

  private wake(): void {
    const { waiter } = this
    this.waiter = undefined
    waiter?.wake()
  }

  /** Forgets the control frames that were recorded. */
  private dropControls(): void {
    const recorded = this.items
    this.items = []
    this.size = 0
    for (const item of recorded) if (!isControlFrame(item)) this.keep(item, sizeOf(item) - overhead)
    const inbound = this.connection?.inbound
    if (this.items.length === 0 && inbound?.isPaused === true) inbound.resume()
  }

  /** Makes messages of what was recorded. Returns the fragments of a message whose end has not come. */
  private convert(recorded: ReadonlyArray<Frame | Message>): MessageAssembler | undefined {
    let partial: MessageAssembler | undefined
    for (const frame of recorded) {
      if (typeof frame === "string" || !("_tag" in frame)) {
        this.keep(frame, sizeOf(frame) - overhead)
        continue
      }
      if (frame._tag === "Close" || frame._tag === "Ping" || frame._tag === "Pong") continue
      const payload = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
      if (frame._tag !== "Continuation" && frame.fin) {
        this.keep(frame._tag === "Text" ? payload.toString("utf8") : payload, payload.length)
        continue
      }
      // The rest of a message that was read in pieces, and not to its end.
      if (frame._tag === "Continuation" && partial === undefined) continue
      partial ??= new MessageAssembler(frame._tag === "Text" ? Opcode.text : Opcode.binary, 0, payload.length)
      partial.append(payload, 0, payload.length)
      if (!frame.fin) continue
      const whole = partial.take()
      this.keep(partial.opcode === Opcode.text ? whole.toString("utf8") : whole, whole.length)
      partial = undefined
    }
    return partial
  }
}
