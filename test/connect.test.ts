import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Logger, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { rmSync } from "node:fs"
import * as http from "node:http"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { droppedHeaders } from "../src/internal/protocol/opening/redirect.ts"
import { withoutSecrets } from "../src/internal/protocol/opening/url.ts"
import { listening } from "./support/http.ts"

const reasonOf = (url: string, options?: Socket.ConnectOptions) =>
  Effect.map(Effect.flip(Effect.scoped(Socket.connect(url, options))), ({ reason }) => reason)

/** A server of `node:http` that answers every upgrade with these bytes, given in pieces. */
const answering = (...pieces: ReadonlyArray<string>) =>
  listening(
    http.createServer().on("upgrade", (_, socket: Duplex) => {
      socket.on("error", () => {})
      for (const piece of pieces) socket.write(piece)
    })
  )

const dropped = (from: string, to: string) => droppedHeaders(new URL(from), new URL(to))

const throwing = (): never => {
  throw new Error("on purpose")
}

const redirecting = (location: string) =>
  http.createServer().on("upgrade", (_, socket: Duplex) => {
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nConnection: close\r\n\r\n`)
  })

describe("the options of a client", () => {
  const invalid: ReadonlyArray<readonly [string, Socket.ConnectOptions, RegExp]> = [
    ["maxMessageSize", { maxMessageSize: Number.NaN }, /NaN; allowed: an integer of at least 0, or Infinity/],
    ["maxMessageSize", { maxMessageSize: -1 }, /-1/],
    ["maxMessageSize", { maxMessageSize: 1.5 }, /1\.5/],
    ["maxMessageSize", { maxMessageSize: -Infinity }, /-Infinity/],
    ["readBufferSize", { readBufferSize: Number.NaN }, /NaN/],
    ["writeBufferSize", { writeBufferSize: -5 }, /-5/],
    ["maxRedirects", { maxRedirects: Number.NaN }, /NaN/],
    ["protocols", { protocols: [""] }, /\[""\]; allowed: a list of tokens of RFC 9110 §5\.6\.2, all different/],
    ["protocols", { protocols: ["a", "a"] }, /\["a", "a"\]/],
    ["protocols", { protocols: ["a b"] }, /\["a b"\]/],
    ["closeTimeout", { closeTimeout: -1 }, /-1; allowed: a duration from 0 to 2147483647 ms, or Infinity/],
    ["closeTimeout", { closeTimeout: Number.NaN }, /NaN/],
    ["openTimeout", { openTimeout: 2_147_483_648 }, /2147483648/],
    ["openTimeout", { openTimeout: "25 days" }, /"25 days"/],
    ["openTimeout", { openTimeout: { seconds: -1 } }, /an object/],
    ["keepAlive.interval", { keepAlive: { interval: 0 } }, /0; allowed: a duration above 0/],
    ["keepAlive.timeout", { keepAlive: { timeout: "-Infinity" } }, /"-Infinity"/],
    ["compression.level", { compression: { level: 10 } }, /10; allowed: an integer from -1 to 9/],
    ["compression.threshold", { compression: { threshold: Number.NaN } }, /NaN/],
    ["compression.memLevel", { compression: { memLevel: 0 } }, /0/]
  ]

  it.effect("fail with InvalidOptions that names the option, its value and what is allowed", () =>
    Effect.gen(function* () {
      for (const [option, options, message] of invalid) {
        const reason = yield* reasonOf("ws://127.0.0.1:1/", options)
        assert(reason._tag === "InvalidOptions", option)
        assert.strictEqual(reason.option, option)
        assert.match(reason.message, message)
        assert.include(reason.message, `invalid option ${option}: `)
        assert.include(reason.message, reason.allowed)
      }
    })
  )

  it.live("are taken at their limits", () =>
    Effect.gen(function* () {
      for (const options of [
        { openTimeout: 2_147_483_647, closeTimeout: 2_147_483_647 },
        { openTimeout: Infinity, closeTimeout: "Infinity", maxMessageSize: Infinity, readBufferSize: 0 },
        { keepAlive: { interval: Infinity, timeout: 0 }, maxRedirects: 0 },
        { maxMessageSize: Number.MAX_SAFE_INTEGER, compression: { level: -1, memLevel: 1, threshold: 0 } }
      ] satisfies ReadonlyArray<Socket.ConnectOptions>) {
        assert.strictEqual((yield* reasonOf("ws://127.0.0.1:1/", options))._tag, "OpenFailed")
      }
    })
  )

  it.live("end a reconnecting connection, which is not tried again", () =>
    Effect.gen(function* () {
      for (const options of [{ maxMessageSize: Number.NaN }, { stableAfter: Number.NaN }]) {
        const socket = yield* Socket.reconnecting("ws://127.0.0.1:1/", options)
        const error = yield* Effect.flip(socket.ended)
        assert.strictEqual(error.reason._tag, "InvalidOptions")
      }
    })
  )
})

describe("the functions that a client is given", () => {
  it.live("may throw from onFrame: it is logged, and the connection goes on", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(message))
      const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run((socket) => Stream.runForEach(socket.messages, socket.send)))
      const echoed = yield* Effect.gen(function* () {
        const socket = yield* Socket.connect(`ws://127.0.0.1:${server.address.port}/`, { onFrame: throwing })
        yield* socket.send("hello")
        const first = yield* Stream.runHead(socket.messages)
        const closed = yield* socket.close()
        return [first._tag === "Some" && first.value, closed.received?.code]
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(echoed, ["hello", 1000])
      assert.include(JSON.stringify(logged), "onFrame failed")
    })
  )
})

describe("the errors of a client", () => {
  it.live("show no password, user or token of a URL that can't be used", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const logger = Logger.make(({ message }) => void logged.push(message))
      for (const url of [
        "ws://user:pa/SECRET@127.0.0.1:1/",
        "ws://user:SECRET#1@127.0.0.1:1/",
        "ws://user:SECRET?x@127.0.0.1:1/",
        "ws:user:SECRET@127.0.0.1:1/#f",
        "ws:\\\\user:SECRET@127.0.0.1/#f",
        "ws:/\\user:SECRET@127.0.0.1/#f",
        "ftp:user:SECRET@h/",
        "SECRET:user@h/",
        "user:SECRET",
        "user:SECRET@h",
        "//user:SECRET@h/",
        "SECRET@h",
        "ws://user:%SECRET@127.0.0.1:1/",
        "ws://%SECRET@127.0.0.1:1/",
        "ws://SECRET#x@127.0.0.1:1/",
        "ws://user:SECRET@127.0.0.1:1/?token=SECRET",
        "ws://127.0.0.1:1/x#token=SECRET",
        "ws://127.0.0.1:1/?token=SECRET#f",
        "http://127.0.0.1:1/SECRET#f",
        "ftp://127.0.0.1:1/SECRET?token=SECRET",
        "ws://us er:SECRET @h /",
        "ws://u:SECRET@h@127.0.0.1:99999/",
        "ws://u:SECRET\n@127.0.0.1/",
        "ws://u:SECRET\0@127.0.0.1/",
        "ws+unix:?SECRET",
        "ws+unix://u:SECRET@h",
        "ws://[::1/?token=SECRET"
      ]) {
        const exit = yield* Effect.exit(
          Effect.scoped(Socket.connect(url)).pipe(
            Effect.tapError((error) => Effect.logError(error.message)),
            Effect.provide(Logger.layer([logger]))
          )
        )
        assert(exit._tag === "Failure")
        const shown = Cause.pretty(exit.cause) + JSON.stringify(exit)
        assert.notMatch(shown, /SECRET|secret/i, url)
      }
      assert.notMatch(JSON.stringify(logged), /SECRET/i)
    })
  )

  it.effect("name the host of a URL where that is certain", () =>
    Effect.gen(function* () {
      const shown = Effect.fnUntraced(function* (url: string) {
        const reason = yield* reasonOf(url)
        assert(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "InvalidUrl")
        return [reason.error.reason.url, reason.error.reason.message]
      })
      assert.deepStrictEqual(yield* shown("ws://user:pass@example.com/a?b#c"), [
        "ws://example.com/",
        "ws://example.com/: a fragment is not allowed"
      ])
      assert.deepStrictEqual(yield* shown("ws://example.com:99999/"), ["", "invalid URL: not an absolute URL"])
    })
  )

  it("leave out all before an @ and the query, where a text that is no URL is shown", () => {
    for (const [text, shown] of [
      ["foo", "foo"],
      ["ws://h:99999/x?token=S#y", "ws://h:99999/x"],
      ["user:S@h", "h"],
      ["ws:user:S@h", "h"],
      ["//user:S@h", "h"],
      ["ws://user:S/x@h/p", "ws://h/p"],
      ["ws://user:S\n@h", "ws://h"],
      ["ws://user:S@h?x@y", "ws://y"]
    ] as const) {
      assert.strictEqual(withoutSecrets(text), shown, text)
    }
  })

  it.live("show no password of a proxy", () =>
    Effect.gen(function* () {
      for (const proxy of [
        "http://user:SECRET@127.0.0.1:1",
        "https://user:SECRET@127.0.0.1:1",
        "socks5://user:SECRET@127.0.0.1:1",
        "ftp://user:SECRET@h",
        "http://user:SEC/RET@127.0.0.1:1",
        "user:SECRET@h:1"
      ]) {
        const options = { proxy, auth: "a:SECRET", headers: { authorization: "Bearer SECRET", cookie: "SECRET" } }
        const exit = yield* Effect.exit(Effect.scoped(Socket.connect("ws://127.0.0.1:1/", options)))
        assert(exit._tag === "Failure")
        assert.notMatch(Cause.pretty(exit.cause) + JSON.stringify(exit), /SECRET|SEC\/RET/, proxy)
      }
    })
  )

  it.live("give status, headers and body of a refusal, over HTTP/1.1 and HTTP/2", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({
        port: 0,
        host: "127.0.0.1",
        authorize: () => Effect.fail(Server.reject(403, { body: "you are not welcome: ü", headers: { "X-Why": "no" } }))
      })
      const two = yield* Server.make({
        port: 0,
        host: "127.0.0.1",
        http2: true,
        authorize: () => Effect.fail(Server.reject(403, { body: "you are not welcome: ü", headers: { "X-Why": "no" } }))
      })
      for (const [port, http2] of [
        [server.address.port, false],
        [two.address.port, true]
      ] as const) {
        const reason = yield* reasonOf(`ws://127.0.0.1:${port}/`, { http2 })
        assert(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus")
        const { body, headers, status } = reason.error.reason
        assert.deepStrictEqual([status, headers["x-why"], body], [403, "no", "you are not welcome: ü"])
      }
    })
  )

  it.live("give the first 64 KiB of a refusal's body", () =>
    Effect.gen(function* () {
      const head = "HTTP/1.1 500 X\r\nConnection: close\r\n\r\n"
      for (const [size, kept] of [
        [65_535, 65_535],
        [65_537, 65_536]
      ] as const) {
        const port = yield* listening(
          http.createServer().on("upgrade", (_, socket: Duplex) => {
            socket.on("error", () => {})
            socket.end(head + "x".repeat(size))
          })
        )
        const reason = yield* reasonOf(`ws://127.0.0.1:${port}/`)
        assert(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus")
        assert.strictEqual(reason.error.reason.body?.length, kept)
      }
    })
  )

  it.live("give what has come of a body that doesn't end", () =>
    Effect.gen(function* () {
      const port = yield* answering("HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\n", "half")
      const reason = yield* reasonOf(`ws://127.0.0.1:${port}/`)
      assert(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus")
      assert.strictEqual(reason.error.reason.body, "half")
    })
  )

  it.live("escape the control characters of what a server said", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run((socket) => socket.close(4000, "\u001b[2Jbye\r\nX\u202e")))
      const url = `ws://127.0.0.1:${server.address.port}/`
      const error = yield* Effect.scoped(
        Effect.flatMap(Socket.connect(url), (socket) => Effect.flip(Stream.runDrain(socket.messages)))
      )
      assert.strictEqual(error.message, "the connection is closed: 4000 \\u001b[2Jbye\\u000d\\u000aX\\u202e")
      assert(error.reason._tag === "ConnectionClosed")
      assert.strictEqual(error.reason.closeReason, "\u001b[2Jbye\r\nX\u202e")
    })
  )
})

describe("redirects of a client", () => {
  it.live("lead to no Unix socket, from a port or from a Unix socket", () =>
    Effect.gen(function* () {
      const folder = tmpdir()
      const first = join(folder, `effect-ws-first-${process.pid}.sock`)
      const second = join(folder, `effect-ws-second-${process.pid}.sock`)
      const reached: Array<string> = []
      const inner = net.createServer((socket) => {
        reached.push("connected")
        socket.destroy()
      })
      yield* Effect.acquireRelease(
        Effect.callback<void>((resume) => void inner.listen(second, () => resume(Effect.void))),
        () => Effect.sync(() => inner.close())
      )
      for (const location of [
        `ws+unix:${second}:/secret`,
        `ws+unix://${second}:/secret`,
        `WS+UNIX:${second}`,
        second
      ]) {
        const onPort = yield* listening(redirecting(location))
        const onSocket = redirecting(location)
        rmSync(first, { force: true })
        yield* Effect.callback<void>((resume) => void onSocket.listen(first, () => resume(Effect.void)))
        for (const url of [`ws://127.0.0.1:${onPort}/`, `ws+unix:${first}:/`]) {
          if (location === second && url.startsWith("ws://")) continue
          const reason = yield* reasonOf(url, { maxRedirects: 5, headers: { authorization: "x" } })
          assert(reason._tag === "HandshakeFailed", url)
          assert.strictEqual(reason.error.reason.status, 302)
        }
        yield* Effect.callback<void>((resume) => void onSocket.close(() => resume(Effect.void)))
      }
      assert.deepStrictEqual(reached, [])
    })
  )

  it.live("follow the statuses that name another place, and 304 is none", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run((socket) => socket.closed))
      for (const status of [300, 301, 302, 303, 304, 305, 307, 308]) {
        const port = yield* listening(
          http.createServer().on("upgrade", (_, socket: Duplex) => {
            const location = `http://127.0.0.1:${server.address.port}/`
            socket.end(`HTTP/1.1 ${status} X\r\nLocation: ${location}\r\nConnection: close\r\n\r\n`)
          })
        )
        const exit = yield* Effect.exit(Effect.scoped(Socket.connect(`ws://127.0.0.1:${port}/`, { maxRedirects: 1 })))
        assert.strictEqual(exit._tag, [301, 302, 303, 307, 308].includes(status) ? "Success" : "Failure", `${status}`)
      }
    })
  )

  it("take credentials to the same place alone, and never out of TLS", () => {
    const credentials = ["authorization", "cookie", "proxy-authorization"]
    for (const [from, to] of [
      ["ws://h/a", "ws://h/b"],
      ["http://h:80/a", "ws://h/b"],
      ["https://h/a", "wss://h/b"],
      ["ws://h:1/", "wss://h:1/"],
      ["ws+unix:/a.sock:/x", "ws+unix:/a.sock:/y"]
    ] as const) {
      assert.deepStrictEqual(dropped(from, to), [], `${from} to ${to}`)
    }
    for (const from of ["wss://h:1/", "https://h:1/"]) assert.deepStrictEqual(dropped(from, "ws://h:1/"), credentials)
    for (const [from, to] of [
      ["ws://h/", "ws://i/"],
      ["ws://h:1/", "ws://h:2/"],
      ["wss://h/", "wss://i/"],
      ["ws+unix:/a.sock:/", "ws://localhost/"],
      ["ws://localhost/", "ws+unix:/a.sock:/"],
      ["ws+unix:/a.sock:/", "ws+unix:/b.sock:/"]
    ] as const) {
      assert.deepStrictEqual(dropped(from, to), [...credentials, "host"], `${from} to ${to}`)
    }
  })

  it.live("keep each of several headers of one name", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const server = yield* Server.make({
        port: 0,
        host: "127.0.0.1",
        authorize: ({ headers }) => Effect.sync(() => void seen.push(headers["x-many"]))
      })
      yield* Effect.forkScoped(server.run((socket) => socket.closed))
      const location = `http://localhost:${server.address.port}/`
      const port = yield* answering(`HTTP/1.1 307 X\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
      const headers = [["X-Many", "a"] as const, ["x-many", "b"] as const, ["Cookie", "c=d"] as const]
      yield* Effect.scoped(Socket.connect(`ws://127.0.0.1:${port}/`, { headers, maxRedirects: 1 }))
      assert.deepStrictEqual(seen, ["a, b"])
    })
  )
})

describe("header names that objects inherit", () => {
  const named = { constructor: "x", toString: "y", ["__proto__"]: "z", hasOwnProperty: "w" }
  const names = Object.keys(named)

  const clients = {
    ws: (url: string, failed: () => void) => new ws.WebSocket(url, { headers: named }).on("error", failed),
    "ws 0.4": (url: string, failed: () => void) => new legacy.WebSocket(url, { headers: named }).on("error", failed)
  }

  for (const [api, connect] of Object.entries(clients)) {
    it.live(`are sent like any other by a client of the ${api} API`, () =>
      Effect.gen(function* () {
        const seen = new Map<string, string>()
        const port = yield* listening(
          http.createServer().on("upgrade", ({ rawHeaders }, socket: Duplex) => {
            for (let at = 0; at < rawHeaders.length; at += 2) seen.set(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "")
            socket.end("HTTP/1.1 404 Not Found\r\n\r\n")
          })
        )
        yield* Effect.callback<void>((resume) => {
          connect(`ws://127.0.0.1:${port}/`, () => resume(Effect.void))
        })
        for (const [name, value] of Object.entries(named)) assert.strictEqual(seen.get(name), value, name)
      })
    )
  }

  for (const http2 of [false, true]) {
    it.live(`are sent like any other over HTTP/${http2 ? 2 : "1.1"}, in requests and in responses`, () =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const server = yield* Server.make({
          port: 0,
          host: "127.0.0.1",
          http2,
          headers: named,
          authorize: ({ headers, url }) => {
            for (const name of names)
              seen.push(Object.entries(headers).find(([key]) => key === name.toLowerCase())?.[1])
            return url === "/no" ? Effect.fail(Server.reject(401, { headers: named })) : Effect.void
          }
        })
        yield* Effect.forkScoped(server.run((socket) => socket.closed))
        const url = `ws://127.0.0.1:${server.address.port}`
        const opened = yield* Effect.forkChild(Effect.scoped(Socket.connect(`${url}/`, { http2, headers: named })))
        assert.isUndefined((yield* Fiber.join(opened)).protocol)
        // In the objects in which `node:http` gives header fields, this one is the prototype.
        assert.deepStrictEqual(seen, ["x", "y", http2 ? "z" : undefined, "w"])
        const reason = yield* reasonOf(`${url}/no`, { http2 })
        assert(reason._tag === "HandshakeFailed" && reason.error.reason._tag === "UnexpectedStatus")
        assert.strictEqual(reason.error.reason.headers["constructor"], "x")
      })
    )
  }
})
