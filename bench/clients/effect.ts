// Effect's own client, which stands on `ws`.
import { NodeWS } from "@effect/platform-node"
import { Deferred, Effect } from "effect"
import * as Socket from "effect/socket/Socket"
import { begin, Conversation, fail, forEachConnection, mode, urlFor } from "./program.ts"

const open = (index: number, opened: Deferred.Deferred<void>): Effect.Effect<never, Socket.SocketError> =>
  Effect.gen(function* () {
    const socket = yield* Socket.makeWebSocket(urlFor(index))
    const { pull } = yield* socket.reader
    const writer = yield* socket.writer
    const conversation = new Conversation()
    if (mode.kind === "echo") for (const message of conversation.first()) yield* writer.write(message)
    yield* Deferred.succeed(opened, void 0)
    while (true) {
      const messages = yield* pull
      const [first, ...rest] = messages
      conversation.check(first)
      for (const message of rest) conversation.check(message)
      yield* writer.writeAll([conversation.next(), ...rest.map(() => conversation.next())])
    }
  }).pipe(Effect.scoped, Effect.provide(NodeWS.layerWebSocketConstructor))

const cycle = (index: number): Effect.Effect<void, Socket.SocketError> =>
  Effect.gen(function* () {
    const socket = yield* Socket.makeWebSocket(urlFor(index))
    const writer = yield* socket.writer
    const { pull } = yield* socket.reader
    yield* writer.write(new Socket.CloseEvent(1000))
    yield* pull
  }).pipe(
    Effect.scoped,
    Effect.provide(NodeWS.layerWebSocketConstructor),
    Effect.catchTag("SocketError", (error) =>
      error.reason._tag === "SocketCloseError" ? Effect.void : Effect.fail(error)
    )
  )

const orFail = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A> =>
  Effect.catchCause(effect, (cause) => Effect.sync(() => fail(String(cause))))

begin(async () => {
  if (mode.kind === "handshakes") {
    for (let index = 0; index < mode.connections; index++) Effect.runFork(orFail(Effect.forever(cycle(index))))
    return
  }
  await forEachConnection(async (index) => {
    const opened = Deferred.makeUnsafe<void>()
    Effect.runFork(orFail(open(index, opened)))
    await Effect.runPromise(Deferred.await(opened))
  })
})
