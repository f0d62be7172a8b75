import { isUtf8 } from "node:buffer"
import { randomBytes } from "node:crypto"
import { connect, createServer, type Socket } from "node:net"
import { type DeflateAsk, type FrameSpec, opcodes } from "../case.ts"
import { type Agreement, agreeAsClient, agreeAsServer, Compressor, Decompressor, offer } from "../deflate.ts"
import { readHead, writeAnswer, writeRequest } from "../http.ts"
import { encode, type Frame, FrameReader, fragmentsOf } from "../wire.ts"
import type { Target } from "./target.ts"

/** What the toy can be made to do wrong. */
export type Fault =
  | "flips a bit"
  | "answers text as binary"
  | "echoes twice"
  | "ignores pings"
  | "answers pongs"
  | "never closes"
  | "closes with a wrong code"
  | "drops instead of closing"
  | "speaks after its close"
  | "leaves TCP open"
  | "takes reserved bits"
  | "takes reserved opcodes"
  | "takes stray continuations"
  | "takes long control frames"
  | "takes any text"
  | "takes any close code"
  | "masks the wrong way"
  | "writes long lengths"
  | "declines compression"
  | "marks each fragment compressed"
  | "marks plain data compressed"
  | "forgets its context"
  | "keeps its context"
  | "ignores the window"

const ask: ReadonlyArray<DeflateAsk> = [{ noContextTakeover: false }]

/** An echo on the driver's own framing: not to test that, but to show that each fault is seen. */
class Toy {
  private readonly socket: Socket
  private readonly isServer: boolean
  private readonly fault: Fault | undefined
  private readonly reader = new FrameReader()
  private readonly compressor: Compressor | undefined
  private readonly decompressor: Decompressor | undefined
  private message: { readonly opcode: number; readonly compressed: boolean; readonly parts: Array<Buffer> } | undefined
  private readonly rest: Buffer
  private closed = false

  constructor(
    socket: Socket,
    isServer: boolean,
    rest: Buffer,
    agreement: Agreement | undefined,
    fault: Fault | undefined
  ) {
    this.socket = socket
    this.isServer = isServer
    this.fault = fault
    if (agreement !== undefined) {
      const { own, peer } = agreement
      this.compressor = new Compressor({
        noContextTakeover: own.noContextTakeover && fault !== "keeps its context",
        windowBits: fault === "ignores the window" ? 15 : own.windowBits
      })
      this.decompressor = new Decompressor({
        noContextTakeover: peer.noContextTakeover || fault === "forgets its context",
        windowBits: peer.windowBits
      })
    }
    this.rest = rest
  }

  /** Echoes until the connection is over. */
  run(): void {
    this.socket.on("data", (chunk) => this.received(chunk))
    this.received(this.rest)
    this.socket.resume()
  }

  private received(chunk: Buffer): void {
    this.reader.push(chunk)
    for (let frame = this.reader.next(); frame !== undefined; frame = this.reader.next()) {
      if (!this.closed) this.take(frame)
    }
  }

  private write(spec: FrameSpec): void {
    const masks = this.isServer === (this.fault === "masks the wrong way")
    const bytes = encode(spec, masks ? randomBytes(4) : undefined)
    if (this.fault === "writes long lengths" && bytes.readUInt8(1) <= 125) {
      const length = bytes.readUInt8(1)
      this.socket.write(Buffer.concat([bytes.subarray(0, 1), Buffer.of(126, 0, length), bytes.subarray(2)]))
    } else this.socket.write(bytes)
  }

  private fail(code: number): void {
    this.close(Buffer.of(code >> 8, code & 0xff))
  }

  private close(payload: Buffer): void {
    this.closed = true
    if (this.fault === "never closes") return
    if (this.fault === "drops instead of closing") {
      this.socket.destroy()
      return
    }
    this.write({
      opcode: opcodes.close,
      payload: this.fault === "closes with a wrong code" ? Buffer.of(0x0f, 0xa0) : payload
    })
    if (this.fault === "speaks after its close") this.write({ opcode: opcodes.pong })
    if (this.isServer && this.fault !== "leaves TCP open") this.socket.end()
  }

  private take(frame: Frame): void {
    const { fault } = this
    const { opcode, payload, rsv } = frame
    const isControl = opcode >= 8
    const rsvMayBe = rsv === 0 || (rsv === 4 && this.decompressor !== undefined && !isControl)
    if (!rsvMayBe && fault !== "takes reserved bits") return this.fail(1002)
    const tooLong = isControl && (payload.length > 125 || !frame.fin)
    if (tooLong && fault !== "takes long control frames") return this.fail(1002)
    switch (opcode) {
      case opcodes.text:
      case opcodes.binary:
      case opcodes.continuation: {
        if ((opcode === opcodes.continuation) !== (this.message !== undefined)) {
          if (fault !== "takes stray continuations") return this.fail(1002)
          return
        }
        this.message ??= { opcode, compressed: rsv === 4, parts: [] }
        this.message.parts.push(payload)
        return frame.fin ? this.echo() : undefined
      }
      case opcodes.ping:
        return fault === "ignores pings"
          ? undefined
          : this.write({ opcode: opcodes.pong, payload: payload.subarray(0, 125) })
      case opcodes.pong:
        return fault === "answers pongs" ? this.write({ opcode: opcodes.pong, payload }) : undefined
      case opcodes.close:
        return this.answerClose(payload)
      default:
        return fault === "takes reserved opcodes" ? undefined : this.fail(1002)
    }
  }

  private answerClose(payload: Buffer): void {
    if (this.fault !== "takes any close code") {
      const code = payload.length === 0 ? 1000 : payload.length === 1 ? 0 : payload.readUInt16BE(0)
      const known = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || code >= 3000
      if (!known || code > 4999) return this.fail(1002)
      if (!isUtf8(payload.subarray(2))) return this.fail(1007)
    }
    this.close(payload.subarray(0, 2))
  }

  private echo(): void {
    const { fault, message } = this
    this.message = undefined
    if (message === undefined) return
    let payload: Buffer = Buffer.concat(message.parts)
    if (message.compressed && this.decompressor !== undefined) {
      try {
        payload = this.decompressor.decompress(payload)
      } catch {
        return this.fail(1007)
      }
    }
    if (message.opcode === opcodes.text && !isUtf8(payload) && fault !== "takes any text") return this.fail(1007)
    if (fault === "flips a bit" && payload.length > 0) payload[0] = (payload[0] ?? 0) ^ 1
    const opcode = fault === "answers text as binary" ? opcodes.binary : message.opcode
    this.send(opcode, payload)
    if (fault === "echoes twice") this.send(opcode, payload)
  }

  private send(opcode: number, payload: Buffer): void {
    const plain = this.compressor === undefined || this.fault === "marks plain data compressed"
    const bytes = plain ? payload : this.compressor.compress(payload)
    const rsv = this.compressor === undefined ? 0 : 4
    const fragment = this.fault === "marks each fragment compressed" ? 4 : 0
    for (const frame of fragmentsOf(opcode, bytes, fragment, rsv)) {
      this.write(fragment === 0 ? frame : { ...frame, rsv })
    }
  }
}

/** The toy as a target, faultless or with one fault. */
export const toy = (fault?: Fault): Target => {
  const asks = fault === "declines compression" ? [] : ask
  return {
    name: fault === undefined ? "toy" : `toy that ${fault}`,
    startServer: () =>
      new Promise((resolve) => {
        const sockets = new Set<Socket>()
        const server = createServer(async (socket) => {
          sockets.add(socket)
          socket.on("error", () => undefined)
          const head = await readHead(socket)
          const agreed = agreeAsServer(asks, head.headers.get("sec-websocket-extensions"))
          writeAnswer(socket, head, agreed?.answer)
          new Toy(socket, true, head.rest, agreed?.agreement, fault).run()
        })
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resolve({
            port: typeof address === "object" && address !== null ? address.port : 0,
            close: () =>
              new Promise((done) => {
                for (const socket of sockets) socket.destroy()
                server.close(() => done())
              })
          })
        })
      }),
    runClient: async (url) => {
      const { pathname, port } = new URL(url)
      const socket = connect(Number(port), "127.0.0.1")
      socket.on("error", () => undefined)
      writeRequest(socket, Number(port), pathname, asks.length === 0 ? undefined : offer(asks))
      const head = await readHead(socket)
      const agreement = agreeAsClient(asks, head.headers.get("sec-websocket-extensions"))
      new Toy(socket, false, head.rest, agreement, fault).run()
      await new Promise((resolve) => socket.on("close", resolve))
    }
  }
}
