/**
 * What a broadcast costs when one of ten receivers reads nothing: `npm run soak:slow`. 2 000 messages of 10 KiB go to all of
 * them, by each policy of `Socket.broadcast` and of topics, and by a loop over `send` on the faces and `ws`, which have no
 * other way.
 * Prints how many were given out, how many the readers got, and what lives on the heap and in buffers afterwards.
 */
import { Effect, Exit, Scope, Stream } from "effect"
import { once } from "node:events"
import * as net from "node:net"
import { WebSocketServer as PeerServer } from "ws"
import * as Server from "../../src/Server.ts"
import * as Socket from "../../src/Socket.ts"
import * as Topic from "../../src/Topic.ts"
import { WebSocketServer as OurServer } from "../../src/ws/index.ts"
import { Server as LegacyServer } from "../../src/ws/legacy/index.ts"
import { liveBytes } from "./live.ts"
import { portOf, type Running } from "./servers.ts"
import { upgradeHead } from "../support/upgrade.ts"

const messages = 2000
const size = 10 * 1024
const readers = 9

/** Milliseconds after which a broadcast counts as held up. */
const patience = 1000

interface Broadcasting extends Running {
  /** Done when the broadcast is. */
  readonly broadcast: (message: Uint8Array) => Promise<unknown>
}

/** What becomes of each new socket, and how all of them are sent something. */
interface Receivers {
  readonly add: (socket: Socket.Socket) => Effect.Effect<unknown, Topic.TopicError>
  readonly broadcast: (message: Uint8Array) => Effect.Effect<unknown, Topic.TopicError>
}

const bySockets = (slow: Socket.SlowPolicy): Effect.Effect<Receivers> =>
  Effect.sync(() => {
    const sockets = new Set<Socket.Socket>()
    return {
      add: (socket) => Effect.sync(() => sockets.add(socket)),
      broadcast: (message) => Socket.broadcast(sockets, message, { slow })
    }
  })

const byTopic = (slow: Topic.SlowPolicy): Effect.Effect<Receivers, Topic.TopicError, Scope.Scope> =>
  Effect.map(Topic.make({ slow }), (topics) => ({
    add: (socket) => topics.join(socket, "all"),
    broadcast: (message) => topics.publish("all", message)
  }))

const byEffect =
  (receivers: Effect.Effect<Receivers, Topic.TopicError, Scope.Scope>) => async (): Promise<Broadcasting> => {
    const scope = Effect.runSync(Scope.make())
    const { broadcast, server } = await Effect.runPromise(
      Scope.provide(
        Effect.gen(function* () {
          const { add, broadcast } = yield* receivers
          const server = yield* Server.make({
            host: "127.0.0.1",
            closeTimeout: "1 second",
            shutdownTimeout: "1 second"
          })
          yield* Effect.forkScoped(
            server.run((socket) => Effect.andThen(add(socket), Stream.runDrain(socket.messages))),
            { startImmediately: true }
          )
          return { broadcast, server }
        }),
        scope
      )
    )
    return {
      port: server.address.port,
      broadcast: (message) => Effect.runPromise(broadcast(message)),
      stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
    }
  }

const byLoop = (Listener: typeof PeerServer) => async (): Promise<Broadcasting> => {
  const server = new Listener({ host: "127.0.0.1", port: 0 })
  server.on("connection", (socket) => socket.on("error", () => {}))
  await once(server, "listening")
  return {
    port: portOf(server.address()),
    broadcast: (message) => {
      for (const client of server.clients) client.send(message)
      return Promise.resolve()
    },
    stop: () => {
      for (const client of server.clients) client.terminate()
      return new Promise((resolve) => server.close(() => resolve()))
    }
  }
}

const byLegacyLoop = async (): Promise<Broadcasting> => {
  const server = new LegacyServer({ host: "127.0.0.1", port: 0 })
  server.on("connection", (socket) => socket.on("error", () => {}))
  await once(server, "listening")
  const http = server._server
  return {
    port: portOf(http?.address()),
    broadcast: (message) => {
      for (const client of server.clients) client.send(message, { binary: true })
      return Promise.resolve()
    },
    stop: () => Promise.resolve(server.close())
  }
}

const ways: { readonly [name: string]: () => Promise<Broadcasting> } = {
  "broadcast, wait": byEffect(bySockets("wait")),
  "broadcast, drop": byEffect(bySockets("drop")),
  "broadcast, close": byEffect(bySockets("close")),
  "topic, wait": byEffect(byTopic("wait")),
  "topic, drop": byEffect(byTopic("drop")),
  "topic, dropOldest": byEffect(byTopic("dropOldest")),
  "topic, close": byEffect(byTopic("close")),
  face: byLoop(OurServer as unknown as typeof PeerServer),
  legacy: byLegacyLoop,
  ws: byLoop(PeerServer)
}

const request = upgradeHead()

const join = async (port: number): Promise<net.Socket> => {
  const socket = net.connect({ port, host: "127.0.0.1" })
  socket.on("error", () => {})
  socket.write(request)
  await once(socket, "data")
  return socket
}

/** Whether it was done in time. */
const inTime = (broadcast: Promise<unknown>): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), patience)
    void broadcast.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })

for (const [name, start] of Object.entries(ways)) {
  const server = await start()
  let received = 0
  const sockets: Array<net.Socket> = []
  for (let count = 0; count < readers; count++) {
    const socket = await join(server.port)
    socket.on("data", (bytes) => (received += bytes.length))
    sockets.push(socket)
  }
  const deaf = await join(server.port)
  deaf.pause()
  sockets.push(deaf)
  const before = await liveBytes()
  let given = 0
  while (given < messages && (await inTime(server.broadcast(new Uint8Array(size))))) {
    given++
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  const kept = Math.max(0, (await liveBytes()) - before)
  const got = Math.floor(received / readers / size)
  console.log(`${name.padEnd(18)} given ${given}, read ${got}, kept ${(kept / 1024).toFixed(0)} KiB`)
  for (const socket of sockets) socket.destroy()
  await server.stop()
}
process.exit(0)
