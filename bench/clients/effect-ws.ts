// This library's Effect face as a client: a Stream of messages, or a handler for each message or batch, as HANDLER says.
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import process from "node:process"
import type * as Library from "../../src/index.ts"
import { Socket } from "../library.ts"
import { begin, Conversation, fail, forEachConnection, mode, urlFor } from "./program.ts"

type Connection = Library.Socket.Socket
type Talk = Effect.Effect<void, Library.Socket.SocketError>

// zlib's own level, which the others use: our default is quicker, and it would be no fair race.
const compression = {
  off: false,
  reset: { level: -1 },
  kept: { level: -1, serverNoContextTakeover: false, clientNoContextTakeover: false }
} as const

const options = { compression: compression[mode.compression] }

const handlers = {
  stream: (socket: Connection, conversation: Conversation): Talk =>
    Stream.runForEach(socket.messages, (message) => {
      conversation.check(message)
      return socket.send(conversation.next())
    }),
  run: (socket: Connection, conversation: Conversation): Talk =>
    Socket.run(socket, (message) => {
      conversation.check(message)
      return socket.send(conversation.next())
    }),
  batch: (socket: Connection, conversation: Conversation): Talk =>
    Socket.runBatch(socket, (messages) => {
      for (const message of messages) conversation.check(message)
      return socket.sendAll(messages.map(() => conversation.next()))
    })
}

const asHandler = (name: string | undefined): keyof typeof handlers =>
  name === "run" || name === "batch" ? name : "stream"

const handle = handlers[asHandler(process.env["HANDLER"])]

const open = (index: number, opened: Deferred.Deferred<void>): Talk =>
  Effect.gen(function* () {
    const socket = yield* Socket.connect(urlFor(index), options)
    const conversation = new Conversation()
    if (mode.kind === "echo") yield* socket.sendAll(conversation.first())
    yield* Deferred.succeed(opened, void 0)
    yield* handle(socket, conversation)
  }).pipe(Effect.scoped)

const cycle = (index: number): Talk =>
  Effect.gen(function* () {
    const socket = yield* Socket.connect(urlFor(index), options)
    yield* socket.close(1000)
  }).pipe(Effect.scoped)

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
