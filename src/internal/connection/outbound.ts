import { types } from "node:util"
import { Opcode, rsv1 } from "../protocol/opcode.ts"
import { referenceSize } from "../protocol/outputBuffer.ts"
import { destroyedError } from "../transport/transport.ts"
import type { Written } from "../protocol/outputBuffer.ts"
import type { Compression } from "./compression.ts"
import { callAll, type FrameWriter } from "./frameWriter.ts"
import type { EncodedOptions, FrameOptions, Turn } from "./turn.ts"

/** What is notified by an outbound queue. */
export interface OutboundOwner {
  /** The close frame was encoded after everything that was sent before it. */
  closeWritten(): void
  /** What was accepted can't be sent: its source or its compression failed. */
  sendFailed(error: Error): void
}

/** A message or frame that waits for what was sent before it. */
interface Entry {
  readonly size: number
  readonly written: Written | undefined
  readonly run: () => void
}

/** Why what is sent has to wait in the queue. */
type Head =
  /** Nothing: what is sent is encoded at once. */
  | { readonly _tag: "Ready" }
  /** A message is being compressed on the thread pool. */
  | { readonly _tag: "Compressing"; readonly size: number; readonly written: Written | undefined }
  /** A turn holds the queue. `waiter` is called when the transport has room. */
  | { readonly _tag: "Held"; readonly turn: Turn; readonly waiter: (() => void) | undefined }

/**
 * - `Open`: messages are accepted.
 * - `Closing`: nothing more is accepted; what was accepted, and the close frame, are being written.
 * - `Ending`: then the transport is ended.
 * - `Ended`: the transport was ended or dropped, and nothing more is written.
 */
type Phase = "Open" | "Closing" | "Ending" | "Ended"

const ready: Head = { _tag: "Ready" }

const noOptions: FrameOptions = {}

/** Each flush of the compressor ends in these bytes, which the last frame of a message leaves out (RFC 7692 §7.2.1). */
const flushTail = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

/**
 * The send queue of a connection. Messages are encoded in the order in which they are sent, whatever one of them has to
 * wait for.
 */
export class Outbound {
  private readonly writer: FrameWriter
  private readonly compression: Compression | undefined
  private readonly owner: OutboundOwner
  private phase: Phase = "Open"
  private head: Head = ready
  private queue: Array<Entry | Turn> | undefined = undefined
  private queuedSize = 0
  /** Size of the messages that were compressed and may not be written yet. */
  private compressedSize = 0
  private waiters: Array<() => void> | undefined = undefined

  constructor(writer: FrameWriter, compression: Compression | undefined, owner: OutboundOwner) {
    this.writer = writer
    this.compression = compression
    this.owner = owner
  }

  /** Whether messages are accepted. */
  get isOpen(): boolean {
    return this.phase === "Open"
  }

  /** Whether nothing waits in the queue: what is sent now is encoded at once. */
  get isReady(): boolean {
    return this.head === ready
  }

  /** Whether a turn holds the queue. */
  get isHeld(): boolean {
    return this.head._tag === "Held"
  }

  /** Bytes that wait in the queue, the message under way included. */
  get queued(): number {
    return this.queuedSize
  }

  /** Bytes that are not written yet, framing included. */
  get buffered(): number {
    return this.writer.gathered + this.queuedSize + this.writer.transport.buffered
  }

  /** The part of `buffered` that the next flush will not write. */
  get stuck(): number {
    const { gathered, transport } = this.writer
    return (transport.congested ? gathered : 0) + this.queuedSize + transport.buffered
  }

  /** Size of the messages that are compressed and wait for the next flush, in bytes before compression. */
  get compressed(): number {
    return this.writer.gathered === 0 ? 0 : this.compressedSize
  }

  /** Whether a sender should wait until `whenWritable`. */
  get full(): boolean {
    const { gathered, settings, transport } = this.writer
    return transport.congested || gathered + this.queuedSize >= settings.writeHighWaterMark
  }

  // The four ways to send. Each returns whether the connection accepted it; only then `written` is called, later.

  /** Sends a whole message. Its bytes must not change until `written` is called, or until nothing is `buffered`. */
  message(
    message: string | Uint8Array,
    compress = true,
    written?: Written,
    opcode: number = typeof message === "string" ? Opcode.text : Opcode.binary,
    turn?: Turn
  ): boolean {
    if (!this.accepts(turn)) return false
    // Closures in these methods would cost their contexts on every call.
    if (this.head !== ready && !this.isHeldBy(turn)) this.queueMessage(message, compress, written, opcode)
    else this.encode(message, compress, written, opcode)
    return true
  }

  /** Queues one frame verbatim. The caller must not interleave frames of different messages. */
  frame(opcode: number, fin: boolean, payload: Uint8Array, options: FrameOptions = noOptions): boolean {
    const { turn, urgent } = options
    if (!this.accepts(turn)) return false
    if (this.head !== ready && urgent !== true && !this.isHeldBy(turn)) this.queueFrame(opcode, fin, payload, options)
    else this.encodeFrame(opcode, fin, payload, options)
    return true
  }

  /** Sends frames that were encoded before for this role and draft: so many messages. The bytes must not change. */
  encoded(bytes: Uint8Array, messages: number, options: EncodedOptions = noOptions): boolean {
    const { turn, urgent, written } = options
    if (!this.accepts(turn)) return false
    if (this.head !== ready && urgent !== true && !this.isHeldBy(turn)) this.queueEncoded(bytes, messages, written)
    else this.writer.encoded(bytes, messages, written)
    return true
  }

  /** Begins a turn once everything sent before is encoded. */
  turn(turn: Turn): boolean {
    if (this.phase !== "Open") return false
    this.queuedSize += turn.size
    if (this.head === ready) this.beginTurn(turn)
    else (this.queue ??= []).push(turn)
    return true
  }

  /** Takes back a turn that has not begun. Returns whether it was waiting. */
  withdraw(turn: Turn): boolean {
    const at = this.queue?.indexOf(turn) ?? -1
    if (at < 0) return false
    this.queue?.splice(at, 1)
    this.queuedSize -= turn.size
    return true
  }

  /** Ends a turn that holds the queue: sends its last part, then what waited for it. */
  endTurn(turn: Turn, sendLast?: () => void): void {
    if (!this.isHeldBy(turn)) return
    sendLast?.()
    // The last part may be compressed elsewhere, and the queue waits for that now.
    if (this.isHeldBy(turn)) this.setHead(ready)
    this.runQueue()
  }

  /** Ends a turn, and begins the next one before everything that waits. */
  passTurn(from: Turn, to: Turn): void {
    if (!this.isHeldBy(from)) return
    this.setHead({ _tag: "Held", turn: to, waiter: undefined })
  }

  /** Ends a turn that can't send what it stands for. What waited is lost too, and the transport ends. */
  failTurn(turn: Turn, error: Error): void {
    if (this.isHeldBy(turn)) this.fail(error)
  }

  /**
   * As `encoded`, in a write of their own. Returns `false`, and does nothing, where something has to be written before, or a
   * sender waits for room.
   */
  encodedAtOnce(bytes: Uint8Array, messages: number): boolean {
    if (this.phase !== "Open" || this.head !== ready || (this.waiters?.length ?? 0) > 0) return false
    return this.writer.encodedAtOnce(bytes, messages)
  }

  // Flow control.

  /** The same for the turn that holds the queue: what waits for the end of the turn doesn't count. */
  isFullFor(turn: Turn | undefined): boolean {
    return this.isHeldBy(turn) ? this.writer.full : this.full
  }

  /** Runs `task` once there is room to send, for everyone or for the turn that holds the queue, or the connection is closing. */
  whenWritable(task: () => void, turn?: Turn): void {
    const { head } = this
    if (this.phase !== "Open") task()
    else if (head._tag === "Held" && head.turn === turn) this.head = { ...head, waiter: task }
    else (this.waiters ??= []).push(task)
  }

  /** Takes back what was given to `whenWritable`. */
  forget(task: () => void): void {
    if (this.head._tag === "Held" && this.head.waiter === task) this.head = { ...this.head, waiter: undefined }
    const at = this.waiters?.indexOf(task) ?? -1
    if (at >= 0) this.waiters?.splice(at, 1)
  }

  /** The transport has room again. */
  drained(): void {
    const { writer } = this
    writer.releasePong(this.phase === "Open")
    writer.flush()
    if (!writer.full) this.wakeTurn()
    while (this.waiters !== undefined && this.waiters.length > 0 && !this.full) this.waiters.shift()?.()
    writer.flush()
  }

  /** Writes what was gathered. */
  flush(): void {
    this.writer.flush()
  }

  // The end.

  /** Accepts no more messages; those that were accepted are sent. */
  stopAccepting(): void {
    if (this.phase !== "Open") return
    this.phase = "Closing"
    this.wakeTurn()
    this.revokeTurns()
    const { waiters } = this
    this.waiters = undefined
    if (waiters !== undefined) for (const waiter of waiters) waiter()
  }

  /** Sends the close frame after everything that was accepted. */
  close(payload: Uint8Array): void {
    if (this.phase !== "Closing") return
    const run = (): void => {
      this.writer.close(payload)
      this.owner.closeWritten()
    }
    if (this.head === ready) run()
    else this.enqueue(payload.length, undefined, run)
  }

  /** Ends the transport after everything that was accepted, whether it is congested or not. */
  end(): void {
    if (this.phase === "Ended") return
    this.stopAccepting()
    this.phase = "Ending"
    if (this.head === ready) this.finish()
  }

  /** Forgets everything that is not written. Its write callbacks are called on the next tick, or by `call`. */
  discard(call: typeof callAll = callLater): void {
    this.stopAccepting()
    this.phase = "Ended"
    const { head } = this
    const unwritten = this.writer.discard()
    const queued = this.dropQueue()
    // An error captures a stack: every connection ends here, and few have callbacks that wait.
    if (unwritten.length > 0) call(unwritten, destroyedError())
    if (queued.length > 0) call(queued, lossOf(head))
  }

  /** Whether something can be sent: by a turn that was accepted before the connection began to close, too. */
  private accepts(turn: Turn | undefined): boolean {
    return this.phase === "Open" || (this.phase !== "Ended" && this.isHeldBy(turn))
  }

  private isHeldBy(turn: Turn | undefined): boolean {
    return turn !== undefined && this.head._tag === "Held" && this.head.turn === turn
  }

  private setHead(head: Head): void {
    this.queuedSize += sizeOf(head) - sizeOf(this.head)
    this.head = head
  }

  private enqueue(size: number, written: Written | undefined, run: () => void): void {
    this.queuedSize += size
    ;(this.queue ??= []).push({ size, written, run })
  }

  private beginTurn(turn: Turn): void {
    // Its size is counted since it was accepted.
    this.head = { _tag: "Held", turn, waiter: undefined }
    if (!turn.begin() && this.isHeldBy(turn)) this.setHead(ready)
  }

  /** The turn that holds the queue can go on. */
  private wakeTurn(): void {
    const { head } = this
    if (head._tag !== "Held" || head.waiter === undefined) return
    this.head = { ...head, waiter: undefined }
    head.waiter()
  }

  private runQueue(): void {
    while (this.head === ready) {
      const next = this.queue?.shift()
      if (next === undefined) break
      if ("begin" in next) {
        this.beginTurn(next)
      } else {
        this.queuedSize -= next.size
        next.run()
      }
    }
    if (this.head !== ready) return
    if (this.phase === "Ending") this.finish()
    else if (!this.writer.transport.congested) this.drained()
  }

  private queueMessage(
    message: string | Uint8Array,
    compress: boolean,
    written: Written | undefined,
    opcode: number
  ): void {
    this.enqueue(message.length, written, () => this.encode(message, compress, written, opcode))
  }

  private queueFrame(opcode: number, fin: boolean, payload: Uint8Array, options: FrameOptions): void {
    this.enqueue(payload.length, options.written, () => this.encodeFrame(opcode, fin, payload, options))
  }

  private queueEncoded(bytes: Uint8Array, messages: number, written: Written | undefined): void {
    this.enqueue(bytes.length, written, () => this.writer.encoded(bytes, messages, written))
  }

  private encode(message: string | Uint8Array, compress: boolean, written: Written | undefined, opcode: number): void {
    const { compression } = this
    if (compression !== undefined && compress && message.length * 3 >= compression.threshold) {
      const payload = typeof message === "string" ? Buffer.from(message) : message
      if (payload.length >= compression.threshold) return this.compress(opcode, true, payload, compression, written)
    }
    if (typeof message === "string") this.writer.text(opcode, message, written)
    else this.writer.frame(opcode, true, 0, message, written)
  }

  private encodeFrame(opcode: number, fin: boolean, payload: Uint8Array, options: FrameOptions): void {
    const { compress, rsv = 0, written } = options
    const { compression } = this
    if (compress !== true || compression === undefined) this.writer.frame(opcode, fin, rsv, payload, written)
    else this.compress(opcode, fin, payload, compression, written)
  }

  private compress(
    opcode: number,
    fin: boolean,
    payload: Uint8Array,
    compression: Compression,
    written: Written | undefined
  ): void {
    const compressed = compression.compressSync(payload)
    if (compressed !== undefined) {
      this.compressedSize = this.compressed + payload.length
      // The compressor's buffer is borrowed: what the output would only reference must be copied.
      const borrowed = fin && compressed.length >= referenceSize
      this.encodeCompressed(opcode, fin, borrowed ? Uint8Array.from(compressed) : compressed, written)
      return
    }
    this.compressElsewhere(opcode, fin, payload, compression, written)
  }

  private compressElsewhere(
    opcode: number,
    fin: boolean,
    payload: Uint8Array,
    compression: Compression,
    written: Written | undefined
  ): void {
    this.setHead({ _tag: "Compressing", size: payload.length, written })
    compression.compress(payload, (result) => {
      if (this.head._tag !== "Compressing") return
      this.setHead(ready)
      if (types.isNativeError(result)) {
        written?.(result)
        this.fail(result)
        return
      }
      this.encodeCompressed(opcode, fin, result, written)
      this.runQueue()
    })
  }

  private encodeCompressed(opcode: number, fin: boolean, compressed: Uint8Array, written: Written | undefined): void {
    const payload = fin ? compressed : Buffer.concat([compressed, flushTail])
    this.writer.frame(opcode, fin, opcode === Opcode.continuation ? 0 : rsv1, payload, written)
  }

  private finish(): void {
    this.phase = "Ended"
    this.writer.end()
  }

  /** What was accepted can't be sent: neither can what waits for it. */
  private fail(error: Error): void {
    const unwritten = this.dropQueue()
    this.owner.sendFailed(error)
    callAll(unwritten, error)
  }

  /** Revokes the turns that don't end soon. After a part of a message nothing can be sent but control frames. */
  private revokeTurns(): void {
    const { head, queue } = this
    const revoked = queue?.filter((entry) => "begin" in entry && !entry.endsSoon) ?? []
    if (revoked.length > 0) this.queue = queue?.filter((entry) => !revoked.includes(entry))
    for (const turn of revoked) this.queuedSize -= turn.size
    if (head._tag === "Held" && !head.turn.endsSoon) {
      const lost = head.turn.isUnfinished ? this.dropQueue() : []
      if (this.isHeldBy(head.turn)) this.setHead(ready)
      if (lost.length > 0) process.nextTick(callAll, lost, destroyedError())
      else this.runQueue()
      head.turn.revoked()
    }
    for (const turn of revoked) if ("begin" in turn) turn.revoked()
  }

  /** Empties the queue. Returns the write callbacks of what was lost, in order. */
  private dropQueue(): Array<Written> {
    const { head, queue } = this
    const entries = queue ?? []
    this.queue = undefined
    this.queuedSize = 0
    this.head = ready
    const lost = head._tag === "Compressing" && head.written !== undefined ? [head.written] : []
    for (const entry of entries) if (!("begin" in entry) && entry.written !== undefined) lost.push(entry.written)
    if (head._tag === "Held") head.turn.revoked()
    for (const entry of entries) if ("begin" in entry) entry.revoked()
    return lost
  }
}

const callLater: typeof callAll = (callbacks, error) => process.nextTick(callAll, callbacks, error)

/** The error of what waits in the queue when the transport is lost. */
const lossOf = (head: Head): Error => {
  const work =
    head._tag === "Compressing" ? "data was being compressed" : head._tag === "Held" ? head.turn.work : undefined
  return work === undefined ? destroyedError() : new Error(`The socket was closed while ${work}`)
}

const sizeOf = (head: Head): number => (head._tag === "Ready" ? 0 : head._tag === "Held" ? head.turn.size : head.size)
