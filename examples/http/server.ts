/**
 * `node:http` by hand: the program has its own listener for upgrades, asks for a session there, and says by path who
 * opens the connection: `Server.upgrade` for a program on Effect, `handleUpgrade` for one on the API of `ws`.
 *
 * `node examples/http/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, FiberSet } from "effect"
import { Server, Socket } from "effect-ws"
import { WebSocketServer } from "effect-ws/ws"
import { randomUUID } from "node:crypto"
import * as http from "node:http"
import type { Duplex } from "node:stream"
import { readPage } from "../page.ts"

const page = readPage(import.meta.url)

/** The sessions that were given out; a real program would forget them some day. */
const sessions = new Set<string>()

const hasSession = ({ headers }: http.IncomingMessage): boolean =>
  (headers.cookie ?? "").split("; ").some((cookie) => sessions.has(cookie.replace(/^session=/, "")))

/** Answers requests that ask for no upgrade; who gets the page gets a session too. */
const onRequest: http.RequestListener = (request, response) => {
  if (request.url !== "/") {
    response.writeHead(404).end()
    return
  }
  const session = randomUUID()
  sessions.add(session)
  response.setHeader("set-cookie", `session=${session}; HttpOnly; SameSite=Strict; Path=/`)
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
}

/** Answers a request for an upgrade with a refusal. */
const refuse = (socket: Duplex, status: number): void => {
  socket.on("error", () => {})
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/** Sends the messages back in capital letters. */
const shout = (socket: Socket.Socket): Effect.Effect<void, Socket.SocketError> =>
  Socket.run(socket, (message) => (typeof message === "string" ? socket.send(message.toUpperCase()) : Effect.void))

/** Tells the time, once a second. */
const clocks = new WebSocketServer({ noServer: true, maxPayload: 1 })
clocks.on("connection", (clock) => {
  const tell = (): void => clock.send(new Date().toISOString())
  const ticking = setInterval(tell, 1000)
  clock.on("error", (error) => console.error("a clock broke:", error.message))
  clock.on("close", () => clearInterval(ticking))
  tell()
})

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  // The end of the scope interrupts what runs here, and so closes its connections
  const run = yield* FiberSet.makeRuntime()

  const onUpgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!hasSession(request)) {
      refuse(socket, 401)
    } else if (request.url === "/shout") {
      Server.upgrade(request, socket, head, { maxMessageSize: 1000 }).pipe(
        Effect.flatMap(shout),
        Effect.scoped,
        Effect.catch(({ message }) => Effect.log("a connection was refused or broke:", message)),
        run
      )
    } else if (request.url === "/clock" && request.headers.origin === `http://${request.headers.host}`) {
      clocks.handleUpgrade(request, socket, head, (clock) => clocks.emit("connection", clock, request))
    } else {
      refuse(socket, request.url === "/clock" ? 403 : 404)
    }
  }

  const server = yield* Effect.acquireRelease(
    Effect.callback<http.Server, Error>((resume) => {
      const server = http.createServer(onRequest).on("upgrade", onUpgrade)
      server.once("error", (error) => resume(Effect.fail(error)))
      server.listen(port, "localhost", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        for (const clock of clocks.clients) clock.close(1001)
        server.close()
      })
  )
  const address = server.address()
  if (address === null || typeof address === "string") return yield* Effect.die("the server listens on a port")
  yield* Effect.log(`http://localhost:${address.port}/ has a clock, and shouts`)
  return yield* Effect.never
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
