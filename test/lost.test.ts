import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Server, Socket } from "effect-ws"
import { connect } from "node:net"
import { encodeFrame } from "../src/internal/protocol/hybi/encoder.ts"
import { lost } from "../src/internal/socket/lost.ts"
import { withoutStack } from "../src/internal/withoutStack.ts"
import { upgradeHead } from "./support/upgrade.ts"

describe("errors of which thousands are made at once", () => {
  it("have their message and no stack", () => {
    const { stackTraceLimit } = Error
    const error = lost({ code: 1001, reason: "bye" })
    assert.strictEqual(error.message, "the connection is closed: 1001 bye")
    assert.notMatch(String(error.stack), /\n\s+at /)
    assert.strictEqual(Error.stackTraceLimit, stackTraceLimit)
  })

  it("leave others their stacks, whatever happens", () => {
    assert.throws(() =>
      withoutStack(() => {
        throw new Error("on purpose")
      })
    )
    assert.match(String(new Error("later").stack), /\n\s+at /)
  })
})

const request = upgradeHead()

describe("a peer that ends its direction without a close frame", () => {
  it.live("gets every answer, then the end, and no reset", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run((socket) => Socket.run(socket, socket.send)))
      const message = Buffer.alloc(4000, 0x61)
      const count = 500
      const received = yield* Effect.callback<Buffer, Error>((resume) => {
        const chunks: Array<Buffer> = []
        const peer = connect({ port: server.address.port, host: "127.0.0.1", allowHalfOpen: true })
        peer.on("data", (chunk: Buffer) => chunks.push(chunk))
        peer.on("error", (error) => resume(Effect.fail(error)))
        peer.on("end", () => resume(Effect.succeed(Buffer.concat(chunks))))
        peer.write(request)
        peer.once("data", () => {
          for (let at = 0; at < count; at++) peer.write(encodeFrame(0x1, true, 0, message, 0x3d21fa37))
          peer.end()
        })
      })
      const head = received.indexOf("\r\n\r\n") + 4
      // A frame of 4000 bytes has a header of 4.
      assert.strictEqual(received.length - head, count * (message.length + 4))
    })
  )
})
