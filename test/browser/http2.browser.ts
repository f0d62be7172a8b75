/** WebSockets in Chromium over HTTP/2, RFC 8441: seen by the server, and by the page. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Server, type Socket } from "effect-ws"
import * as http2 from "node:http2"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { certificate, listenHttp2 } from "../support/http2.ts"
import { args, executablePath } from "./chromium.ts"
import { start } from "./example.ts"

let browser: Browser
let context: BrowserContext | undefined

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: [...args] })
})

afterAll(() => browser.close())

afterEach(() => context?.close())

const open = async (url: string): Promise<Page> => {
  context = await browser.newContext({ ignoreHTTPSErrors: true })
  context.setDefaultTimeout(30_000)
  const page = await context.newPage()
  await page.goto(url)
  return page
}

/** A server of `node:http2` with a page, and this library attached to it. */
const serving = (
  options: Server.Options,
  handler: (socket: Server.Connection) => Effect.Effect<unknown, Socket.SocketError>
) =>
  Effect.gen(function* () {
    const server = http2.createSecureServer({ ...certificate, allowHTTP1: true }, (_, response) => {
      response.writeHead(200, { "content-type": "text/html" })
      response.end("<!doctype html><link rel=icon href=data:,><title>page</title>")
    })
    const { port, sessions } = yield* listenHttp2(server)
    const streams = new Map<string | undefined, http2.ServerHttp2Stream>()
    // The server itself emits no streams that an attached WebSocket server takes.
    server.on("session", (session) => {
      session.on("stream", (stream, headers) => streams.set(headers[":path"], stream))
    })
    const connections: Array<Server.Connection> = []
    const acceptor = yield* Server.attach(server, { keepAlive: false, shutdownTimeout: 1000, ...options })
    yield* Effect.forkScoped(
      acceptor.run((socket) => {
        connections.push(socket)
        return handler(socket)
      }),
      { startImmediately: true }
    )
    const page = yield* Effect.promise(() => open(`https://127.0.0.1:${port}/`))
    return { page, connections, sessions, streams }
  })

const echo = (socket: Socket.Socket) => Stream.runForEach(socket.messages, socket.send)

/** Runs in the page. */
const inPage = <A>(page: Page, script: string) => Effect.promise(() => page.evaluate<A>(script))

describe("Chromium", () => {
  it.live("opens all sockets of a page on the one connection that the page came over", () =>
    Effect.gen(function* () {
      const { connections, page, sessions } = yield* serving(
        { protocols: ["chat"], compression: { threshold: 0 } },
        echo
      )
      const echoes = yield* inPage<ReadonlyArray<string>>(
        page,
        `Promise.all(Array.from({ length: 40 }, (_, index) => new Promise((resolve, reject) => {
          const socket = new WebSocket(location.origin.replace("http", "ws") + "/" + index, ["other", "chat"])
          socket.onopen = () => socket.send("I am " + index + "x".repeat(1000 * index))
          socket.onmessage = ({ data }) => resolve(data.replace(/x+/, "") + " " + data.length + " " + socket.protocol + " " + socket.extensions)
          socket.onerror = () => reject(new Error("failed"))
        })))`
      )
      const extensions = "permessage-deflate; server_no_context_takeover"
      assert.deepStrictEqual(
        echoes,
        Array.from({ length: 40 }, (_, index) => {
          const said = `I am ${index}`
          return `${said} ${said.length + 1000 * index} chat ${extensions}`
        })
      )
      assert.lengthOf(connections, 40)
      assert.strictEqual(sessions.size, 1)
      assert.strictEqual(new Set(connections.map(({ request }) => request.remotePort)).size, 1)
      for (const { request } of connections) {
        assert.strictEqual(request.httpVersion, "2.0")
        assert.strictEqual(request.method, "CONNECT")
        assert.strictEqual(request.headers[":protocol"], "websocket")
        assert.isUndefined(request.headers["sec-websocket-key"])
      }
    })
  )

  it.live("closes a socket in order, hears how the server does, and takes a reset for an abnormal end", () =>
    Effect.gen(function* () {
      const { connections, page, streams } = yield* serving({}, (socket) =>
        socket.request.url === "/server" ? socket.close(4001, "enough") : echo(socket)
      )
      const endOf = (path: string, onOpen: string) =>
        inPage<unknown>(
          page,
          `new Promise((resolve) => {
            const socket = new WebSocket(location.origin.replace("http", "ws") + "${path}")
            socket.onopen = () => { ${onOpen} }
            socket.onmessage = () => resolve("a message")
            socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean])
          })`
        )
      assert.deepStrictEqual(yield* endOf("/server", ""), [4001, "enough", true])
      assert.deepStrictEqual(yield* endOf("/client", "socket.close(4002, 'bye')"), [4002, "", true])
      const closed = yield* connections[1]?.closed ?? Effect.never
      assert.deepStrictEqual([closed.received, closed.cause._tag], [{ code: 4002, reason: "bye" }, "Handshake"])

      const watched = `
        window.ended = new Promise((end) => {
          socket.addEventListener("close", ({ code, wasClean }) => end([code, wasClean]))
        })
        socket.send("here")`
      assert.strictEqual(yield* endOf("/reset", watched), "a message")
      streams.get("/reset")?.close(http2.constants.NGHTTP2_CANCEL)
      assert.deepStrictEqual(yield* inPage(page, "window.ended"), [1006, false])

      assert.strictEqual(yield* endOf("/left", "socket.send('here')"), "a message")
      // A page that is left resets the streams of its sockets.
      yield* Effect.promise(() => page.goto("about:blank"))
      const left = yield* connections[3]?.closed ?? Effect.never
      assert.deepStrictEqual([left.received, left.cause._tag], [undefined, "TransportFailed"])
    })
  )

  it.live("is refused as over HTTP/1.1: an origin, a status, a message that is too long", () =>
    Effect.gen(function* () {
      const { page } = yield* serving({ path: "/echo", maxMessageSize: 1000 }, echo)
      const endOf = (path: string, size: number) =>
        inPage<ReadonlyArray<unknown>>(
          page,
          `new Promise((resolve) => {
            const socket = new WebSocket(location.origin.replace("http", "ws") + "${path}")
            socket.onopen = () => socket.send("x".repeat(${size}))
            socket.onmessage = ({ data }) => resolve(["message", data.length])
            socket.onclose = ({ code, wasClean }) => resolve([code, wasClean])
          })`
        )
      assert.deepStrictEqual(yield* endOf("/elsewhere", 1), [1006, false])
      assert.deepStrictEqual(yield* endOf("/echo", 1000), ["message", 1000])
      assert.deepStrictEqual(yield* endOf("/echo", 1001), [1009, true])
    })
  )

  it.live("is held up by a consumer that doesn't read, on that socket alone", () =>
    Effect.gen(function* () {
      const { page } = yield* serving({}, (socket) => (socket.request.url === "/idle" ? Effect.never : echo(socket)))
      const size = 8 * 1024 * 1024
      yield* inPage(
        page,
        `new Promise((resolve) => {
          window.idle = new WebSocket(location.origin.replace("http", "ws") + "/idle")
          window.idle.onopen = () => {
            for (let sent = 0; sent < ${size}; sent += 65536) window.idle.send(new Uint8Array(65536))
            resolve()
          }
        })`
      )
      // The other has the connection to itself meanwhile.
      const rounds = yield* inPage<number>(
        page,
        `new Promise((resolve) => {
          const socket = new WebSocket(location.origin.replace("http", "ws") + "/echo")
          let rounds = 0
          socket.onopen = () => socket.send("x".repeat(300000))
          socket.onmessage = ({ data }) => {
            if (data.length === 300000 && ++rounds < 30) socket.send(data)
            else resolve(rounds)
          }
        })`
      )
      assert.strictEqual(rounds, 30)
      // What the server doesn't take waits in the browser, but for what the windows and the buffers hold.
      const waiting = yield* inPage<number>(page, "window.idle.bufferedAmount")
      assert.isAtLeast(waiting, size - 1024 * 1024)
    })
  )

  it.live("uses the example's board on one connection", () =>
    Effect.gen(function* () {
      const example = yield* Effect.acquireRelease(
        Effect.promise(() => start("http2")),
        ({ stop }) => Effect.promise(stop)
      )
      const page = yield* Effect.promise(() => open(example.url))
      yield* Effect.promise(() =>
        page.locator("#state").filter({ hasText: "24 sockets on 1 connection, HTTP/2.0" }).waitFor()
      )
      const times = yield* Effect.promise(() => page.locator("time").allInnerTexts())
      assert.lengthOf(times, 24)
      for (const time of times) assert.match(time, /^\d\d:\d\d:\d\d$/)
      assert.strictEqual(yield* Effect.promise(example.stop), 130)
      yield* Effect.promise(() => page.locator("#state").filter({ hasText: "closed with 1001" }).waitFor())
    })
  )
})
