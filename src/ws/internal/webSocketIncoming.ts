import type { Connection } from "../../internal/connection/connection.ts"
import type { ConnectionHandler } from "../../internal/connection/handler.ts"
import { decodeClose } from "../../internal/protocol/closeFrame.ts"
import type { Violation } from "../../internal/protocol/protocolError.ts"
import { Receiver, type ReceiverSource } from "../Receiver.ts"
import type { SocketSettings, WebSocket } from "../WebSocket.ts"
import { type BinaryType, nothing } from "./data.ts"
import { errorOf } from "./errors.ts"
import { Incoming } from "./incoming.ts"

const emitViolation = (incoming: WebSocketIncoming, violation: Violation): void => incoming.fail(errorOf(violation))

/** Passes what a connection delivers on to its `WebSocket`. */
export class WebSocketIncoming extends Incoming implements ConnectionHandler, ReceiverSource {
  declare connection: Connection
  private readonly webSocket: WebSocket

  constructor(webSocket: WebSocket, binaryType: BinaryType, settings: SocketSettings) {
    super(webSocket, binaryType, settings)
    this.webSocket = webSocket
  }

  /** Names the connection that delivers here, before anything arrives. */
  attach(connection: Connection): void {
    this.connection = connection
    this.inbound = connection.inbound
  }

  /**
   * Makes the receiver that programs look for. From then on every event is emitted on it first, and its listeners pass
   * the event on to the `WebSocket`: a program that removes one of them keeps that event for itself.
   */
  makeReceiver(): Receiver {
    const { webSocket } = this
    const receiver = new Receiver(this)
    receiver.on("message", (data: unknown, isBinary: boolean) => webSocket.emit("message", data, isBinary))
    receiver.on("ping", (data: Buffer) => {
      webSocket._answerPing(data)
      webSocket.emit("ping", data)
    })
    receiver.on("pong", (data: Buffer) => webSocket.emit("pong", data))
    receiver.on("conclude", (code: number, reason: Buffer) => webSocket._concluded(code, reason))
    receiver.on("error", (error: Error) => webSocket._fail(error))
    this.emitter = receiver
    return receiver
  }

  get isServer(): boolean {
    return this.webSocket._isServer
  }

  get extensions(): WebSocket["_extensions"] {
    return this.webSocket._extensions
  }

  /** Reads bytes as if they had come over the transport. */
  read(chunk: Buffer, done: () => void): void {
    this.connection.received(chunk)
    done()
  }

  protected override emitEvent(name: "message" | "ping" | "pong", data: unknown, isBinary: boolean | undefined): void {
    if (name === "ping" && this.emitter === this.webSocket) this.webSocket._answerPing(data as Buffer)
    super.emitEvent(name, data, isBinary)
  }

  override concluded(bytes: Buffer, start: number, end: number): void {
    const { code = 1005 } = decodeClose(bytes, start, end)
    // A copy that shares no pool: what an ended connection keeps must not hold a read buffer alive.
    const reason =
      end - start > 2 ? Buffer.from(Uint8Array.prototype.slice.call(bytes, start + 2, end).buffer) : nothing
    const { emitter, webSocket } = this
    if (emitter instanceof Receiver) {
      emitter.emit("conclude", code, reason)
      emitter.end()
    } else {
      webSocket._concluded(code, reason)
    }
    if (this.connection.isOpen) this.ignoreClose()
  }

  override ended(): void {
    const { cause } = this.connection
    if (cause?._tag !== "Violation") return
    this.webSocket._violated()
    process.nextTick(emitViolation, this, cause.violation)
  }

  fail(error: Error): void {
    if (this.emitter === this.webSocket) this.webSocket._fail(error)
    else this.emitter.emit("error", error)
  }

  closed(): void {
    this.webSocket._socketClosed()
  }

  /** A program that overrides `close` answers later, or not at all: then this side ends when the peer does. */
  private ignoreClose(): void {
    this.inbound.stop()
    this.webSocket._socket?.once("end", () => this.connection.end())
  }
}
