import { setImmediate } from "node:timers"
import { Blob, isUtf8 } from "node:buffer"
import type { EventEmitter } from "node:events"
import type { InputHandler } from "../../internal/connection/handler.ts"
import type { Inbound } from "../../internal/connection/inbound.ts"
import { Opcode } from "../../internal/protocol/opcode.ts"
import * as Violation from "../../internal/protocol/protocolError.ts"
import { type BinaryType, nothing, toArrayBuffer } from "./data.ts"

/** How what arrives is told. */
export interface IncomingOptions {
  /** Whether several events may be emitted in one tick. Default `true`. */
  readonly allowSynchronousEvents?: boolean | undefined
  /** Default `false`. */
  readonly skipUTF8Validation?: boolean | undefined
}

const isText = (opcode: number): boolean => opcode === Opcode.text

/** The frames of a message that come one by one. */
interface Parts {
  readonly opcode: number
  readonly all: Array<Buffer>
}

/** Emits what arrives on a connection: `message`, `ping` and `pong` events. */
export abstract class Incoming implements InputHandler {
  binaryType: BinaryType
  /** Set before anything arrives. */
  declare inbound: Inbound
  /** What events are emitted on. */
  protected emitter: EventEmitter
  private readonly options: IncomingOptions
  private parts: Parts | undefined = undefined

  constructor(emitter: EventEmitter, binaryType: BinaryType, options: IncomingOptions) {
    this.emitter = emitter
    this.binaryType = binaryType
    this.options = options
  }

  /** The peer sent a close frame: its payload stands in `bytes[start, end)`. */
  abstract concluded(bytes: Buffer, start: number, end: number): void
  /** Nothing more will come. */
  abstract ended(): void

  // InputHandler

  get wantsFragments(): boolean {
    return this.binaryType === "fragments" || this.binaryType === "blob"
  }

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const data = bytes.subarray(start, end)
    const binary = !isText(opcode)
    if (!binary && this.options.skipUTF8Validation !== true && !isUtf8(data)) return Violation.invalidUtf8
    if (binary && this.binaryType !== "nodebuffer") {
      this.tell("message", this.convert(data.length === 0 ? [] : [data]), true)
    } else if (this.options.allowSynchronousEvents === false) {
      this.tell("message", data, binary)
    } else {
      this.emitter.emit("message", data, binary)
    }
    return undefined
  }

  fragment(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const parts: Parts = opcode === Opcode.continuation && this.parts !== undefined ? this.parts : { opcode, all: [] }
    if (end > start) parts.all.push(bytes.subarray(start, end))
    this.parts = fin ? undefined : parts
    if (!fin) return undefined
    // The decoder has validated fragments of text.
    if (isText(parts.opcode)) this.tell("message", join(parts.all), false)
    else this.tell("message", this.convert(parts.all), true)
    return undefined
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): void {
    if (opcode === Opcode.close) this.concluded(bytes, start, end)
    else this.tell(opcode === Opcode.ping ? "ping" : "pong", bytes.subarray(start, end), undefined)
  }

  batchEnd(): void {}

  /** Emits one event. */
  protected emitEvent(name: "message" | "ping" | "pong", data: unknown, isBinary: boolean | undefined): void {
    if (isBinary === undefined) this.emitter.emit(name, data)
    else this.emitter.emit(name, data, isBinary)
  }

  private tell(name: "message" | "ping" | "pong", data: unknown, isBinary: boolean | undefined): void {
    if (this.options.allowSynchronousEvents !== false) {
      this.emitEvent(name, data, isBinary)
      return
    }
    this.inbound.suspend()
    setImmediate(() => {
      this.emitEvent(name, data, isBinary)
      this.inbound.release()
    })
  }

  private convert(parts: Array<Buffer>): unknown {
    switch (this.binaryType) {
      case "nodebuffer":
        return join(parts)
      case "arraybuffer":
        return toArrayBuffer(join(parts))
      case "fragments":
        return parts
      case "blob":
        return new Blob(parts)
    }
  }
}

const join = (parts: ReadonlyArray<Buffer>): Buffer => {
  const [first] = parts
  if (first === undefined) return nothing
  return parts.length === 1 ? first : Buffer.concat(parts)
}
