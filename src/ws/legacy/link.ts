import type { EventEmitter } from "node:events"
import type { Duplex } from "node:stream"
import { decodeClose } from "../../internal/protocol/closeFrame.ts"
import type { Role } from "../../internal/protocol/codec.ts"
import { Connection } from "../../internal/connection/connection.ts"
import { DuplexTransport } from "../../internal/transport/duplex.ts"
import type { ConnectionHandler } from "../../internal/connection/handler.ts"
import { throwLater } from "../../internal/connection/flush.ts"
import type { OpeningDraft as Draft } from "../../internal/protocol/opening/model.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import { systemTimers } from "../../internal/connection/timers.ts"
import type { Borrowed } from "../../internal/protocol/codec.ts"
import { decodeUtf8 } from "../../internal/protocol/utf8.ts"
import * as Violation from "../../internal/protocol/protocolError.ts"
import { reasonOf } from "./reasons.ts"
import type { ControlFlags, Flags, ReadyState } from "./types.ts"

/** Milliseconds that the closing handshake, and the end of the transport, may take. */
export const closeTimeout = 30_000

/** Longest message in bytes, unless an option says otherwise. */
export const defaultMaxPayload = 100 * 1024 * 1024

/** Bytes of messages that wait for the first listener of `message`. */
const keepSize = 64 * 1024

/** What such a message costs besides its bytes. */
const keepOverhead = 64

/** The `WebSocket` of a link. */
export interface Owner extends EventEmitter {
  /** Called with the number of bytes of each read. */
  linkReceived(count: number): void
  /** The connection is gone: how `close` is told. */
  linkClosed(code: number, message: string | Uint8Array): void
}

export interface LinkOptions {
  readonly role: Role
  readonly draft: Draft
  readonly maxPayload: number
}

/** A connection that counts, for its owner, the bytes it reads. */
class CountingConnection extends Connection {
  private readonly owner: Owner

  constructor(owner: Owner, handler: ConnectionHandler, socket: Duplex, { draft, maxPayload, role }: LinkOptions) {
    super(handler, {
      transport: new DuplexTransport(socket),
      codec: draft.codec,
      role,
      timers: systemTimers,
      maxMessageSize: maxPayload,
      writeHighWaterMark: 64 * 1024,
      closeTimeout,
      echoReason: true,
      clientEnds: true,
      minimalLength: false
    })
    this.owner = owner
  }

  override received(chunk: Buffer, borrowed?: Borrowed): void {
    this.owner.linkReceived(chunk.length)
    super.received(chunk, borrowed)
  }
}

/** An open connection of one `WebSocket`: turns what arrives into its events. */
export class Link implements ConnectionHandler {
  readonly wantsFragments = false
  readonly socket: Duplex
  readonly role: Role
  readonly draft: Draft
  readonly connection: Connection
  private readonly owner: Owner
  private code: number | undefined = undefined
  private reason: string | Uint8Array = ""
  /** The messages that came before anybody listened. */
  private kept: Array<readonly [data: string | Buffer, flags: Flags]> | undefined = undefined
  private keptSize = 0
  private heard = false

  constructor(owner: Owner, socket: Duplex, options: LinkOptions) {
    this.owner = owner
    this.socket = socket
    this.role = options.role
    this.draft = options.draft
    this.connection = new CountingConnection(owner, this, socket, options)
  }

  get readyState(): ReadyState {
    return this.connection.isOpen ? 1 : this.connection.closedAs === undefined ? 2 : 3
  }

  /** Says how `close` will be told, unless it was said before. */
  closesWith(code: number | undefined, reason: string | Uint8Array): void {
    if (this.code !== undefined) return
    this.code = code ?? 1000
    this.reason = reason
  }

  /** Somebody listens to `message` now. */
  listened(): void {
    if (this.kept !== undefined && !this.heard) process.nextTick(releaseKept, this)
  }

  /** Tells what was kept. */
  release(): void {
    const { kept } = this
    this.heard = true
    this.kept = undefined
    if (kept !== undefined) for (const [data, flags] of kept) this.emitMessage(data, flags)
  }

  // ConnectionHandler

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const masked = this.role === "server"
    if (opcode === Opcode.binary) {
      const buffer = bytes.subarray(start, end)
      this.tellMessage(buffer, { masked, buffer, binary: true })
      return undefined
    }
    const text = decodeUtf8(bytes, start, end)
    if (text === undefined) return Violation.invalidUtf8
    this.tellMessage(text, this.draft.capabilities.masking ? { masked, buffer: bytes.subarray(start, end) } : {})
    return undefined
  }

  fragment(): undefined {}

  control(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.close) {
      const { code, reason } = decodeClose(bytes, start, end)
      this.closesWith(code, reason)
      return
    }
    const flags: ControlFlags = { masked: this.role === "server", binary: true }
    // An error that a listener throws must not stop the decoder.
    try {
      this.owner.emit(
        opcode === Opcode.ping ? "ping" : "pong",
        end === start ? null : bytes.subarray(start, end),
        flags
      )
    } catch (error) {
      throwLater(error)
    }
  }

  batchEnd(): void {}

  ended(): void {
    const { cause } = this.connection
    if (cause?._tag !== "Violation") return
    this.closesWith(cause.violation.closeCode, "")
    process.nextTick(tellViolation, this.owner, cause.violation)
  }

  closed(): void {
    this.kept = undefined
    this.owner.linkClosed(this.code ?? 1000, this.reason)
  }

  private tellMessage(data: string | Buffer, flags: Flags): void {
    if (this.heard) this.emitMessage(data, flags)
    else this.keepOrTell(data, flags)
  }

  private keepOrTell(data: string | Buffer, flags: Flags): void {
    if (this.owner.listenerCount("message") > 0) {
      this.release()
      this.emitMessage(data, flags)
      return
    }
    this.keptSize += keepOverhead + data.length
    if (this.keptSize <= keepSize) {
      ;(this.kept ??= []).push([data, flags])
    } else {
      // Nobody seems to want them.
      this.kept = undefined
      this.heard = true
    }
  }

  private emitMessage(data: string | Buffer, flags: Flags): void {
    try {
      this.owner.emit("message", data, flags)
    } catch (error) {
      throwLater(error)
    }
  }
}

const releaseKept = (link: Link): void => link.release()

/** A peer that breaks the protocol must not end the process for want of a listener. */
const tellViolation = (owner: Owner, violation: Violation.Violation): void => {
  if (owner.listenerCount("error") > 0) owner.emit("error", reasonOf(violation), violation.closeCode)
}
