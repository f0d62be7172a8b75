import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import type * as http from "node:http"
import * as https from "node:https"
import type * as net from "node:net"
import { makeCertificate } from "../support/certificate.ts"
import { connectionOf, once, pair, rawClient, serve, type ServerOptions } from "./peers.ts"
import {
  hixieExample,
  hixieRequest,
  httpServer,
  portOf,
  type Resources,
  turn,
  upgradeRequest,
  using
} from "./support.ts"

const { Server } = WebSocket

const own = (resources: Resources, options: ServerOptions = {}): Promise<InstanceType<typeof Server>> =>
  new Promise((resolve) => {
    const server = new Server({ port: 0, host: "127.0.0.1", ...options }, () => resolve(server))
    resources.add(() => server.close())
  })

const addressOf = ({ _server }: InstanceType<typeof Server>): net.AddressInfo =>
  (_server as http.Server).address() as net.AddressInfo

const portIn = (server: InstanceType<typeof Server>): number => addressOf(server).port

/** The first line of the answer to a request. */
const statusOf = async (resources: Resources, port: number, request: string): Promise<string | undefined> => {
  const raw = await rawClient(resources, port, request)
  const [line] = await raw.head()
  return line
}

describe("new Server", () => {
  it(
    "listens on a port of its own, and says so twice",
    using(async (resources) => {
      const events: Array<string> = []
      await new Promise<void>((resolve) => {
        const server = new Server({ port: 0 }, () => {
          events.push("callback")
          if (events.length === 2) resolve()
        })
        server.on("listening", () => {
          events.push("listening")
          if (events.length === 2) resolve()
        })
        resources.add(() => server.close())
        assert.strictEqual(server.options.host, "0.0.0.0")
      })
      assert.sameMembers(events, ["callback", "listening"])
    })
  )

  it(
    "takes its port as text",
    using(async (resources) => {
      const server = await own(resources, { port: "0" })
      assert.isAbove(portIn(server), 0)
    })
  )

  it(
    "listens on its host alone",
    using(async (resources) => {
      const server = await own(resources, { host: "127.0.0.1" })
      assert.strictEqual(addressOf(server).address, "127.0.0.1")
    })
  )

  it(
    "forwards the errors of its HTTP server",
    using(async (resources) => {
      const first = await own(resources)
      const second = new Server({ port: portIn(first), host: "127.0.0.1" })
      const [error] = (await once(second, "error")) as unknown as [NodeJS.ErrnoException]
      assert.strictEqual(error.code, "EADDRINUSE")
    })
  )

  it(
    "tells when a given HTTP server listens",
    using(async (resources) => {
      const { createServer } = await import("node:http")
      const web = createServer()
      resources.add(() => web.close())
      const server = new Server({ server: web })
      const listening = once(server, "listening")
      web.listen(0, "127.0.0.1")
      await listening
    })
  )

  it(
    "serves an HTTPS server, and knows that it is secure",
    using(async (resources) => {
      const web = https.createServer(makeCertificate())
      resources.add(() => web.close())
      const secure: Array<boolean> = []
      const server = new Server({ server: web, verifyClient: (info) => secure.push(info.secure) > 0 })
      web.listen(0, "127.0.0.1")
      await once(web, "listening")
      const connected = connectionOf(server)
      const socket = new WebSocket(`wss://127.0.0.1:${portOf(web)}`, { rejectUnauthorized: false })
      await connected
      assert.deepStrictEqual(secure, [true])
      const closed = once(socket, "close")
      server.close()
      await closed
    })
  )

  it("wants to know where to listen", () => {
    assert.throws(() => new Server(), TypeError, "`port` or a `server` must be provided")
    assert.doesNotThrow(() => new Server({ noServer: true }))
    assert.throws(() => (Server as unknown as () => void)(), TypeError)
  })

  it(
    "serves a path, and answers 404 at others",
    using(async (resources) => {
      const server = await own(resources, { path: "/chat" })
      const port = portIn(server)
      assert.match(String(await statusOf(resources, port, upgradeRequest("/chat?x=/other"))), / 101 /)
      assert.match(String(await statusOf(resources, port, upgradeRequest("/chat/"))), / 404 /)
      assert.match(String(await statusOf(resources, port, upgradeRequest("/other"))), / 404 /)
      const byHand = new Server({ noServer: true, path: "/chat" })
      const web = await httpServer(resources)
      web.on("upgrade", (request, socket, head) => byHand.handleUpgrade(request, socket, head, () => {}))
      assert.match(String(await statusOf(resources, portOf(web), upgradeRequest("/other"))), / 404 /)
    })
  )

  it(
    "leaves other paths to others who listen",
    using(async (resources) => {
      const web = await httpServer(resources)
      const mine = new Server({ server: web, path: "/mine" })
      assert.strictEqual(mine.path, "/mine")
      web.on("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
        if (request.url === "/theirs") socket.end("HTTP/1.1 418 Theirs\r\n\r\n")
      })
      assert.match(String(await statusOf(resources, portOf(web), upgradeRequest("/theirs"))), / 418 /)
      assert.match(String(await statusOf(resources, portOf(web), upgradeRequest("/mine"))), / 101 /)
    })
  )

  it(
    "shares an HTTP server with others, one of them without a path",
    using(async (resources) => {
      const web = await httpServer(resources)
      const seen: Array<string> = []
      for (const path of ["/a", undefined, "/b"]) {
        new Server({ server: web, path }).on("connection", () => seen.push(path ?? "any"))
      }
      assert.throws(() => new Server({ server: web }), /two instances of WebSocketServer/)
      for (const target of ["/a", "/b", "/c"]) await statusOf(resources, portOf(web), upgradeRequest(target))
      assert.deepStrictEqual(seen, ["/a", "/b", "any"])
    })
  )
})

describe("Server.close", () => {
  it(
    "ends every connection, and the HTTP server that it made",
    using(async (resources) => {
      const server = await own(resources)
      const web = server._server as http.Server
      const connected = connectionOf(server)
      const socket = new WebSocket(`ws://127.0.0.1:${portIn(server)}`)
      const theirs = await connected
      const gone = Promise.all([once(socket, "close"), once(theirs, "close"), once(web, "close")])
      server.close()
      assert.isUndefined(server._server)
      await gone
      assert.lengthOf(server.clients, 0)
      server.close()
    })
  )

  it(
    "leaves a given HTTP server, and lets go of it",
    using(async (resources) => {
      const { http: web, port, server } = await serve(WebSocket, resources, { path: "/x" })
      server.close()
      assert.isTrue(web.listening)
      assert.strictEqual(web.listenerCount("upgrade"), 0)
      const next = new Server({ server: web, path: "/x" })
      next.on("connection", () => {})
      assert.match(String(await statusOf(resources, port, upgradeRequest("/x"))), / 101 /)
    })
  )

  it(
    "refuses those that are on their way",
    using(async (resources) => {
      const decide: Array<(result: boolean) => void> = []
      const { port, server } = await serve(WebSocket, resources, {
        verifyClient: (_info, cb) => void decide.push(cb)
      })
      const raw = await rawClient(resources, port)
      while (decide.length === 0) await turn()
      server.close()
      decide[0]?.(true)
      assert.match(String((await raw.head())[0]), / 503 /)
      const byHand = new Server({ noServer: true })
      byHand.close()
      const web = await httpServer(resources)
      web.on("upgrade", (request, socket, head) => byHand.handleUpgrade(request, socket, head, () => {}))
      assert.match(String(await statusOf(resources, portOf(web), upgradeRequest())), / 503 /)
    })
  )
})

describe("the handshake of a server", () => {
  it(
    "names the versions that it speaks",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      const raw = await rawClient(resources, port, upgradeRequest("/", { "Sec-WebSocket-Version": "14" }))
      const head = await raw.head()
      assert.match(String(head[0]), / 400 /)
      assert.include(head, "Sec-WebSocket-Version: 13, 8, 7")
      assert.deepStrictEqual(await raw.rest(), Buffer.alloc(0))
    })
  )

  it(
    "speaks versions 13, 8, 7 and Hixie-76",
    using(async (resources) => {
      const { port, server } = await serve(WebSocket, resources)
      const requests = [
        ...["13", "8", "7"].map((version) => upgradeRequest("/", { "Sec-WebSocket-Version": version })),
        hixieRequest() + hixieExample.key3
      ]
      const seen: Array<unknown> = []
      server.on("connection", ({ protocolVersion }) => seen.push(protocolVersion))
      for (const request of requests) assert.match(String(await statusOf(resources, port, request)), / 101 /)
      assert.deepStrictEqual(seen, [13, 8, 7, "hixie-76"])
    })
  )

  it(
    "answers the challenge of the Hixie-76 standard",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      const raw = await rawClient(resources, port, hixieRequest("/demo") + hixieExample.key3)
      const head = await raw.head()
      assert.strictEqual(head[0], "HTTP/1.1 101 WebSocket Protocol Handshake")
      assert.strictEqual((await raw.read(16)).toString("latin1"), hixieExample.answer)
    })
  )

  it(
    "answers a Hixie-76 request without an origin with null",
    using(async (resources) => {
      const { port } = await serve(WebSocket, resources)
      const raw = await rawClient(resources, port, hixieRequest("/", { Origin: undefined }) + hixieExample.key3)
      assert.include(await raw.head(), "Sec-WebSocket-Origin: null")
    })
  )

  it(
    "asks verifyClient about Hixie-76 too, and echoes the subprotocol whole",
    using(async (resources) => {
      const seen: Array<unknown> = []
      const { port, server } = await serve(WebSocket, resources, {
        verifyClient: (info) => seen.push(info.origin) > 0,
        handleProtocols: () => assert.fail("Hixie-76 has no choice of subprotocols")
      })
      server.on("headers", () => assert.fail("headers of Hixie-76 are not shown"))
      const request = hixieRequest("/", { "Sec-WebSocket-Protocol": "one, two" })
      const raw = await rawClient(resources, port, request + hixieExample.key3)
      assert.include(await raw.head(), "Sec-WebSocket-Protocol: one, two")
      assert.deepStrictEqual(seen, ["http://example.com"])
    })
  )

  it(
    "takes the first word of verifyClient and of handleProtocols",
    using(async (resources) => {
      const later: Array<() => void> = []
      const { port, server } = await serve(WebSocket, resources, {
        verifyClient: (_info, cb) => {
          cb(true)
          cb(true)
          cb(false)
        },
        handleProtocols: (_list, cb) => {
          cb(true)
          cb(true)
          cb(false)
          later.push(() => cb(true))
        }
      })
      const raw = await rawClient(resources, port)
      assert.match(String((await raw.head())[0]), / 101 /)
      later[0]?.()
      assert.lengthOf(server.clients, 1)
      const late = await serve(WebSocket, resources, {
        handleProtocols: (_list, cb) => void later.push(() => cb(true))
      })
      const refused = await rawClient(resources, late.port)
      assert.match(String((await refused.head())[0]), / 501 /)
      later[1]?.()
      assert.deepStrictEqual(await refused.rest(), Buffer.alloc(0))
    })
  )

  it(
    "forgets a client that went away while verifyClient thought",
    using(async (resources) => {
      const decide: Array<(result: boolean) => void> = []
      const { port, server } = await serve(WebSocket, resources, { verifyClient: (_info, cb) => void decide.push(cb) })
      server.on("connection", () => assert.fail("a connection"))
      const raw = await rawClient(resources, port)
      while (decide.length === 0) await turn()
      raw.socket.resetAndDestroy()
      await once(raw.socket, "close")
      await turn()
      await turn()
      decide[0]?.(true)
      await turn()
      assert.lengthOf(server.clients, 0)
    })
  )

  it(
    "writes no line that would split the answer",
    using(async (resources) => {
      const named = await serve(WebSocket, resources, {
        verifyClient: (_info, cb) => cb(false, 403, "No\r\nX-Injected: 1")
      })
      const refused = await rawClient(resources, named.port)
      const head = await refused.head()
      assert.strictEqual(head[0], "HTTP/1.1 403 Forbidden")
      assert.notInclude(head, "X-Injected: 1")

      const { port, server } = await serve(WebSocket, resources)
      const errors: Array<Error> = []
      server.on("error", (error) => errors.push(error))
      server.on("headers", (lines) => lines.push("X-One: 1\r\nX-Injected: 1"))
      assert.match(String(await statusOf(resources, port, upgradeRequest())), / 500 /)
      assert.lengthOf(errors, 1)

      const chosen = await serve(WebSocket, resources, {
        handleProtocols: (_list, cb) => cb(true, "a\r\nX-Injected: 1")
      })
      assert.match(String(await statusOf(resources, chosen.port, upgradeRequest())), / 500 /)
    })
  )

  it(
    "answers a status that is none with 401",
    using(async (resources) => {
      for (const code of [101, 0, -1, 1000, Number.NaN]) {
        const { port } = await serve(WebSocket, resources, { verifyClient: (_info, cb) => cb(false, code) })
        assert.match(String(await statusOf(resources, port, upgradeRequest())), / 401 Unauthorized/)
      }
    })
  )

  it(
    "tells verifyClient the origin of version 8, whichever header names it",
    using(async (resources) => {
      const seen: Array<unknown> = []
      const { port } = await serve(WebSocket, resources, { verifyClient: (info) => seen.push(info.origin) > 0 })
      const version = { "Sec-WebSocket-Version": "8" }
      await statusOf(resources, port, upgradeRequest("/", { ...version, Origin: "http://a.example" }))
      await statusOf(
        resources,
        port,
        upgradeRequest("/", { ...version, Origin: "http://a.example", "Sec-WebSocket-Origin": "http://b.example" })
      )
      assert.deepStrictEqual(seen, ["http://a.example", "http://b.example"])
    })
  )

  it(
    "knows its clients until the moment that they close, whoever removes listeners",
    using(async (resources) => {
      const { server, socket, theirs } = await pair(WebSocket, resources)
      assert.deepStrictEqual(server.clients, [theirs])
      theirs.removeAllListeners()
      const closed = once(theirs, "close")
      socket.close()
      await closed
      assert.deepStrictEqual(server.clients, [])
    })
  )

  it(
    "gives on what came right behind the request",
    using(async (resources) => {
      const { port, server } = await serve(WebSocket, resources)
      const message = new Promise<unknown>((resolve) => {
        server.on("connection", (theirs) => theirs.on("message", (data) => resolve(data)))
      })
      const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69])
      const raw = await rawClient(resources, port, Buffer.concat([Buffer.from(upgradeRequest()), frame]))
      assert.strictEqual(await message, "hi")
      raw.socket.destroy()
    })
  )
})
