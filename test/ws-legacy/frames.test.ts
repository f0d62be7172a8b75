/* oxlint-disable unicorn/prefer-add-event-listener -- the properties are all that a receiver has */
import { assert, describe, it } from "@effect/vitest"
import { Receiver, Sender, WebSocket } from "effect-ws/ws/legacy"
import { bare, masked } from "./support.ts"

const ignore = (): void => {}

/** A sender, and what it wrote. */
const sender = (): { readonly sender: Sender; readonly written: Array<Buffer>; readonly callbacks: Array<unknown> } => {
  const written: Array<Buffer> = []
  const callbacks: Array<unknown> = []
  const sink = {
    write: (data: Buffer, encoding: string, cb?: unknown) => {
      assert.strictEqual(encoding, "binary")
      written.push(data)
      callbacks.push(cb)
    }
  }
  return { sender: new Sender(sink), written, callbacks }
}

/** A receiver, and what it called. */
const receiver = (): { readonly receiver: Receiver; readonly calls: Array<unknown> } => {
  const calls: Array<unknown> = []
  const receiver = new Receiver()
  for (const name of ["ontext", "onbinary", "onclose", "onping", "onpong", "onerror"] as const) {
    receiver[name] = (...args: Array<unknown>) => void calls.push([name, ...args])
  }
  return { receiver, calls }
}

describe("Sender", () => {
  it("stands on the class", () => {
    assert.strictEqual(WebSocket.Sender, Sender)
    assert.strictEqual(WebSocket.Receiver, Receiver)
  })

  it("writes the examples of RFC 6455 §5.7", () => {
    const { sender: out, written } = sender()
    out.send("Hello", {})
    out.send("Hel", { fin: false })
    out.send("lo", { fin: true })
    out.ping("Hello")
    out.send(Buffer.alloc(256), { binary: true })
    out.send(Buffer.alloc(65536), { binary: true })
    assert.deepStrictEqual(
      written.map((frame) => frame.subarray(0, 10).toString("hex")),
      ["810548656c6c6f", "010348656c", "80026c6f", "890548656c6c6f", "827e0100000000000000", "827f0000000000010000"]
    )
  })

  it("masks when it is told to, each time with another key", () => {
    const { sender: out, written } = sender()
    for (let count = 0; count < 4; count++) out.send("Hello", { mask: true })
    const keys = new Set(written.map((frame) => frame.subarray(2, 6).toString("hex")))
    assert.isAbove(keys.size, 1)
    for (const frame of written) {
      const { calls, receiver: back } = receiver()
      back.add(frame)
      assert.deepStrictEqual(calls, [["ontext", "Hello", { masked: true, buffer: Buffer.from("Hello") }]])
    }
  })

  it("closes with a code, and checks it", () => {
    const { sender: out, written } = sender()
    out.close()
    out.close(1001, "bye")
    out.pong()
    assert.deepStrictEqual(
      written.map((frame) => frame.toString("hex")),
      ["880203e8", "880503e9627965", "8a00"]
    )
    assert.throws(() => out.close(1005), "first argument must be a valid error code number")
    assert.throws(() => out.close(1000, "x".repeat(124)), /123/)
  })

  it("gives what the socket throws to the callback, or as an event", () => {
    const broken = new Sender({
      write: () => {
        throw new Error("broken")
      }
    })
    const errors: Array<unknown> = []
    broken.send("x", {}, (error) => errors.push(error?.message))
    broken.on("error", (error: Error) => errors.push(error.message))
    broken.send("x")
    assert.deepStrictEqual(errors, ["broken", "broken"])
  })

  it("gives the callback to the socket", () => {
    const { callbacks, sender: out } = sender()
    out.send("x", {}, ignore)
    assert.deepStrictEqual(callbacks, [ignore])
  })
})

describe("Receiver", () => {
  it("reads what either side sends, however it is cut", () => {
    for (const [frame, isMasked] of [
      [masked, true],
      [bare, false]
    ] as const) {
      const bytes = Buffer.concat([
        frame(1, "Hel", false),
        frame(9, "p"),
        frame(0, "lo"),
        frame(2, "bytes"),
        frame(10),
        frame(8, Buffer.concat([Buffer.from([0x03, 0xe9]), Buffer.from("bye")])),
        frame(1, "too late")
      ])
      for (const size of [1, 3, bytes.length]) {
        const { calls, receiver: into } = receiver()
        const before = Buffer.from(bytes)
        for (let at = 0; at < bytes.length; at += size) into.add(bytes.subarray(at, at + size))
        assert.isTrue(bytes.equals(before), "the caller's bytes")
        assert.deepStrictEqual(calls, [
          ["onping", Buffer.from("p"), { masked: isMasked, binary: true }],
          ["ontext", "Hello", { masked: isMasked, buffer: Buffer.from("Hello") }],
          ["onbinary", Buffer.from("bytes"), { masked: isMasked, buffer: Buffer.from("bytes") }],
          ["onpong", null, { masked: isMasked, binary: true }],
          ["onclose", 1001, "bye", { masked: isMasked }]
        ])
      }
    }
  })

  it("stops at what breaks the protocol", () => {
    const { calls, receiver: into } = receiver()
    into.add(Buffer.concat([masked(1, "fine"), masked(3), masked(1, "too late")]))
    into.add(masked(1, "too late"))
    assert.deepStrictEqual(calls.slice(1), [["onerror", "no handler for opcode 3", 1002]])
    const text = receiver()
    text.receiver.add(masked(1, Buffer.of(0xff)))
    text.receiver.add(masked(1, "x"))
    assert.deepStrictEqual(text.calls, [["onerror", "invalid utf8 sequence", 1007]])
  })

  it("does not take sides half-way", () => {
    const { calls, receiver: into } = receiver()
    into.add(Buffer.concat([masked(1, "a"), bare(1, "b")]))
    assert.deepStrictEqual(calls.slice(1), [["onerror", "a client's frame is not masked", 1002]])
  })

  it("is silent after cleanup, even inside of a callback", () => {
    const { calls, receiver: into } = receiver()
    into.ontext = (text) => {
      calls.push(text)
      into.cleanup()
    }
    into.add(Buffer.concat([masked(1, "a"), masked(1, "b"), masked(9), masked(3)]))
    into.add(masked(1, "c"))
    assert.deepStrictEqual(calls, ["a"])
    assert.isTrue(into.dead)
  })

  it("tells 1000 for a close frame without a code", () => {
    const { calls, receiver: into } = receiver()
    into.add(Buffer.of())
    into.add(bare(8))
    assert.deepStrictEqual(calls, [["onclose", 1000, "", { masked: false }]])
  })
})
