import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Duplex } from "node:stream"
import * as fc from "fast-check"
import { Frame } from "effect-ws"
import { MessageAssembler } from "../src/internal/protocol/messageAssembler.ts"
import type { CloseFrame } from "../src/internal/protocol/closeFrame.ts"
import type { Closed } from "../src/internal/protocol/closeHandshake.ts"
import type { Codec, Role } from "../src/internal/protocol/codec.ts"
import type { Compression } from "../src/internal/connection/compression.ts"
import { Connection } from "../src/internal/connection/connection.ts"
import type { ConnectionHandler } from "../src/internal/connection/handler.ts"
import { maxPeeked } from "../src/internal/connection/pacing.ts"
import type { ConnectionOptions } from "../src/internal/connection/settings.ts"
import { DuplexTransport } from "../src/internal/transport/duplex.ts"
import { hixie76 } from "../src/internal/protocol/hixie/codec.ts"
import { hybi } from "../src/internal/protocol/hybi/codec.ts"
import { memoryPair } from "../src/internal/transport/memory.ts"
import { Opcode } from "../src/internal/protocol/opcode.ts"
import { ReceiveBuffer } from "../src/internal/socket/receiveBuffer.ts"
import { Wheel } from "../src/internal/connection/timers.ts"
import type { Receiver, Transport } from "../src/internal/transport/transport.ts"
import type { Written } from "../src/internal/protocol/outputBuffer.ts"
import * as Violation from "../src/internal/protocol/protocolError.ts"

/** A clock that goes when it is told to. */
class ManualClock {
  private time = 0
  private alarm: { readonly due: number; readonly ring: () => void } | undefined = undefined

  readonly timers = new Wheel(
    () => this.time,
    (delay, ring) => {
      const alarm = { due: this.time + delay, ring }
      this.alarm = alarm
      return () => {
        if (this.alarm === alarm) this.alarm = undefined
      }
    }
  )

  /** Whether anything waits for its time. */
  get armed(): boolean {
    return this.alarm !== undefined
  }

  advance(by: number): void {
    const end = this.time + by
    while (this.alarm !== undefined && this.alarm.due <= end) {
      const { due, ring } = this.alarm
      this.alarm = undefined
      this.time = Math.max(this.time, due)
      ring()
    }
    this.time = end
  }

  /** Time passes while the process stands still: what fell due meanwhile rings late. */
  stall(by: number): void {
    this.time += by
  }
}

/** A transport that notes what is done to it, and whose peer is the test. */
class Script implements Transport {
  readonly calls: Array<string> = []
  readonly written: Array<Uint8Array> = []
  congested = false
  buffered = 0
  paused = false
  isEnded = false
  isDestroyed = false
  private receiver: Receiver | undefined = undefined

  attach(receiver: Receiver): void {
    this.receiver = receiver
  }

  write(bytes: Uint8Array, written?: Written): boolean {
    if (this.isEnded || this.isDestroyed) {
      this.calls.push("lost write")
      return true
    }
    this.calls.push("write")
    this.written.push(Uint8Array.from(bytes))
    if (written !== undefined) queueMicrotask(() => written())
    return true
  }

  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean {
    return this.write(Buffer.concat(pieces), written)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  end(): void {
    if (!this.isEnded) this.calls.push("end")
    this.isEnded = true
  }

  destroy(): void {
    if (this.isDestroyed) return
    this.calls.push("destroy")
    this.isDestroyed = true
  }

  // What the peer does.

  receive(...pieces: ReadonlyArray<Uint8Array>): void {
    this.receiver?.received(Buffer.concat(pieces))
  }

  /** Brings bytes in memory that is written to again. */
  lend(bytes: Uint8Array): void {
    const borrowed = Buffer.from(bytes)
    this.receiver?.received(borrowed, "call")
    borrowed.fill(0xee)
  }

  drain(): void {
    this.congested = false
    this.receiver?.drained()
  }

  peerEnds(): void {
    this.receiver?.ended()
  }

  /** Both directions are gone. */
  close(error?: Error): void {
    this.receiver?.closed(error)
  }
}

/** A face that writes down what it hears. */
class Recorder implements ConnectionHandler {
  readonly events: Array<string> = []
  connection: Connection | undefined = undefined
  wantsFragments = false
  onMessage: ((text: string) => void) | undefined = undefined
  onBatch: (() => void) | undefined = undefined
  onEnded: (() => void) | undefined = undefined
  closedAs: Closed | undefined = undefined
  closedCount = 0

  message(opcode: number, bytes: Buffer, start: number, end: number): Violation.Violation | undefined {
    const text = bytes.toString("utf8", start, end)
    if (opcode === Opcode.text && text.includes("\uFFFD")) return Violation.invalidUtf8
    this.events.push(text)
    this.onMessage?.(text)
    return undefined
  }

  fragment(_opcode: number, fin: boolean, bytes: Buffer, start: number, end: number): undefined {
    this.events.push(`${bytes.toString("utf8", start, end)}${fin ? "." : ".."}`)
  }

  control(opcode: number, bytes: Buffer, start: number, end: number): void {
    const name = opcode === Opcode.close ? "close" : opcode === Opcode.ping ? "ping" : "pong"
    const payload = opcode === Opcode.close ? "" : bytes.toString("utf8", start, end)
    this.events.push(`<${name}${payload === "" ? "" : ` ${payload}`}>`)
  }

  batchEnd(): void {
    this.onBatch?.()
  }

  ended(): void {
    this.events.push("<ended>")
    this.onEnded?.()
  }

  closed(closed: Closed): void {
    this.events.push("<closed>")
    this.closedAs = closed
    this.closedCount++
  }
}

/** Compression that only marks what it did, and is done when it is told to. */
class SlowCompression implements Compression {
  readonly threshold = 1
  /** Payloads from this many bytes on are done elsewhere. */
  readonly slowFrom: number
  readonly pending: Array<() => void> = []
  closed = 0
  failure: Error | undefined = undefined

  constructor(slowFrom = 0) {
    this.slowFrom = slowFrom
  }

  compressSync(payload: Uint8Array): Uint8Array | undefined {
    return payload.length < this.slowFrom ? mark(payload) : undefined
  }

  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void {
    this.pending.push(() => done(this.failure ?? mark(payload)))
  }

  inflateSync(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined {
    return payload.length < this.slowFrom ? unmark(payload, limit) : undefined
  }

  inflateView(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined {
    return this.inflateSync(payload, limit)
  }

  inflate(payload: Uint8Array, limit: number, done: (result: Uint8Array | "too large" | "invalid") => void): void {
    this.pending.push(() => done(unmark(payload, limit)))
  }

  close(): void {
    this.closed++
  }

  /** Does the oldest piece of work. */
  finish(): void {
    const work = this.pending.shift()
    assert.isDefined(work)
    work?.()
  }
}

const mark = (payload: Uint8Array): Uint8Array => Buffer.concat([Buffer.from("z:"), payload])
const unmark = (payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" =>
  payload[0] !== 0x7a ? "invalid" : payload.length - 2 > limit ? "too large" : payload.subarray(2)

const settings = { maxMessageSize: 1024 * 1024, writeHighWaterMark: 64 * 1024, closeTimeout: 10_000 }

interface Setup {
  readonly clock: ManualClock
  readonly transport: Script
  readonly face: Recorder
  readonly connection: Connection
  /** The frames written so far, in short: text as it is, others in brackets. */
  readonly sent: () => ReadonlyArray<string>
}

const setup = (role: Role, options: Partial<ConnectionOptions> & { readonly head?: Buffer } = {}): Setup => {
  const clock = new ManualClock()
  const transport = new Script()
  const face = new Recorder()
  const codec: Codec = options.codec ?? hybi
  const connection = new Connection(face, { ...settings, transport, codec, role, timers: clock.timers, ...options })
  face.connection = connection
  connection.start(options.head)
  return { clock, transport, face, connection, sent: () => inShort(Buffer.concat(transport.written), role) }
}

/** What was sent in a role, read by the other. */
const inShort = (bytes: Uint8Array, role: Role): ReadonlyArray<string> => {
  const frames: Array<string> = []
  const parser = Frame.makeParser((frame) => frames.push(shortly(frame)), {
    role: role === "server" ? "client" : "server",
    maxMessageSize: 100_000_000,
    allowedRsv: 4
  })
  assert.isUndefined(parser.feed(bytes))
  return frames
}

const shortly = (frame: Frame.Frame): string => {
  const payload = Buffer.from(frame.payload).toString()
  switch (frame._tag) {
    case "Text":
    case "Binary":
    case "Continuation": {
      return `${payload}${frame.fin ? "" : ".."}`
    }
    case "Close": {
      return `<close${frame.code === undefined ? "" : ` ${frame.code}`}>`
    }
    default: {
      return `<${frame._tag.toLowerCase()}${payload === "" ? "" : ` ${payload}`}>`
    }
  }
}

/** What the other side of a role sends. */
const from = (role: Role, ...frames: ReadonlyArray<Frame.Frame>): Uint8Array =>
  Buffer.concat(frames.map((frame) => Frame.encode(frame, { mask: role === "client" })))

const compressed = (content: string): Frame.Frame => Frame.text(`z:${content}`, { rsv: 4 })

/** Assembles a message of so many KiB, and answers how many it had room for after each. */
const gatherKiB = (count: number): ReadonlyArray<number> => {
  const assembler = new MessageAssembler(Opcode.binary, 0, 0)
  const sizes = Array.from({ length: count }, () => {
    const { length } = assembler.reserve(1024)
    assembler.append(Buffer.alloc(1024), 0, 1024)
    return length / 1024
  })
  assembler.take()
  return sizes
}

const bye: CloseFrame = { code: 1000, reason: "bye" }

/** Lets what was put off to the end of the tick, and all that follows from it, happen. */
const settle = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

describe("Connection, the closing handshake", () => {
  it.effect("begun by us: nothing is sent after the close frame, and the server ends the transport", () =>
    Effect.gen(function* () {
      const { clock, transport, face, connection, sent } = setup("server")
      connection.outbound.message("last")
      connection.close(bye)
      assert.isFalse(connection.isOpen)
      assert.isFalse(connection.outbound.message("late"))
      assert.isFalse(connection.outbound.frame(Opcode.ping, true, Buffer.of(), { urgent: true }))
      connection.close({ code: 1001, reason: "" })
      yield* settle
      assert.deepStrictEqual(sent(), ["last", "<close 1000>"])
      assert.isFalse(transport.isEnded)
      transport.receive(from("client", Frame.text("still"), Frame.close(1000)))
      assert.deepStrictEqual(face.events, ["still", "<close>", "<ended>"])
      assert.deepStrictEqual(transport.calls, ["write", "end"])
      transport.close()
      assert.deepStrictEqual(face.closedAs, {
        sent: bye,
        received: { code: 1000, reason: "" },
        first: "sent",
        cause: { _tag: "Handshake" }
      })
      assert.isUndefined(connection.cause)
      assert.isFalse(clock.armed)
    })
  )

  it.effect("begun by the peer: echoes come before the answer, in the same write", () =>
    Effect.gen(function* () {
      for (const role of ["client", "server"] as const) {
        const other = role === "client" ? "server" : "client"
        const { clock, transport, face, connection, sent } = setup(role)
        face.onMessage = (text) => connection.outbound.message(`echo ${text}`)
        transport.receive(from(other, Frame.text("a"), Frame.text("b"), Frame.close(4001, "done")))
        assert.deepStrictEqual(sent(), ["echo a", "echo b", "<close 4001>"])
        assert.deepStrictEqual(transport.calls, role === "server" ? ["write", "end"] : ["write"])
        yield* settle
        assert.strictEqual(transport.written.length, 1)
        transport.peerEnds()
        transport.close()
        assert.deepStrictEqual(face.events, ["a", "b", "<close>", "<ended>", "<closed>"])
        assert.deepStrictEqual(face.closedAs, {
          sent: { code: 4001, reason: "" },
          received: { code: 4001, reason: "done" },
          first: "received",
          cause: { _tag: "Handshake" }
        })
        assert.isFalse(clock.armed)
      }
    })
  )

  it("answers a close frame without a code with another", () => {
    const { transport, sent } = setup("server")
    transport.receive(from("client", Frame.close()))
    assert.deepStrictEqual(sent(), ["<close>"])
  })

  it("reads nothing behind a close frame, whether it came along or later", () => {
    const { transport, face } = setup("server")
    transport.receive(from("client", Frame.close(1000), Frame.text("behind")), Buffer.of(0xff, 0xff))
    transport.receive(from("client", Frame.text("later")))
    assert.deepStrictEqual(face.events, ["<close>", "<ended>"])
  })

  it("reads nothing behind a close frame when the face pauses and resumes meanwhile", () => {
    const { transport, face, connection, sent } = setup("server")
    connection.inbound.pause()
    face.onBatch = () => connection.inbound.resume()
    transport.receive(from("client", Frame.text("a"), Frame.close(1000), Frame.text("behind")))
    assert.deepStrictEqual(face.events, ["a", "<close>", "<ended>"])
    assert.deepStrictEqual(sent(), ["<close 1000>"])
  })

  it("answers a close frame that waited for the face, though the peer ended meanwhile", () => {
    const { transport, face, connection, sent } = setup("server")
    face.onMessage = () => connection.inbound.hold()
    transport.receive(from("client", Frame.text("a"), Frame.text("b"), Frame.close(1000)))
    transport.peerEnds()
    assert.deepStrictEqual(face.events, ["a"])
    connection.inbound.resume()
    face.onBatch = () => connection.inbound.resume()
    connection.inbound.resume()
    assert.deepStrictEqual(face.events, ["a", "b", "<close>", "<ended>"])
    assert.deepStrictEqual(sent(), ["<close 1000>"])
    assert.deepStrictEqual(transport.calls, ["write", "end"])
  })

  it("sends what was sent before the answer, though the transport is congested", () => {
    const { transport, connection, sent } = setup("server")
    transport.congested = true
    connection.outbound.message("waiting")
    transport.receive(from("client", Frame.close(1000)))
    transport.drain()
    assert.deepStrictEqual(sent(), ["waiting", "<close 1000>"])
    assert.strictEqual(transport.calls.at(-1), "end")
    assert.notInclude(transport.calls, "lost write")
  })

  it.effect("that crosses the peer's is complete with both", () =>
    Effect.gen(function* () {
      const { transport, face, connection } = setup("client")
      connection.close(bye)
      transport.receive(from("server", Frame.close(1001)))
      yield* settle
      transport.peerEnds()
      transport.close()
      assert.strictEqual(face.closedAs?.first, "sent")
      assert.deepStrictEqual(face.closedAs?.cause, { _tag: "Handshake" })
    })
  )

  it.effect("is given up at the close timeout, not before", () =>
    Effect.gen(function* () {
      const { clock, transport, face, connection } = setup("server")
      connection.close(bye)
      yield* settle
      clock.advance(9_999)
      assert.isFalse(transport.isDestroyed)
      clock.advance(1)
      assert.isTrue(transport.isDestroyed)
      transport.close()
      assert.deepStrictEqual(face.closedAs, {
        sent: bye,
        received: undefined,
        first: "sent",
        cause: { _tag: "CloseTimeout" }
      })
      assert.isFalse(clock.armed)
    })
  )

  it.effect("isn't complete when the peer that asked for it never reads what was sent before the answer", () =>
    Effect.gen(function* () {
      const { clock, transport, face, connection } = setup("server")
      connection.outbound.message("unread")
      transport.buffered = 100
      transport.receive(from("client", Frame.close(1000)))
      yield* settle
      clock.advance(10_000)
      assert.isTrue(transport.isDestroyed)
      transport.close()
      assert.strictEqual(face.closedAs?.received?.code, 1000)
      assert.deepStrictEqual(face.closedAs?.cause, { _tag: "CloseTimeout" })
    })
  )

  it("is complete with both close frames, though the server never ends the transport", () => {
    const { clock, transport, face } = setup("client")
    transport.receive(from("server", Frame.close(1000)))
    clock.advance(10_000)
    assert.isTrue(transport.isDestroyed)
    transport.close()
    assert.deepStrictEqual(face.closedAs?.cause, { _tag: "Handshake" })
  })

  it.effect("has a close frame on Hixie-76 too, without a code", () =>
    Effect.gen(function* () {
      const { transport, face, connection } = setup("server", { codec: hixie76 })
      face.onMessage = (text) => connection.outbound.message(`echo ${text}`)
      transport.receive(Buffer.from("\0hi"), Buffer.of(0xff, 0xff))
      transport.receive(Buffer.of(0x00))
      yield* settle
      assert.deepStrictEqual(
        Buffer.concat(transport.written),
        Buffer.concat([Buffer.from("\0echo hi"), Buffer.of(0xff, 0xff, 0x00)])
      )
      assert.strictEqual(transport.calls.at(-1), "end")
      transport.close()
      const nothing = { code: undefined, reason: "" }
      assert.deepStrictEqual(face.closedAs, {
        sent: nothing,
        received: nothing,
        first: "received",
        cause: { _tag: "Handshake" }
      })
    })
  )

  it("says nothing of a code that Hixie-76 could not send", () => {
    const { transport, face } = setup("server", { codec: hixie76 })
    transport.receive(Buffer.of(0x00, 0x80))
    assert.deepStrictEqual(Buffer.concat(transport.written), Buffer.of(0xff, 0x00))
    transport.close()
    assert.deepStrictEqual(face.closedAs?.sent, { code: undefined, reason: "" })
  })
})

describe("Connection, a peer that breaks the protocol", () => {
  it("is told the close code, then the transport ends; nothing more is read", () => {
    const { clock, transport, face, sent } = setup("server")
    transport.receive(from("client", Frame.text("good")), Buffer.of(0x83, 0x80))
    transport.receive(from("client", Frame.text("late")))
    assert.deepStrictEqual(face.events, ["good", "<ended>"])
    assert.deepStrictEqual(sent(), ["<close 1002>"])
    assert.deepStrictEqual(transport.calls, ["write", "end"])
    transport.peerEnds()
    transport.close()
    assert.strictEqual(face.closedCount, 1)
    assert.deepStrictEqual(face.closedAs, {
      sent: { code: 1002, reason: "" },
      received: undefined,
      first: "sent",
      cause: { _tag: "Violation", violation: Violation.reservedOpcode(3) }
    })
    assert.isFalse(clock.armed)
  })

  it("has its code by the kind of violation", () => {
    const cases: ReadonlyArray<readonly [Uint8Array, number]> = [
      [from("client", Frame.binary(Buffer.of(0x80), { fin: false }), Frame.ping(), Frame.text("x")), 1002],
      [from("client", Frame.text(Buffer.of(0x80).toString("latin1")), Frame.continuation("")), 1002],
      [Buffer.concat([Buffer.of(0x81, 0x81, 0, 0, 0, 0, 0x80)]), 1007],
      [Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1), 1009]
    ]
    for (const [bytes, code] of cases) {
      const { transport, sent } = setup("server")
      transport.receive(bytes)
      assert.deepStrictEqual(sent().at(-1), `<close ${code}>`)
    }
  })

  it("gets what was sent before, though the transport is congested", () => {
    const { transport, connection, sent } = setup("server")
    transport.congested = true
    connection.outbound.message("waiting")
    transport.receive(Buffer.of(0x83, 0x80))
    transport.drain()
    assert.deepStrictEqual(sent(), ["waiting", "<close 1002>"])
    assert.notInclude(transport.calls, "lost write")
  })

  it.effect("after our close frame gets no second one", () =>
    Effect.gen(function* () {
      const { transport, face, connection, sent } = setup("server")
      connection.close(bye)
      transport.receive(Buffer.of(0x83, 0x80))
      yield* settle
      assert.deepStrictEqual(sent(), ["<close 1000>"])
      transport.close()
      assert.strictEqual(face.closedAs?.cause._tag, "Violation")
      assert.deepStrictEqual(face.closedAs?.sent, bye)
    })
  )

  it("is dropped at the close timeout when it doesn't go", () => {
    const { clock, transport, face } = setup("server")
    transport.receive(Buffer.of(0x83, 0x80))
    clock.advance(10_000)
    assert.isTrue(transport.isDestroyed)
    transport.close()
    assert.strictEqual(face.closedAs?.cause._tag, "Violation")
  })

  it("in what stood behind the opening handshake is found as well", () => {
    const { transport, sent } = setup("server", { head: Buffer.of(0x83, 0x80) })
    assert.deepStrictEqual(sent(), ["<close 1002>"])
    assert.isTrue(transport.isEnded)
  })

  it("with more fragments than the limit is told 1008; with as many it is not", () => {
    const { transport, face, sent } = setup("server", { maxFragments: 3 })
    const fragments = [
      Frame.text("a", { fin: false }),
      Frame.continuation("", { fin: false }),
      Frame.continuation("b", { fin: true })
    ]
    transport.receive(from("client", ...fragments))
    assert.deepStrictEqual(face.events, ["ab"])
    transport.receive(from("client", ...fragments.slice(0, 2), Frame.continuation("", { fin: false })))
    assert.deepStrictEqual(sent(), [])
    transport.receive(from("client", Frame.continuation("")))
    assert.strictEqual(sent().at(-1), "<close 1008>")
  })
})

describe("Connection, a transport that ends", () => {
  it("without a close frame is ended by us too, after what was sent", () => {
    const { clock, transport, face, connection, sent } = setup("server")
    transport.congested = true
    connection.outbound.message("waiting")
    transport.peerEnds()
    transport.drain()
    assert.deepStrictEqual(sent(), ["waiting"])
    assert.notInclude(transport.calls, "lost write")
    assert.isTrue(transport.isEnded)
    transport.close()
    assert.deepStrictEqual(face.events, ["<ended>", "<closed>"])
    assert.deepStrictEqual(face.closedAs, {
      sent: undefined,
      received: undefined,
      first: undefined,
      cause: { _tag: "TransportEnded" }
    })
    assert.isFalse(clock.armed)
  })

  it("in the middle of a message gives no message", () => {
    const { transport, face } = setup("server")
    transport.receive(from("client", Frame.text("half", { fin: false })))
    transport.peerEnds()
    assert.deepStrictEqual(face.events, ["<ended>"])
  })

  it("by an error tells it, once, and wakes who waits to send", () => {
    const { clock, transport, face, connection } = setup("server")
    const error = new Error("reset")
    let woken = 0
    transport.congested = true
    connection.outbound.whenWritable(() => woken++)
    transport.close(error)
    transport.close(error)
    assert.strictEqual(woken, 1)
    assert.strictEqual(face.closedCount, 1)
    assert.deepStrictEqual(face.closedAs?.cause, { _tag: "TransportFailed", error })
    assert.isFalse(connection.outbound.message("late"))
    assert.isFalse(clock.armed)
  })

  it("because we drop it tells why we did", () => {
    const { clock, transport, face, connection } = setup("server")
    connection.terminate()
    connection.terminate()
    assert.deepStrictEqual(transport.calls, ["destroy"])
    transport.close(new Error("a late error"))
    assert.deepStrictEqual(face.closedAs?.cause, { _tag: "Terminated" })
    assert.isFalse(clock.armed)
  })

  it("because the face drops it in the middle of a read, brings no more messages and sends nothing", () => {
    const { transport, face, connection } = setup("server")
    face.onMessage = (text) => {
      if (text === "b") connection.terminate()
    }
    transport.receive(from("client", Frame.text("a"), Frame.text("b"), Frame.text("c")), Buffer.of(0x83, 0x80))
    transport.close()
    assert.deepStrictEqual(face.events, ["a", "b", "<ended>", "<closed>"])
    assert.deepStrictEqual(face.closedAs, {
      sent: undefined,
      received: undefined,
      first: undefined,
      cause: { _tag: "Terminated" }
    })
    assert.deepStrictEqual(transport.calls, ["destroy"])
  })

  it("accepts nothing more by the time that the handler is notified, however the connection ends", () => {
    const ends: Readonly<Record<string, (setup: Setup) => void>> = {
      lost: ({ transport }) => transport.close(),
      failed: ({ transport }) => transport.close(new Error("reset")),
      "ended by the peer": ({ transport }) => transport.peerEnds(),
      "closed by the peer": ({ transport }) => transport.receive(from("client", Frame.close(1000))),
      "broken by the peer": ({ transport }) => transport.receive(Buffer.of(0x83, 0x80))
    }
    for (const [name, end] of Object.entries(ends)) {
      const all = setup("server")
      const accepted: Array<boolean> = []
      all.face.onEnded = () => accepted.push(all.connection.isOpen, all.connection.outbound.message("late"))
      end(all)
      assert.deepStrictEqual(accepted, [false, false], name)
    }
  })

  it("wakes who begins to wait when it is too late", () => {
    const { transport, connection } = setup("server")
    let woken = 0
    connection.close(bye)
    connection.outbound.whenWritable(() => woken++)
    transport.close()
    connection.outbound.whenWritable(() => woken++)
    assert.strictEqual(woken, 2)
  })
})

describe("Connection, sending", () => {
  it.effect("writes what one tick sends at once, at its end", () =>
    Effect.gen(function* () {
      const { transport, connection, sent } = setup("client")
      connection.outbound.message("a")
      connection.outbound.message(Buffer.from("b"))
      connection.outbound.frame(Opcode.ping, true, Buffer.from("p"), { urgent: true })
      assert.strictEqual(transport.written.length, 0)
      yield* settle
      assert.strictEqual(transport.written.length, 1)
      assert.deepStrictEqual(sent(), ["a", "b", "<ping p>"])
    })
  )

  it("writes before the end of the tick from the high-water mark on", () => {
    const { transport, connection } = setup("server", { writeHighWaterMark: 100 })
    connection.outbound.message(Buffer.alloc(97))
    assert.strictEqual(transport.written.length, 0)
    connection.outbound.message(Buffer.alloc(0))
    assert.strictEqual(transport.written.length, 1)
    assert.isFalse(connection.outbound.full)
  })

  it("is full while the transport is congested, and wakes senders one by one as there is room", () => {
    const { transport, connection } = setup("server", { writeHighWaterMark: 100 })
    const woken: Array<string> = []
    transport.congested = true
    assert.isTrue(connection.outbound.full)
    connection.outbound.whenWritable(() => {
      woken.push("a")
      connection.outbound.message(Buffer.alloc(200))
      transport.congested = true
    })
    const b = (): number => woken.push("b")
    connection.outbound.whenWritable(b)
    connection.outbound.whenWritable(() => woken.push("c"))
    transport.drain()
    assert.deepStrictEqual(woken, ["a"])
    connection.outbound.forget(b)
    transport.drain()
    assert.deepStrictEqual(woken, ["a", "c"])
  })

  it.effect("never waits when the mark is 0 and nothing is to be written", () =>
    Effect.gen(function* () {
      const { connection } = setup("server", { writeHighWaterMark: 0 })
      connection.outbound.message("a")
      yield* settle
      assert.isFalse(connection.outbound.full)
    })
  )

  it("answers pings, but a flood that isn't read with the latest alone", () => {
    const { transport, face, sent } = setup("server")
    transport.receive(from("client", Frame.ping("1"), Frame.ping("2")))
    assert.deepStrictEqual(sent(), ["<pong 1>", "<pong 2>"])
    transport.congested = true
    for (let i = 0; i < 1000; i++) transport.receive(from("client", Frame.ping(`f${i}`)))
    assert.strictEqual(transport.written.length, 1)
    transport.drain()
    assert.deepStrictEqual(sent(), ["<pong 1>", "<pong 2>", "<pong f999>"])
    assert.strictEqual(face.events.length, 1002)
  })

  it("doesn't answer pings when it shouldn't", () => {
    const { transport, face } = setup("server", { autoPong: false })
    transport.receive(from("client", Frame.ping("1")))
    assert.deepStrictEqual(face.events, ["<ping 1>"])
    assert.strictEqual(transport.written.length, 0)
  })
})

describe("Connection, reading", () => {
  it("brings a fragmented message as one, control frames in between", () => {
    const { transport, face } = setup("server")
    const frames = [
      Frame.text("a", { fin: false }),
      Frame.ping("p"),
      Frame.continuation("b", { fin: false }),
      Frame.continuation("c")
    ]
    transport.receive(from("client", ...frames))
    assert.deepStrictEqual(face.events, ["<ping p>", "abc"])
  })

  it("gathers fragments in any cut, out of memory that is borrowed or not", () => {
    const size = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 4090, max: 4100 }),
      fc.integer({ min: 65_530, max: 70_000 })
    )
    fc.assert(
      fc.property(
        fc.array(fc.array(size, { minLength: 2, maxLength: 6 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }),
        (messages, cuts, borrowed) => {
          const { transport, face } = setup("server")
          const parts = messages.map((sizes) => sizes.map((size, index) => String(index).repeat(size)))
          const frames = parts.flatMap((all) =>
            all.flatMap((part, index) => {
              const fin = index === all.length - 1
              return [index === 0 ? Frame.text(part, { fin }) : Frame.continuation(part, { fin }), Frame.ping("p")]
            })
          )
          const bytes = from("client", ...frames)
          const edges = [...cuts.map((cut) => cut % bytes.length), bytes.length].toSorted((a, b) => a - b)
          for (const [index, end] of edges.entries()) {
            const piece = bytes.slice(edges[index - 1] ?? 0, end)
            if (borrowed[index] === true) transport.lend(piece)
            else transport.receive(piece)
          }
          const told = face.events.filter((event) => event !== "<ping p>")
          assert.isTrue(told.length === parts.length && told.every((text, index) => text === parts[index]?.join("")))
        }
      ),
      { numRuns: 150 }
    )
  })

  it("gives a message ahead no more memory than the one before it had, nor than sixteen times what came", () => {
    gatherKiB(2)
    assert.deepStrictEqual(gatherKiB(5), [1, 2, 4, 4, 8])
    gatherKiB(2000)
    assert.strictEqual(Math.max(...gatherKiB(16)), 16)
    gatherKiB(2000)
    assert.deepStrictEqual([...new Set(gatherKiB(2000))], [1, 16, 256, 1024, 2000])
  })

  it("brings fragments one by one to a face that wants them", () => {
    const { transport, face } = setup("server")
    face.wantsFragments = true
    transport.receive(from("client", Frame.text("a", { fin: false }), Frame.ping("p"), Frame.continuation("b")))
    assert.deepStrictEqual(face.events, ["a..", "<ping p>", "b."])
  })

  it("stops in the middle of a read and goes on there", () => {
    const { transport, face, connection } = setup("server")
    face.onMessage = () => connection.inbound.hold()
    transport.receive(from("client", Frame.text("a"), Frame.text("b")), Buffer.of(0x81))
    assert.deepStrictEqual(face.events, ["a"])
    assert.isTrue(transport.paused)
    assert.isTrue(connection.inbound.isPaused)
    // A transport may still bring what it had read.
    transport.receive(from("client", Frame.text("c")).subarray(1), from("client", Frame.text("d")))
    for (const expected of ["b", "c", "d"]) {
      assert.isTrue(transport.paused)
      connection.inbound.resume()
      assert.strictEqual(face.events.at(-1), expected)
    }
    assert.strictEqual(face.events.length, 4)
    face.onMessage = undefined
    connection.inbound.resume()
    assert.isFalse(transport.paused)
    assert.isFalse(connection.inbound.isPaused)
  })

  it("goes on in order when the face holds and resumes inside its own calls", () => {
    const { transport, face, connection } = setup("server")
    face.onMessage = (text) => {
      connection.inbound.hold()
      if (text === "b") connection.inbound.resume()
    }
    face.onBatch = () => connection.inbound.resume()
    connection.inbound.hold()
    transport.receive(from("client", Frame.text("a"), Frame.text("b"), Frame.text("c")))
    transport.receive(from("client", Frame.text("d"), Frame.close(1000)))
    connection.inbound.resume()
    assert.deepStrictEqual(face.events, ["a", "b", "c", "d", "<close>", "<ended>"])
  })

  it("holds and resumes for every one of very many messages in one read", () => {
    const { transport, face, connection } = setup("server")
    const count = 20_000
    face.onMessage = () => connection.inbound.hold()
    face.onBatch = () => connection.inbound.resume()
    transport.receive(...Array.from({ length: count }, () => from("client", Frame.text("x"))))
    assert.strictEqual(face.events.length, count)
    assert.isFalse(transport.paused)
  })

  it("tells what waited before it tells that the peer ended", () => {
    const { transport, face, connection } = setup("server")
    face.onMessage = () => connection.inbound.hold()
    transport.receive(from("client", Frame.text("a"), Frame.text("b")))
    transport.peerEnds()
    assert.deepStrictEqual(face.events, ["a"])
    face.onMessage = undefined
    connection.inbound.resume()
    assert.deepStrictEqual(face.events, ["a", "b", "<ended>"])
  })

  it("writes the echoes of one read at once", () => {
    const { transport, face, connection, sent } = setup("server")
    face.onMessage = (text) => connection.outbound.message(text)
    transport.receive(from("client", ...Array.from({ length: 50 }, (_, i) => Frame.text(`${i}`))))
    assert.strictEqual(transport.written.length, 1)
    assert.strictEqual(sent().length, 50)
  })
})

describe("Connection, keepalive", () => {
  const keepAlive = { interval: 1000, timeout: 500 }

  it.effect("pings at every interval, and keeps a peer that answers", () =>
    Effect.gen(function* () {
      const { clock, transport, connection, sent } = setup("server", { keepAlive })
      for (let i = 1; i <= 5; i++) {
        clock.advance(1000)
        yield* settle
        assert.strictEqual(sent().length, i)
        transport.receive(from("client", Frame.pong()))
      }
      clock.advance(999)
      assert.isTrue(connection.isOpen)
      assert.isFalse(transport.isDestroyed)
    })
  )

  it.effect("pings at every interval, though the timeout is as long", () =>
    Effect.gen(function* () {
      const { clock, transport, sent } = setup("server", { keepAlive: { interval: 1000, timeout: 1000 } })
      for (let i = 1; i <= 5; i++) {
        clock.advance(1000)
        yield* settle
        assert.strictEqual(sent().length, i)
        transport.receive(from("client", Frame.pong()))
      }
    })
  )

  it("gives a peer time to be heard after the process stood still, once", () => {
    const { clock, transport } = setup("server", { keepAlive })
    clock.advance(1000)
    clock.stall(1500)
    clock.advance(0)
    assert.isFalse(transport.isDestroyed)
    clock.advance(999)
    assert.isFalse(transport.isDestroyed)
    clock.advance(1)
    assert.isTrue(transport.isDestroyed)
  })

  it("drops a silent peer at the timeout, and leaves no timer", () => {
    const { clock, transport, face } = setup("server", { keepAlive })
    clock.advance(1499)
    assert.isFalse(transport.isDestroyed)
    clock.advance(1)
    assert.isTrue(transport.isDestroyed)
    transport.close()
    assert.deepStrictEqual(face.closedAs?.cause, { _tag: "KeepAliveTimeout" })
    assert.isFalse(clock.armed)
  })

  it("takes any bytes, and any progress in what is sent, for a sign of life", () => {
    const { clock, transport, connection } = setup("server", { keepAlive })
    for (let i = 0; i < 4; i++) {
      clock.advance(1100)
      if (i % 2 === 0) transport.receive(Buffer.of(0x81))
      else transport.receive(Buffer.of(0x80, 0, 0, 0, 0))
      transport.drain()
    }
    clock.advance(1000)
    transport.drain()
    clock.advance(1099)
    assert.isTrue(connection.isOpen)
    clock.advance(1)
    assert.isFalse(connection.isOpen)
  })

  it("drops a silent peer while the reader has paused reading, too", () => {
    const { clock, transport, connection } = setup("server", { keepAlive })
    connection.inbound.pause()
    clock.advance(1000)
    assert.isFalse(transport.paused)
    clock.advance(499)
    assert.isTrue(connection.isOpen)
    clock.advance(1)
    assert.isTrue(transport.isDestroyed)
  })

  it("reads once at each ping while reading is paused, so that a peer that sends is alive", () => {
    const { clock, transport, face, connection } = setup("server", { keepAlive })
    for (const stop of ["pause", "hold"] as const) {
      connection.inbound[stop]()
      for (let i = 0; i < 5; i++) {
        assert.isTrue(transport.paused)
        clock.advance(1000)
        assert.isFalse(transport.paused)
        transport.receive(from("client", Frame.text(stop)))
      }
    }
    assert.strictEqual(face.events.length, 5)
    connection.inbound.resume()
    assert.strictEqual(face.events.length, 10)
    assert.isTrue(connection.isOpen)
  })

  it("reads no more than maxPeeked bytes while reading is paused, and takes the peer for alive then", () => {
    const { clock, transport, connection } = setup("server", { keepAlive, maxMessageSize: maxPeeked })
    connection.inbound.hold()
    const frame = from("client", Frame.binary(new Uint8Array(maxPeeked - 15)))
    assert.strictEqual(frame.length, maxPeeked - 1)
    clock.advance(1000)
    transport.receive(frame)
    clock.advance(1000)
    assert.isFalse(transport.paused)
    transport.receive(Buffer.of(0x89))
    clock.advance(10_000)
    assert.isTrue(transport.paused)
    assert.isTrue(connection.isOpen)
  })

  it("stops with the closing handshake, and isn't there on a draft without pings", () => {
    const { clock, connection, transport } = setup("server", { keepAlive })
    connection.close(bye)
    clock.advance(9999)
    assert.isFalse(transport.isDestroyed)
    assert.isFalse(setup("server", { keepAlive, codec: hixie76 }).clock.armed)
  })

  it("leaves no timer when the ping itself ends the connection", () => {
    const { clock, transport, connection } = setup("server", { keepAlive, writeHighWaterMark: 1 })
    transport.write = () => {
      connection.terminate()
      return true
    }
    clock.advance(1000)
    transport.close()
    assert.isFalse(clock.armed)
  })
})

const slow = (slowFrom = 0): { readonly compression: SlowCompression } => ({
  compression: new SlowCompression(slowFrom)
})

describe("Connection, compression elsewhere", () => {
  it.effect("keeps the order of messages, and lets control frames pass", () =>
    Effect.gen(function* () {
      const options = slow(10)
      const { connection, sent } = setup("server", options)
      connection.outbound.message("a")
      connection.outbound.message("a long message")
      connection.outbound.message("b")
      connection.outbound.message("another long message")
      connection.outbound.message("plain", false)
      connection.outbound.frame(Opcode.ping, true, Buffer.from("p"), { urgent: true })
      yield* settle
      assert.deepStrictEqual(sent(), ["z:a", "<ping p>"])
      options.compression.finish()
      yield* settle
      options.compression.finish()
      yield* settle
      assert.deepStrictEqual(sent(), ["z:a", "<ping p>", "z:a long message", "z:b", "z:another long message", "plain"])
      assert.strictEqual(connection.outbound.buffered, 0)
    })
  )

  it("is full with what waits, and wakes senders when that is done", () => {
    const options = slow()
    const { connection } = setup("server", { ...options, writeHighWaterMark: 100 })
    let woken = 0
    connection.outbound.message(Buffer.alloc(100))
    assert.isTrue(connection.outbound.full)
    connection.outbound.whenWritable(() => woken++)
    options.compression.finish()
    assert.strictEqual(woken, 1)
  })

  it("sends the close frame after the messages that wait", () => {
    const options = slow()
    const { transport, face, connection, sent } = setup("server", options)
    connection.outbound.message("a")
    connection.outbound.message("b")
    connection.close(bye)
    assert.deepStrictEqual(sent(), [])
    options.compression.finish()
    options.compression.finish()
    connection.outbound.flush()
    assert.deepStrictEqual(sent(), ["z:a", "z:b", "<close 1000>"])
    transport.receive(from("client", Frame.close(1000)))
    transport.close()
    assert.strictEqual(face.closedAs?.cause._tag, "Handshake")
    assert.strictEqual(options.compression.closed, 1)
  })

  it("sends what waits, and our close frame, though the peer's comes first", () => {
    const options = slow()
    const { transport, connection, sent } = setup("server", options)
    connection.outbound.message("a")
    connection.close(bye)
    transport.receive(from("client", Frame.close(1001)))
    assert.isFalse(transport.isEnded)
    options.compression.finish()
    assert.deepStrictEqual(sent(), ["z:a", "<close 1000>"])
    assert.strictEqual(transport.calls.at(-1), "end")
    assert.notInclude(transport.calls, "lost write")
  })

  it("answers the peer's close frame after what waits, though the peer ended", () => {
    const options = slow()
    const { transport, face, connection, sent } = setup("server", options)
    connection.outbound.message("a")
    transport.receive(from("client", Frame.close(1001)))
    transport.peerEnds()
    assert.isFalse(transport.isEnded)
    options.compression.finish()
    assert.deepStrictEqual(sent(), ["z:a", "<close 1001>"])
    assert.strictEqual(transport.calls.at(-1), "end")
    transport.close()
    assert.strictEqual(face.closedAs?.cause._tag, "Handshake")
  })

  it("sends one close frame, after what waits, to a peer that breaks the protocol", () => {
    for (const closing of [false, true]) {
      const options = slow()
      const { transport, connection, sent } = setup("server", options)
      connection.outbound.message("a")
      if (closing) connection.close(bye)
      transport.receive(Buffer.of(0x83, 0x80))
      assert.isFalse(transport.isEnded)
      options.compression.finish()
      assert.deepStrictEqual(sent(), ["z:a", closing ? "<close 1000>" : "<close 1002>"])
      assert.strictEqual(transport.calls.at(-1), "end")
      assert.notInclude(transport.calls, "lost write")
    }
  })

  it("ends the connection when it fails, and does nothing when it is too late", () => {
    const options = slow()
    const { transport, face, connection } = setup("server", options)
    options.compression.failure = new Error("no memory")
    connection.outbound.message("a")
    options.compression.finish()
    assert.deepStrictEqual(transport.calls, ["end"])
    transport.close()
    assert.strictEqual(face.closedAs?.cause._tag, "TransportFailed")
    const late = slow()
    const other = setup("server", late)
    other.connection.outbound.message("a")
    other.connection.terminate()
    other.transport.close()
    late.compression.finish()
    assert.deepStrictEqual(other.transport.calls, ["destroy"])
  })

  it("keeps the order of what arrives while a message inflates", () => {
    const options = slow(10)
    const { transport, face } = setup("server", options)
    transport.receive(from("client", compressed("a"), compressed("a long message"), Frame.text("b"), Frame.close(1000)))
    transport.receive(from("client", Frame.text("behind")))
    assert.deepStrictEqual(face.events, ["a"])
    assert.isTrue(transport.paused)
    options.compression.finish()
    assert.deepStrictEqual(face.events, ["a", "a long message", "b", "<close>", "<ended>"])
    assert.isFalse(transport.paused)
  })

  it("delivers a message that inflates while the transport ends or fails", () => {
    for (const end of ["ends", "fails"] as const) {
      const options = slow()
      const { transport, face } = setup("server", options)
      transport.receive(from("client", compressed("late"), Frame.text("later")))
      if (end === "ends") transport.peerEnds()
      else transport.close(new Error("reset"))
      assert.deepStrictEqual(face.events, [])
      options.compression.finish()
      assert.deepStrictEqual(face.events.slice(0, 3), ["late", "later", "<ended>"])
    }
  })

  it("stays paused when the face pauses while a message inflates", () => {
    const options = slow()
    const { transport, face, connection } = setup("server", options)
    transport.receive(from("client", compressed("a"), Frame.text("b")))
    connection.inbound.hold()
    options.compression.finish()
    assert.deepStrictEqual(face.events, ["a"])
    assert.isTrue(transport.paused)
    connection.inbound.resume()
    assert.deepStrictEqual(face.events, ["a", "b"])
    assert.isFalse(transport.paused)
  })

  it("closes with 1009 for what inflates beyond the limit, and with 1007 for what doesn't", () => {
    for (const [slowFrom, frame, code] of [
      [0, compressed("x".repeat(101)), 1009],
      [1000, compressed("x".repeat(101)), 1009],
      [0, Frame.text("not compressed", { rsv: 4 }), 1007],
      [1000, Frame.text("not compressed", { rsv: 4 }), 1007]
    ] as const) {
      const options = slow(slowFrom)
      const { transport, face, sent } = setup("server", { ...options, maxMessageSize: 103 })
      transport.receive(from("client", frame, Frame.text("behind")))
      if (slowFrom === 0) options.compression.finish()
      assert.deepStrictEqual(face.events, code === 1009 ? ["x".repeat(101), "behind"] : ["<ended>"])
      if (code === 1007) assert.deepStrictEqual(sent(), ["<close 1007>"])
    }
  })
})

const onStream = (duplex: Duplex): { readonly face: Recorder; readonly connection: Connection } => {
  const face = new Recorder()
  const transport = new DuplexTransport(duplex)
  const { timers } = new ManualClock()
  const connection = new Connection(face, { ...settings, transport, codec: hybi, role: "server", timers })
  return { face, connection }
}

describe("Connection on a Node stream", () => {
  it.effect("hears that the stream was lost before it started", () =>
    Effect.gen(function* () {
      for (const error of [undefined, new Error("reset")]) {
        const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
        duplex.on("error", () => {})
        duplex.destroy(error)
        yield* settle
        const { face, connection } = onStream(duplex)
        connection.start()
        yield* settle
        assert.strictEqual(face.closedCount, 1)
        assert.strictEqual(face.closedAs?.cause._tag, error === undefined ? "TransportEnded" : "TransportFailed")
      }
    })
  )

  it.effect("hears that the peer ended before it started", () =>
    Effect.gen(function* () {
      const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done(), autoDestroy: false })
      duplex.push(null)
      duplex.resume()
      yield* settle
      const { face, connection } = onStream(duplex)
      connection.start()
      yield* settle
      assert.deepStrictEqual(face.events, ["<ended>"])
    })
  )

  it.effect("is written though another one's stream throws", () =>
    Effect.gen(function* () {
      const written: Array<Buffer> = []
      const bad = new Duplex({ read() {} })
      bad.write = () => {
        throw new Error("from a stream")
      }
      const good = new Duplex({
        read() {},
        write(chunk: Buffer, _encoding, done) {
          written.push(chunk)
          done()
        }
      })
      const thrown: Array<unknown> = []
      const handlers = process.listeners("uncaughtException")
      process.removeAllListeners("uncaughtException")
      process.on("uncaughtException", (error) => thrown.push(error))
      for (const duplex of [bad, good]) {
        const { connection } = onStream(duplex)
        connection.start()
        connection.outbound.message("a")
      }
      yield* settle
      process.removeAllListeners("uncaughtException")
      for (const handler of handlers) process.on("uncaughtException", handler)
      assert.strictEqual(thrown.length, 1)
      assert.deepStrictEqual(inShort(Buffer.concat(written), "server"), ["a"])
    })
  )
})

const texts = (count: number): Uint8Array =>
  from("client", ...Array.from({ length: count }, (_, i) => Frame.text(`${i}`)))

describe("Connection and receive buffer", () => {
  const limit = 1000

  const withInbox = (options: Partial<ConnectionOptions> = {}) => {
    const clock = new ManualClock()
    const transport = new Script()
    const receiveBuffer = new ReceiveBuffer(limit)
    const connection = new Connection(receiveBuffer, {
      ...settings,
      transport,
      codec: hybi,
      role: "server",
      timers: clock.timers,
      ...options
    })
    const closed: Array<Closed> = []
    receiveBuffer.attach({ connection, onPong: () => {}, onClosed: (how) => closed.push(how) })
    connection.start()
    return { clock, transport, receiveBuffer, connection, closed }
  }

  it("pauses the transport beyond the limit, and resumes it when all is taken", () => {
    const { transport, receiveBuffer } = withInbox()
    receiveBuffer.claimMessages()
    // Each counts one byte and 64 more.
    transport.receive(texts(10))
    transport.receive(from("client", Frame.text("x".repeat(limit - 10 * 65 - 64))))
    assert.isFalse(transport.paused)
    transport.receive(from("client", Frame.text("")))
    assert.isTrue(transport.paused)
    assert.strictEqual(receiveBuffer.take().length, 12)
    assert.isFalse(transport.paused)
  })

  it("stops in the middle of a read at sixteen times the limit, and loses nothing", () => {
    const { transport, receiveBuffer } = withInbox()
    receiveBuffer.claimMessages()
    transport.receive(texts(1000), from("client", Frame.close(1000)))
    const taken: Array<unknown> = []
    for (let rounds = 1; !receiveBuffer.over; rounds++) {
      assert.isAtMost(rounds, 5)
      const batch = receiveBuffer.take()
      assert.isAtMost(batch.length, Math.ceil((16 * limit) / 65) + 1)
      taken.push(...batch)
    }
    taken.push(...receiveBuffer.take())
    assert.deepStrictEqual(
      taken,
      Array.from({ length: 1000 }, (_, i) => `${i}`)
    )
  })

  it("keeps what comes before the first reader, in whatever pieces, and goes on when it claims messages", () => {
    for (const frames of [
      [Frame.ping("x".repeat(100)), Frame.ping("x".repeat(100))],
      [Frame.text("ab", { fin: false }), Frame.ping(), Frame.continuation("c".repeat(1000), { fin: false })]
    ]) {
      const { transport, receiveBuffer } = withInbox()
      for (let i = 0; i < 10; i++) transport.receive(from("client", ...(i === 0 ? frames : [Frame.ping("x")])))
      const fragmented = frames.length === 3
      receiveBuffer.claimMessages()
      assert.isTrue(receiveBuffer.isEmpty)
      assert.isFalse(transport.paused)
      transport.receive(from("client", fragmented ? Frame.continuation("d") : Frame.text("d")))
      assert.deepStrictEqual(receiveBuffer.take(), [fragmented ? `ab${"c".repeat(1000)}d` : "d"])
    }
  })

  it("hears the peer's close frame though nobody reads, behind a message of any size", () => {
    const { transport, receiveBuffer, connection, closed } = withInbox()
    connection.close(bye)
    receiveBuffer.close(200)
    transport.receive(from("client", Frame.binary(new Uint8Array(20 * limit)), Frame.text("more"), Frame.close(1000)))
    assert.isFalse(transport.paused)
    transport.close()
    assert.strictEqual(closed[0]?.cause._tag, "Handshake")
  })

  for (const view of ["messages", "frames"] as const) {
    it(`has no gap among the ${view} of a connection that was closed while they waited`, () => {
      const { connection, receiveBuffer, transport } = withInbox()
      if (view === "messages") receiveBuffer.claimMessages()
      else receiveBuffer.claimFrames()
      const numbered = (first: number): Uint8Array =>
        from("client", ...Array.from({ length: 20 }, (_, at) => Frame.text(`${first + at}`)))
      transport.receive(numbered(0))
      connection.close(bye)
      receiveBuffer.discardExcess()
      transport.receive(numbered(20))
      const taken = receiveBuffer.take()
      // Now there would be room.
      transport.receive(numbered(40), from("client", Frame.close(1000)))
      assert.deepStrictEqual(
        [...taken, ...receiveBuffer.take()].map((item) =>
          typeof item === "string" ? item : Buffer.from("payload" in item ? item.payload : item).toString("latin1")
        ),
        [...Array.from({ length: 20 }, (_, at) => `${at}`), ...(view === "messages" ? [] : ["\x03\xe8"])]
      )
    })
  }

  it("gives a reader all that comes before the peer's answer, at its pace, when its connection is retired", () => {
    const { clock, closed, connection, receiveBuffer, transport } = withInbox()
    receiveBuffer.claimMessages()
    transport.receive(texts(20))
    connection.close(bye)
    receiveBuffer.close(200)
    let taken = 0
    for (let turn = 0; turn < 10; turn++) {
      assert.isTrue(transport.paused)
      clock.advance(99)
      taken += receiveBuffer.take().length
      assert.isFalse(transport.paused)
      transport.receive(texts(20))
    }
    taken += receiveBuffer.take().length
    assert.strictEqual(taken, 220)
    transport.receive(from("client", Frame.close(1000)))
    transport.close()
    assert.strictEqual(closed[0]?.cause._tag, "Handshake")
    assert.isFalse(clock.armed)
  })

  it("is dropped, with all that follows, once the reader of a retired connection takes nothing for its time", () => {
    const { clock, closed, connection, receiveBuffer, transport } = withInbox()
    receiveBuffer.claimMessages()
    connection.close(bye)
    receiveBuffer.close(200)
    transport.receive(texts(20))
    assert.isTrue(transport.paused)
    clock.advance(99)
    assert.isTrue(transport.paused)
    clock.advance(1)
    assert.isFalse(transport.paused)
    transport.receive(texts(20))
    assert.isFalse(transport.paused)
    assert.strictEqual(receiveBuffer.take().length, 20)
    transport.receive(texts(20), from("client", Frame.close(1000)))
    assert.isTrue(receiveBuffer.isEmpty)
    transport.close()
    assert.strictEqual(closed[0]?.cause._tag, "Handshake")
  })

  it("drops at once what exceeds the limit of a retired connection that nobody ever read", () => {
    const { connection, receiveBuffer, transport } = withInbox()
    transport.receive(texts(20))
    connection.close(bye)
    receiveBuffer.close(200)
    assert.isFalse(transport.paused)
  })

  it("gives the reader that takes in the middle of a batch everything in order", () => {
    const { transport, receiveBuffer } = withInbox()
    receiveBuffer.claimMessages()
    const taken: Array<unknown> = []
    const reader = (): void => {
      while (!receiveBuffer.isEmpty) taken.push(...receiveBuffer.take())
      if (!receiveBuffer.over) receiveBuffer.await({ wake: reader })
    }
    reader()
    for (let i = 0; i < 5; i++) transport.receive(texts(700))
    assert.deepStrictEqual(taken, Array.from({ length: 5 }, () => Array.from({ length: 700 }, (_, i) => `${i}`)).flat())
    assert.isFalse(transport.paused)
  })
})

/** An end of a pipe that sends a list of messages, and reads in fits and starts, as its choices say. */
class Restless implements ConnectionHandler {
  readonly wantsFragments = false
  readonly received: Array<string> = []
  readonly accepted: Array<string> = []
  readonly work: Array<() => void>
  connection: Connection | undefined = undefined
  closedAs: Closed | undefined = undefined
  private readonly choices: Iterator<number>
  private turns = 0

  constructor(work: Array<() => void>, choices: ReadonlyArray<number>) {
    this.work = work
    this.choices = (function* () {
      let at = 0
      for (;;) yield choices[at++ % choices.length] ?? 0
    })()
  }

  message(_opcode: number, bytes: Buffer, start: number, end: number): undefined {
    assert.isUndefined(this.closedAs)
    this.received.push(bytes.toString("utf8", start, end))
    this.act()
  }

  fragment(): undefined {
    assert.fail("not asked for")
  }

  control(): void {}

  batchEnd(): void {
    this.act()
  }

  ended(): void {}

  closed(closed: Closed): void {
    assert.isUndefined(this.closedAs)
    this.closedAs = closed
  }

  sendAll(messages: ReadonlyArray<string>, then: () => void): void {
    const { connection } = this
    assert.isDefined(connection)
    const rest = messages.slice()
    const next = (): void => {
      for (let message = rest.shift(); message !== undefined; message = rest.shift()) {
        if (!connection?.outbound.message(message)) return
        this.accepted.push(message)
        if (connection.outbound.full) return connection.outbound.whenWritable(next)
        if (this.choose(4) === 0) {
          this.work.push(next)
          return
        }
      }
      then()
    }
    next()
  }

  private act(): void {
    const { connection } = this
    // A face that stops at every turn would never get further.
    if (this.turns++ > 500) return
    const choice = this.choose(8)
    if (choice === 0) connection?.inbound.hold()
    else if (choice === 1) connection?.inbound.pause()
    else if (choice === 2) connection?.inbound.resume()
    if (connection?.inbound.isPaused === true) this.work.push(() => connection.inbound.resume())
  }

  private choose(count: number): number {
    return (this.choices.next().value as number) % count
  }
}

/** Slow compression whose work is done with the other work. */
class Worked extends SlowCompression {
  constructor(work: Array<() => void>) {
    super(2000)
    this.pending.push = (...tasks) => work.push(...tasks)
  }
}

/** Messages of these sizes, each to be told from the others. */
const named = (side: string, sizes: ReadonlyArray<number>): Array<string> =>
  sizes.map((size, index) => `${side}${index}:`.padEnd(size, "-"))

describe("Connection, two of them", () => {
  const sizes = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 2, arbitrary: fc.integer({ min: 1500, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 70_000, max: 200_000 }) }
  )
  const scenario = fc.record({
    left: fc.array(sizes, { maxLength: 30 }),
    right: fc.array(sizes, { maxLength: 30 }),
    leftChoices: fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
    rightChoices: fc.array(fc.nat(), { minLength: 1, maxLength: 50 }),
    compress: fc.boolean(),
    clientCloses: fc.boolean(),
    bothClose: fc.boolean()
  })

  it.live("bring everything that was accepted, in order, and end alike, however they read and write", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(scenario, async (given) => {
          const clock = new ManualClock()
          const work: Array<() => void> = []
          const [a, b] = memoryPair()
          const open = (role: Role, transport: Transport, choices: ReadonlyArray<number>): Restless => {
            const face = new Restless(work, choices)
            const compression = given.compress ? new Worked(work) : undefined
            const options = { ...settings, transport, codec: hybi, role, timers: clock.timers, compression }
            face.connection = new Connection(face, options)
            face.connection.start()
            return face
          }
          const client = open("client", a, given.leftChoices)
          const server = open("server", b, given.rightChoices)
          client.sendAll(named("c", given.left), () => {
            if (given.clientCloses || given.bothClose) client.connection?.close(bye)
          })
          server.sendAll(named("s", given.right), () => {
            if (!given.clientCloses || given.bothClose) server.connection?.close(bye)
          })
          for (let turn = 0; client.closedAs === undefined || server.closedAs === undefined; turn++) {
            if (turn > 5000) assert.fail("it hangs")
            await new Promise<void>((resolve) => setImmediate(resolve))
            work.shift()?.()
          }
          assert.deepStrictEqual(server.received, client.accepted)
          assert.deepStrictEqual(client.received, server.accepted)
          for (const { closedAs } of [client, server]) {
            assert.deepStrictEqual(closedAs?.cause, { _tag: "Handshake" })
            assert.strictEqual(closedAs?.sent?.code, 1000)
            assert.strictEqual(closedAs?.received?.code, 1000)
          }
          assert.isFalse(clock.armed)
        }),
        { numRuns: 150 }
      )
    )
  )
})
