import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Fiber, Schema } from "effect"
import { Rpc, RpcGroup, RpcTest } from "effect/rpc"
import { Socket as EffectSocket } from "effect/socket"
import { Frame, Handshake, Server, Socket, Topic } from "effect-ws"

const systemError = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
  code: "ECONNREFUSED",
  errno: -111,
  syscall: "connect",
  address: "127.0.0.1",
  port: 1
})

const violation = Effect.sync(() => {
  try {
    Frame.close(1005)
  } catch (error) {
    if (error instanceof Frame.FrameError) return error
  }
  throw new Error("nothing was wrong")
})

const handshakeError = Effect.gen(function* () {
  const request = yield* Handshake.request("ws://localhost/")
  const response = { status: 401, headers: { "set-cookie": ["a=1", "b=2"], server: "x" }, body: Buffer.from("no") }
  return yield* Effect.flip(Handshake.verify(request, response))
}).pipe(Effect.orDie)

const socketErrors = Effect.gen(function* () {
  const { reason } = yield* violation
  const error = yield* handshakeError
  const closed: Socket.Closed = {
    sent: { code: 1000, reason: "bye" },
    received: { code: undefined, reason: "" },
    first: "sent",
    cause: { _tag: "TransportFailed", error: new TypeError("broken") }
  }
  const lost = { _tag: "ConnectionClosed", message: "lost", closeCode: 1006, closeReason: "" } as const
  const reasons: ReadonlyArray<Socket.SocketErrorReason> = [
    { _tag: "InvalidOptions", message: "invalid", option: "maxMessageSize", allowed: "an integer" },
    { _tag: "OpenFailed", message: "refused", cause: systemError },
    { _tag: "OpenFailed", message: "refused", cause: undefined },
    { _tag: "OpenFailed", message: "refused", cause: "a text" },
    { _tag: "OpenTimeout", message: "late", limit: 1000 },
    { _tag: "IdleTimeout", message: "quiet", limit: 1000 },
    { _tag: "HandshakeFailed", message: error.message, error },
    { ...lost, closed: undefined },
    { ...lost, closed },
    { ...lost, closed: { ...closed, cause: { _tag: "Violation", violation: reason } } },
    { ...lost, closed: { ...closed, cause: { _tag: "KeepAliveTimeout" } } },
    { _tag: "ProtocolViolation", message: "broken", closeCode: 1002, violation: reason },
    { _tag: "Unsupported", message: "no", feature: "ping", draft: "hixie-76" },
    { _tag: "InvalidSend", message: "no", violation: reason },
    { _tag: "AlreadyReading", message: "taken" },
    { _tag: "ReadBufferFull", message: "full", limit: 1 }
  ]
  return reasons.map((reason) => new Socket.SocketError({ reason }))
}).pipe(Effect.orDie)

/** Encodes as JSON text and back, by the schema itself and by its JSON form. */
const roundTrips = <A, E>(schema: Schema.Codec<A, E>, value: A): ReadonlyArray<A> =>
  [schema, Schema.toCodecJson(schema)].map((codec: Schema.Codec<A, unknown>) =>
    Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(value))))
  )

/** How a program handles both. */
const either = (error: Socket.SocketError | EffectSocket.SocketError) =>
  Effect.fail(error).pipe(
    Effect.catchTag("WebSocketError", ({ reason }) => Effect.succeed(reason._tag)),
    Effect.catchTag("SocketError", ({ reason }) => Effect.succeed(reason._tag))
  )

describe("errors", () => {
  it.effect("of sockets are equal after JSON, with every reason", () =>
    Effect.gen(function* () {
      for (const error of yield* socketErrors) {
        for (const copy of roundTrips(Socket.SocketError, error)) {
          assert.deepStrictEqual(copy, error)
          assert.isTrue(Equal.equals(copy, error))
          assert.instanceOf(copy, Socket.SocketError)
          assert.strictEqual(copy.message, error.message)
          assert.strictEqual(copy.closeCode, error.closeCode)
        }
      }
    })
  )

  it.effect("of frames, handshakes, servers and topics are equal after JSON", () =>
    Effect.gen(function* () {
      const frame = yield* violation
      for (const copy of roundTrips(Frame.FrameError, frame)) assert.deepStrictEqual(copy, frame)
      for (const error of [yield* handshakeError, Handshake.tooManyConnections(3), Handshake.timeout(1)]) {
        for (const copy of roundTrips(Handshake.HandshakeError, error)) assert.deepStrictEqual(copy, error)
      }
      const server = yield* Effect.flip(Server.make({ port: Number.NaN }))
      for (const copy of roundTrips(Server.ServerError, server)) assert.deepStrictEqual(copy, server)
      const topics = yield* Topic.make()
      const topic = yield* Effect.flip(topics.publish("a..b", "x"))
      for (const copy of roundTrips(Topic.TopicError, topic)) assert.deepStrictEqual(copy, topic)
    })
  )

  it.effect("of messages are equal after JSON, but for the schema that refused them", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const typed = Socket.withSchema(server, Schema.Struct({ id: Schema.Int }), { onInvalid: "fail" })
      yield* client.sendAll([Buffer.from([0, 255]), "{", '{"id":"x"}'])
      for (const tag of ["WrongType", "Malformed", "WrongShape"]) {
        const error = yield* Effect.flip(typed.receive)
        assert.strictEqual(error._tag, "MessageError")
        if (error._tag !== "MessageError") continue
        assert.strictEqual(error.reason._tag, tag)
        for (const copy of roundTrips(Socket.MessageError, error)) {
          assert.strictEqual(copy.message, error.message)
          assert.strictEqual(copy.closeCode, error.closeCode)
          assert.deepStrictEqual(
            Uint8Array.from(Buffer.from(copy.reason.received)),
            Uint8Array.from(Buffer.from(error.reason.received))
          )
          if (copy.reason._tag === "WrongShape" && error.reason._tag === "WrongShape") {
            assert.strictEqual(copy.reason.cause.name, error.reason.cause.name)
            assert.strictEqual(copy.reason.cause.message, error.reason.cause.message)
          } else if (tag === "Malformed") assert.deepStrictEqual(copy, error)
        }
      }
    })
  )

  it.effect("travel through RPC", () =>
    Effect.gen(function* () {
      const [, , , , , , refused] = yield* socketErrors
      assert.isDefined(refused)
      if (refused === undefined) return
      const Calls = RpcGroup.make(Rpc.make("Dial", { error: Socket.SocketError }))
      const handlers = Calls.toLayer({ Dial: () => Effect.fail(refused) })
      const client = yield* RpcTest.makeClient(Calls).pipe(Effect.provide(handlers))
      const error = yield* Effect.flip(client.Dial())
      assert.deepStrictEqual(error, refused)
    })
  )

  it("are refused where they are of another class, or their reason is none", () => {
    const decode = Schema.decodeUnknownExit(Socket.SocketError)
    for (const value of [
      { _tag: "SocketError", reason: { _tag: "AlreadyReading", message: "" } },
      { _tag: "WebSocketError", reason: { _tag: "AlreadyReading" } },
      { _tag: "WebSocketError", reason: { _tag: "OpenTimeout", message: "", limit: "1" } },
      { _tag: "WebSocketError" }
    ]) {
      assert.strictEqual(decode(value)._tag, "Failure")
    }
  })

  it.effect("stand beside the errors of effect/socket, and are distinguished by tag and reason", () =>
    Effect.gen(function* () {
      const ours = new Socket.SocketError({ reason: { _tag: "AlreadyReading", message: "taken" } })
      const theirs = new EffectSocket.SocketError({ reason: new EffectSocket.SocketCloseError({ code: 1000 }) })
      assert.strictEqual(yield* either(ours), "AlreadyReading")
      assert.strictEqual(yield* either(theirs), "SocketCloseError")
      assert.isTrue(Socket.isSocketError(ours))
      assert.isFalse(Socket.isSocketError(theirs))
      assert.isFalse(Socket.isSocketError(undefined))
      const reason = yield* Effect.catchReason(Effect.fail(ours), "WebSocketError", "AlreadyReading", ({ message }) =>
        Effect.succeed(message)
      )
      assert.strictEqual(reason, "taken")
    })
  )

  it.effect("are caught by reason where a connection is lost", () =>
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair()
      const closing = yield* Effect.forkChild(server.close(4001, "gone"))
      const code = yield* client.receive.pipe(
        Effect.catchReason("WebSocketError", "ConnectionClosed", ({ closeCode }) => Effect.succeed(closeCode))
      )
      yield* Fiber.join(closing)
      assert.strictEqual(code, 4001)
    })
  )
})
