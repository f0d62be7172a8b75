import type { NonEmptyReadonlyArray } from "effect/Array"
import { isUtf8 } from "node:buffer"
import { type Frame, isControl } from "../../Frame.ts"
import { Assembler } from "../protocol/messageAssembler.ts"
import { type Closed, decodeClose } from "../protocol/closeFrame.ts"
import type { Connection, Face } from "../connection/connection.ts"
import { Opcode } from "../protocol/opcode.ts"
import type { Tally } from "../connection/counters.ts"
import type { Timer } from "../connection/timers.ts"
import { decodeUtf8 } from "../protocol/utf8.ts"
import * as Violation from "../protocol/protocolError.ts"
import { SocketError } from "./error.ts"

/** A message: text as a string, bytes as they are. */
export type Message = string | Uint8Array

/** What a message or frame costs beside its payload, in bytes, when the inbox counts what waits in it. */
const overhead = 64

/** How many times the limit may wait before reading stops in the middle of what was read. */
const holdFactor = 16

/** How what arrives is kept. It is recorded as frames until the first reader says what it wants. */
type View = "unclaimed" | "frames" | "messages"

/** How many pings and pongs in a row are recorded before anybody has read. */
const mostControls = 16

const isControlFrame = (item: Frame | Message): boolean => typeof item === "object" && "_tag" in item && isControl(item)

/** How many messages end among the frames. */
const messagesIn = (items: ReadonlyArray<Frame | Message>): number => {
  let count = 0
  for (const item of items) {
    if (typeof item === "object" && "_tag" in item && item.fin && !isControl(item)) count++
  }
  return count
}

/** A connection has one reader. */
export const alreadyReading = new SocketError({
  reason: {
    _tag: "AlreadyReading",
    message: "a connection has one reader, of frames or of messages; somebody reads already"
  }
})

/** Who waits for something to take. */
export interface Waiter {
  wake(): void
}

/** Who hears of pongs and of the end, without reading. */
export interface Listener {
  onPong(payload: Buffer): void
  onClosed(closed: Closed): void
}

/**
 * What arrived and waits to be read. A batch is what one read brought; a reader takes all that waits at once. Nothing
 * that arrives before the first reader is lost, and beyond the limit the transport is paused.
 */
export class Inbox implements Face {
  /** Whether nothing more will come. */
  over = false
  private waiting: Waiter | undefined = undefined
  private idleTask: (() => void) | undefined = undefined
  private readonly limit: number
  private readonly tally: Tally | undefined
  private connection: Connection | undefined = undefined
  private listener: Listener | undefined = undefined
  private view: View = "unclaimed"
  private items: Array<Frame | Message> = []
  private size = 0
  private heard = false
  /** Once we have asked to close: how many milliseconds a reader may take nothing before what exceeds the limit is dropped. */
  private patience: number | undefined = undefined
  private impatience: Timer | undefined = undefined
  /** Something was dropped; so is all that comes after it, that what is read has no gap. */
  private deaf = false

  /** `limit` is how many bytes may wait before the transport is paused; the tally counts the messages that are taken. */
  constructor(limit: number, tally?: Tally) {
    this.limit = limit
    this.tally = tally
  }

  attach(connection: Connection, listener: Listener): void {
    this.connection = connection
    this.listener = listener
  }

  /** Woken, once, when there is something to take or nothing more will come. */
  get waiter(): Waiter | undefined {
    return this.waiting
  }

  set waiter(waiter: Waiter | undefined) {
    this.waiting = waiter
    const { idleTask } = this
    if (waiter === undefined || idleTask === undefined) return
    this.idleTask = undefined
    idleTask()
  }

  /** Runs `task` once, the next time that the reader begins to wait, having taken everything. */
  whenIdle(task: () => void): void {
    this.idleTask = task
  }

  /** Says that messages are wanted. Answers whether they can be had: not when frames were asked for before. */
  claimMessages(): boolean {
    if (this.view === "unclaimed") {
      this.view = "messages"
      const recorded = this.items as Array<Frame>
      this.items = []
      this.size = 0
      for (const frame of recorded) this.convert(frame)
      if (this.partial !== undefined) this.connection?.adopt(this.partial)
      this.partial = undefined
      // Fragments alone may have paused the transport, and there is nothing to take that would set it going again.
      if (this.items.length === 0 && this.connection?.isPaused === true) this.connection.resume()
    }
    return this.view === "messages"
  }

  /** Says that frames are wanted. Answers whether they can be had: not when messages were asked for before. */
  claimFrames(): boolean {
    if (this.view === "unclaimed") this.view = "frames"
    return this.view === "frames"
  }

  /** Bytes that wait, overhead included, those of fragments among them. */
  get held(): number {
    return this.size + (this.partial?.size ?? 0)
  }

  /** Whether a message, or a part of one, came since the last call. */
  takeHeard(): boolean {
    const { heard } = this
    this.heard = false
    return heard
  }

  /** Whether somebody has begun to read. */
  get isClaimed(): boolean {
    return this.view !== "unclaimed"
  }

  get isEmpty(): boolean {
    return this.items.length === 0
  }

  /** Takes all that waits, of which there must be something. The items are what was claimed: `Message`s or `Frame`s. */
  take<Item extends Frame | Message = Frame | Message>(): NonEmptyReadonlyArray<Item> {
    const { items, tally } = this
    if (tally !== undefined) tally.messagesReceived += this.view === "messages" ? items.length : messagesIn(items)
    this.items = []
    this.size = 0
    if (this.connection?.isPaused === true) {
      this.stopTimer()
      this.connection.resume()
    }
    return items as ReadonlyArray<Frame | Message> as NonEmptyReadonlyArray<Item>
  }

  /**
   * We have asked to close, and the peer's answer is behind what it sent before. A reader that keeps reading has it all,
   * at its pace; of what exceeds the limit the rest is dropped once it takes nothing for `patience` milliseconds.
   */
  awaitReader(patience: number): void {
    if (this.over) return
    if (this.view === "unclaimed") return this.dropExcess()
    this.patience = patience
    if (this.connection?.isPaused === true) this.startTimer()
  }

  /** We have asked to close: what nobody reads must not keep the peer's answer from arriving. */
  dropExcess(): void {
    this.patience = undefined
    this.stopTimer()
    this.connection?.resume()
  }

  // Face

  get wantsFragments(): boolean {
    return this.view !== "messages"
  }

  get lendText(): boolean {
    return this.view === "messages"
  }

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    this.heard = true
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
    this.heard = true
    const _tag = opcode === Opcode.continuation ? "Continuation" : opcode === Opcode.text ? "Text" : "Binary"
    this.add({ _tag, fin, rsv: 0, payload: bytes.subarray(start, end) }, end - start)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.pong) this.listener?.onPong(bytes.subarray(start, end))
    if (this.view === "messages") return
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
   * Whether a ping or pong is recorded before anybody has read. Perhaps nobody ever does: those of keepalive alone must not
   * stop the reading, nor add up over hours.
   */
  private recordsControl(size: number): boolean {
    const { items } = this
    if (this.size + size + overhead > this.limit) return false
    if (items.length < mostControls) return true
    return items.slice(-mostControls).some((item) => !isControlFrame(item))
  }

  batchEnd(): void {
    if (this.items.length > 0) this.wake()
    if (this.size > this.limit && this.waits) {
      this.connection?.pause()
      if (this.patience !== undefined) this.startTimer()
    }
  }

  ended(): void {
    this.over = true
    this.stopTimer()
    this.wake()
  }

  closed(closed: Closed): void {
    this.listener?.onClosed(closed)
  }

  /** Whether what exceeds the limit waits at the peer. */
  private get waits(): boolean {
    return this.connection?.isOpen === true || this.patience !== undefined
  }

  private startTimer(): void {
    const { connection, patience } = this
    if (patience !== undefined) this.impatience ??= connection?.timers.after(patience, () => this.dropExcess())
  }

  private stopTimer(): void {
    this.impatience?.cancel()
    this.impatience = undefined
  }

  private add(item: Frame | Message, size: number): void {
    if (this.deaf) return
    if (this.size > this.limit && !this.waits) {
      this.deaf = true
      return
    }
    this.keep(item, size)
    if (this.size > holdFactor * this.limit && this.waits) this.connection?.hold()
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

  // The fragments recorded so far of a message whose end has not come.
  private partial: Assembler | undefined = undefined

  private convert(frame: Frame): void {
    if (frame._tag === "Close" || frame._tag === "Ping" || frame._tag === "Pong") return
    const payload = Buffer.from(frame.payload.buffer, frame.payload.byteOffset, frame.payload.length)
    const first = frame._tag !== "Continuation"
    if (first && frame.fin) {
      this.keep(frame._tag === "Text" ? payload.toString("utf8") : payload, payload.length)
      return
    }
    const assembler = (this.partial ??= new Assembler(
      frame._tag === "Text" ? Opcode.text : Opcode.binary,
      0,
      payload.length
    ))
    assembler.append(payload, 0, payload.length)
    if (frame.fin) {
      const whole = assembler.take()
      this.partial = undefined
      this.keep(assembler.opcode === Opcode.text ? whole.toString("utf8") : whole, whole.length)
    }
  }
}
