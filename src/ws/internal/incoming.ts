import { Blob, isUtf8 } from "node:buffer"
import type { EventEmitter } from "node:events"
import type { Closed } from "../../internal/closing.ts"
import type { Connection, Face } from "../../internal/connection.ts"
import { Opcode } from "../../internal/opcode.ts"
import * as Violation from "../../internal/violation.ts"
import { type BinaryType, nothing, toArrayBuffer } from "./data.ts"

/** How what arrives is told. */
export interface IncomingOptions {
  readonly binaryType: BinaryType
  /** Whether several events may be emitted in one tick. */
  readonly synchronous: boolean
  readonly skipUtf8Validation: boolean
}

const isText = (opcode: number): boolean => opcode === Opcode.text

/** Emits what arrives on a connection: `message`, `ping` and `pong` events. */
export abstract class Incoming implements Face {
  binaryType: BinaryType
  /** Set before the connection starts. */
  declare connection: Connection
  protected readonly emitter: EventEmitter
  private readonly synchronous: boolean
  private readonly validateText: boolean
  /** The frames of a message that comes one by one. */
  private parts: Array<Buffer> | undefined = undefined
  private partsOpcode = 0

  constructor(emitter: EventEmitter, options: IncomingOptions) {
    this.emitter = emitter
    this.binaryType = options.binaryType
    this.synchronous = options.synchronous
    this.validateText = !options.skipUtf8Validation
  }

  /** The peer sent a close frame: its payload stands in `bytes[start, end)`. */
  abstract concluded(bytes: Buffer, start: number, end: number): void
  /** Nothing more will come. */
  abstract ended(): void
  abstract closed(closed: Closed): void

  // Face

  get wantsFragments(): boolean {
    return this.binaryType === "fragments" || this.binaryType === "blob"
  }

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const data = bytes.subarray(start, end)
    if (isText(opcode)) {
      if (this.validateText && !isUtf8(data)) return Violation.invalidUtf8
      this.tell("message", data, false)
    } else if (this.binaryType === "nodebuffer") {
      this.tell("message", data, true)
    } else {
      this.tell("message", this.convert(data.length === 0 ? [] : [data]), true)
    }
    return undefined
  }

  fragment(opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    if (opcode !== Opcode.continuation) {
      this.parts = []
      this.partsOpcode = opcode
    }
    const parts = this.parts ?? []
    if (end > start) parts.push(bytes.subarray(start, end))
    if (!fin) return undefined
    this.parts = undefined
    // The decoder has validated fragments of text.
    if (isText(this.partsOpcode)) this.tell("message", join(parts), false)
    else this.tell("message", this.convert(parts), true)
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
    if (this.synchronous) {
      this.emitEvent(name, data, isBinary)
      return
    }
    this.connection.suspend()
    setImmediate(() => {
      this.emitEvent(name, data, isBinary)
      this.connection.release()
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
