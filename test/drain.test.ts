import { assert, describe, it } from "@effect/vitest"
import { Deferred, type Duration, Effect, Exit, Fiber, Ref, Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import { fork } from "node:child_process"
import { once } from "node:events"
import * as http from "node:http"
import { fileURLToPath } from "node:url"
import { listening } from "./support/http.ts"
import { exchange, open, upgradeHead } from "./support/upgrade.ts"

const program = fileURLToPath(new URL("regressions/programs/drainOnSigterm.ts", import.meta.url))

/** Longer than any test: a time limit that isn't the subject. */
const unlimited = "1 hour"

/** Only what a test is about may end a connection. */
const patient = { closeTimeout: unlimited, keepAlive: false } as const

const local = { host: "127.0.0.1", port: 0, shutdownTimeout: unlimited, ...patient } as const

const connect = (url: string) => Socket.connect(url, { openTimeout: unlimited, ...patient })

const urlOf = ({ address }: Server.Server<unknown>) => `ws://127.0.0.1:${address.port}/`

type Handler<R> = (socket: Server.Connection) => Effect.Effect<unknown, Socket.SocketError, R>

/** What a server did with the messages of its clients. */
interface Counts {
  connected: number
  read: number
  answered: number
}

/** A server whose handlers run in the test's scope. */
const serving = <R>(handler: Handler<R>, options: Server.ServeOptions = {}) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ ...local, ...options })
    yield* Effect.forkScoped(server.run(handler), { startImmediately: true })
    return server
  })

const acknowledge = (socket: Server.Connection) =>
  Stream.runForEach(socket.messages, (message) => socket.send(`ack ${String(message)}`))

/** Waits until something holds. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.andThen(Effect.sleep(2), until(holds))))

const closeCodeOf = (socket: Socket.Socket) => Effect.map(socket.closed, ({ received }) => received?.code)

/** Begins to drain, and waits until the server has. */
const drainInBackground = (server: Server.Server<unknown>, options?: Server.DrainOptions) =>
  Effect.gen(function* () {
    const draining = yield* Effect.forkScoped(server.drain(options), { startImmediately: true })
    return draining
  })

const busyClients = 200

/** Sends the next number when the answer to the one before is there, until it can't, or is asked to leave. */
const busyClient = (url: string, on: { readonly connected: () => void; readonly answered?: () => void }) =>
  Effect.gen(function* () {
    const socket = yield* connect(url)
    on.connected()
    let sent = 0
    let answered = 0
    let leaving = false
    const sendNext = Effect.suspend(() => Effect.tap(socket.send(String(sent)), () => Effect.sync(() => sent++)))
    const read = Stream.runForEach(socket.messages, (message) => {
      if (message === "leave") {
        leaving = true
        return answered === sent ? socket.close() : Effect.void
      }
      assert.strictEqual(message, String(answered))
      answered++
      on.answered?.()
      return leaving ? socket.close() : sendNext
    })
    yield* Effect.ignore(Effect.andThen(sendNext, read))
    return { sent, answered, code: yield* closeCodeOf(socket) }
  }).pipe(Effect.scoped)

/** Has clients busy, drains, and adds up what became of their messages. */
const drainBusy = (
  grace: Duration.Input,
  code: number,
  handler: (socket: Server.Connection, count: Counts) => ReturnType<Handler<Scope.Scope>>
) =>
  Effect.gen(function* () {
    const counts = { connected: 0, read: 0, answered: 0 }
    const server = yield* serving((socket) => handler(socket, counts))
    const clients = yield* Effect.forEach(Array.from({ length: busyClients }), () =>
      Effect.forkScoped(busyClient(urlOf(server), { connected: () => counts.connected++ }))
    )
    yield* until(() => counts.connected === busyClients && counts.answered > 5 * busyClients)
    yield* server.drain({ grace })
    const results = yield* Effect.forEach(clients, Fiber.join)
    const sum = (count: (result: (typeof results)[number]) => number) =>
      results.reduce((total, result) => total + count(result), 0)
    assert.deepStrictEqual(new Set(results.map(({ code }) => code)), new Set([code]))
    return { ...counts, clientSent: sum(({ sent }) => sent), clientAnswered: sum(({ answered }) => answered) }
  })

describe("server.drain", () => {
  it.live("answers new requests with 503 and Retry-After, while handlers go on answering messages", () =>
    Effect.gen(function* () {
      const server = yield* serving(acknowledge, { retryAfter: "7 seconds" })
      const socket = yield* connect(urlOf(server))
      yield* socket.send("1")
      const draining = yield* drainInBackground(server, { grace: unlimited })
      const refused = yield* exchange(server.address.port, upgradeHead(), "\r\n\r\n")
      assert.match(refused, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 7\r\n/)
      yield* socket.send("2")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 2)), ["ack 1", "ack 2"])
      assert.isUndefined(draining.pollUnsafe())
      yield* socket.close()
      yield* Fiber.join(draining)
    })
  )

  it.live("refuses the requests that were being decided", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const answer = yield* Deferred.make<undefined>()
      const server = yield* serving(acknowledge, {
        authorize: () => Effect.andThen(Deferred.succeed(asked, undefined), Deferred.await(answer))
      })
      const client = yield* open(server.address.port, upgradeHead())
      yield* Deferred.await(asked)
      yield* server.drain()
      yield* Deferred.succeed(answer, undefined)
      assert.match(yield* client.until("\r\n\r\n"), /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 10\r\n/)
    })
  )

  it.live("notifies each handler, and closes with 1001 when it has finished", () =>
    Effect.gen(function* () {
      const server = yield* serving((socket) => Effect.andThen(socket.draining, socket.send("bye")))
      const sockets = yield* Effect.forEach([1, 2, 3], () => connect(urlOf(server)))
      yield* server.drain({ grace: unlimited })
      for (const socket of sockets) {
        assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), ["bye"])
        assert.strictEqual(yield* closeCodeOf(socket), 1001)
      }
    })
  )

  it.live("waits for a handler whose connection has ended", () =>
    Effect.gen(function* () {
      const saving = yield* Deferred.make<void>()
      const saved = yield* Ref.make(false)
      const server = yield* serving((socket) =>
        Effect.andThen(
          Effect.ignore(Stream.runDrain(socket.messages)),
          Effect.andThen(Deferred.await(saving), Ref.set(saved, true))
        )
      )
      const socket = yield* connect(urlOf(server))
      const draining = yield* drainInBackground(server, { grace: unlimited })
      yield* socket.close()
      assert.isUndefined(draining.pollUnsafe())
      yield* Deferred.succeed(saving, undefined)
      yield* Fiber.join(draining)
      assert.isTrue(yield* Ref.get(saved))
    })
  )

  it.live("closes with 1001 after the grace period, once the answer to what was read is sent", () =>
    Effect.gen(function* () {
      const read = yield* Deferred.make<void>()
      const server = yield* serving((socket) =>
        Stream.runForEach(socket.messages, (message) =>
          Effect.andThen(
            Deferred.succeed(read, undefined),
            Effect.andThen(Effect.sleep(300), socket.send(`ack ${String(message)}`))
          )
        )
      )
      const socket = yield* connect(urlOf(server))
      yield* socket.send("slow")
      yield* Deferred.await(read)
      const drained = yield* drainInBackground(server, { grace: 1 })
      assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), ["ack slow"])
      assert.strictEqual(yield* closeCodeOf(socket), 1001)
      yield* Fiber.join(drained)
    })
  )

  it.live("doesn't wait for a handler that never reads, or never answers, beyond its time", () =>
    Effect.gen(function* () {
      const server = yield* serving(
        (socket) =>
          socket.request.url === "/stuck"
            ? Stream.runForEach(socket.messages, () => Effect.never)
            : Effect.ignore(Effect.andThen(socket.send("pushed"), Effect.never)),
        { shutdownTimeout: "1 second" }
      )
      const [quiet, stuck] = [yield* connect(urlOf(server)), yield* connect(`${urlOf(server)}stuck`)]
      yield* stuck.send("never answered")
      yield* server.drain({ grace: 1 })
      assert.strictEqual(yield* closeCodeOf(quiet), 1001)
      assert.strictEqual(yield* closeCodeOf(stuck), 1001)
    })
  )

  it.live("may be called twice, and together with the end of the scope", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(serving(acknowledge), scope)
      const socket = yield* connect(urlOf(server))
      const [first, second] = [
        yield* drainInBackground(server, { grace: unlimited }),
        yield* drainInBackground(server, { grace: unlimited })
      ]
      yield* Scope.close(scope, Exit.void)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.strictEqual(yield* closeCodeOf(socket), 1001)
    })
  )

  it.live("is what the end of the scope does for drainGrace", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const server = yield* Scope.provide(serving(acknowledge, { drainGrace: unlimited }), scope)
      const socket = yield* connect(urlOf(server))
      const closing = yield* Effect.forkScoped(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* socket.send("1")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["ack 1"])
      yield* socket.close()
      yield* Fiber.join(closing)
    })
  )

  it.live("drains what is attached to a server, and connections that nobody took", () =>
    Effect.gen(function* () {
      const server = http.createServer()
      const port = yield* listening(server)
      const acceptor = yield* Server.attach(server, {})
      const bare = yield* open(port, upgradeHead())
      yield* bare.until("\r\n\r\n")
      bare.socket.on("data", () => bare.socket.destroy())
      yield* acceptor.drain()
      assert.match(yield* exchange(port, upgradeHead(), "\r\n\r\n"), /^HTTP\/1\.1 503 /)
    })
  )

  it.live("loses no message and no answer of 200 busy clients", () =>
    Effect.gen(function* () {
      const counts = yield* drainBusy(100, 1001, (socket, counts) =>
        Stream.runForEach(socket.messages, (message) => {
          counts.read++
          return Effect.sleep(Number(message) % 4).pipe(
            Effect.andThen(socket.send(message)),
            Effect.andThen(Effect.sync(() => counts.answered++))
          )
        })
      )
      assert.strictEqual(counts.clientAnswered, counts.answered)
      // A message that crosses our close frame is read; no answer to it may be sent.
      assert.strictEqual(counts.read, counts.clientSent)
      assert.isAtMost(counts.clientSent - counts.clientAnswered, busyClients)
    })
  )

  it.live("leaves no message unanswered where handlers ask their clients to leave", () =>
    Effect.gen(function* () {
      const counts = yield* drainBusy(unlimited, 1000, (socket, counts) =>
        Effect.andThen(
          Effect.forkScoped(Effect.andThen(socket.draining, socket.send("leave"))),
          Stream.runForEach(socket.messages, (message) => {
            counts.read++
            return Effect.andThen(
              socket.send(message),
              Effect.sync(() => counts.answered++)
            )
          })
        )
      )
      assert.strictEqual(counts.read, counts.clientSent)
      assert.strictEqual(counts.answered, counts.clientSent)
      assert.strictEqual(counts.clientAnswered, counts.clientSent)
    })
  )

  it.live("loses nothing when a signal ends the process, by its options alone", () =>
    Effect.gen(function* () {
      const child = yield* Effect.acquireRelease(
        Effect.sync(() => fork(program, { execPath: process.execPath })),
        (child) => Effect.sync(() => child.kill("SIGKILL"))
      )
      const exited = once(child, "exit")
      const [port] = yield* Effect.promise(() => once(child, "message"))
      const url = `ws://127.0.0.1:${String(port)}/`
      let connected = 0
      let answered = 0
      const clients = yield* Effect.forEach(Array.from({ length: busyClients }), () =>
        Effect.forkScoped(busyClient(url, { connected: () => connected++, answered: () => answered++ }))
      )
      yield* until(() => connected === busyClients && answered > 5 * busyClients)
      const counted = once(child, "message")
      child.kill("SIGTERM")
      const [counts] = yield* Effect.promise(() => counted)
      const results = yield* Effect.forEach(clients, Fiber.join)
      const sent = results.reduce((sum, result) => sum + result.sent, 0)
      assert.deepStrictEqual(counts, { read: sent, answered: sent })
      assert.strictEqual(answered, sent)
      assert.deepStrictEqual(new Set(results.map(({ code }) => code)), new Set([1000]))
      yield* Effect.promise(() => exited)
    })
  )
})
