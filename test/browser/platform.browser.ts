/** `effect-ws/browser` in a page of Chromium, bundled from the package as it is published, against this library's server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Queue, Scope, Stream } from "effect"
import { Server, type Socket } from "effect-ws"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { bundle } from "../platform/bundle.ts"
import { type Count, expected } from "../platform/common.ts"
import { args, executablePath } from "./chromium.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** How the server's connections ended, in order, with their paths. */
const ends = Effect.runSync(Queue.unbounded<readonly [path: string, end: Socket.Closed]>())

/** How the next connection at a path ended. */
const nextEnd = async (path: string): Promise<Socket.Closed> => {
  const [ended, end] = await Effect.runPromise(Queue.take(ends))
  return ended === path ? end : nextEnd(path)
}

/** Opens when the page has asked for it. */
const reading = Effect.runSync(Queue.unbounded<void>())

let subscriptions = 0

/** What the server does with a connection, by its path. */
const services: Readonly<Record<string, (socket: Socket.Socket) => Effect.Effect<unknown, unknown>>> = {
  "/echo": (socket) =>
    Stream.runForEach(socket.messages, (message) =>
      message === "bye" ? Effect.asVoid(socket.close(1000, "bye")) : socket.send(message)
    ),
  "/count": (socket) =>
    Stream.runForEach(socket.messages, (message) => {
      if (message === "no value") return socket.send("none")
      const { count } = JSON.parse(String(message)) as typeof Count.Type
      return socket.send(JSON.stringify({ count: count + 1 }))
    }),
  "/slow": (socket) => Effect.andThen(Queue.take(reading), Stream.runDrain(socket.messages)),
  "/flood": (socket) =>
    Effect.andThen(
      socket.sendAll(Array.from({ length: 20 }, () => "x".repeat(10_000))),
      Stream.runDrain(socket.messages)
    ),
  "/torrent": (socket) =>
    Effect.andThen(
      Effect.forEach(Array.from({ length: 64 }), () =>
        Effect.map(socket.send(new Uint8Array(1024 * 1024)), () => void torrent++)
      ),
      Stream.runDrain(socket.messages)
    ),
  "/endless": (socket) => Effect.forever(socket.send(new Uint8Array(1024 * 1024))),
  "/collect": (socket) =>
    Stream.runForEach(socket.messages, (message) => Effect.sync(() => void (collected += message.length))),
  "/farewell": (socket) => Effect.andThen(socket.sendAll(["one", "two", "three"]), socket.close(1000, "done")),
  "/lost": (socket) =>
    Effect.andThen(
      socket.send("hello"),
      Stream.runForEach(socket.messages, () => Effect.sync(() => transports.at(-1)?.destroy()))
    ),
  "/secret": (socket) => Effect.andThen(socket.send("welcome"), Stream.runDrain(socket.messages)),
  "/prices": (socket) =>
    Stream.runForEach(socket.messages, (symbol) => socket.send(JSON.stringify({ symbol, price: 1.17 }))),
  "/restless": (socket) =>
    Effect.gen(function* () {
      const [subscription] = yield* Stream.runCollect(Stream.take(socket.messages, 1))
      yield* socket.send(`${String(subscription)} ${++subscriptions}`)
      yield* subscriptions < 3 ? socket.close(1012) : socket.close()
    })
}

/** The transports of the server, in the order in which they were opened. */
const transports: Array<Duplex> = []

/** How many messages `/torrent` has sent. */
let torrent = 0

/** How many bytes came to `/collect`. */
let collected = 0

let browser: Browser
let page: Page
let port: number
const scope = Effect.runSync(Scope.make())

beforeAll(async () => {
  const { code } = await bundle({ file: join(root, "test/platform/web/page.ts") }, "package")
  const [example = ""] = /(?<=^```ts\n)[^]*?(?=^```$)/m.exec(readFileSync(join(root, "docs/browser.md"), "utf8")) ?? []
  const scripts: Readonly<Record<string, string>> = {
    "/page.js": code,
    "/example.js": (await bundle({ code: example }, "package")).code
  }
  const server = http.createServer((request, response) => {
    if (request.url === "/read") Effect.runSync(Queue.offer(reading, undefined))
    if (request.url === "/sent") return response.end(JSON.stringify(torrent))
    const { url = "" } = request
    const script = scripts[url]
    response.setHeader("content-type", script === undefined ? "text/html" : "text/javascript")
    return response.end(script ?? `<!doctype html><script type="module" src="${url}.js"></script>`)
  })
  server.on("connection", (transport) => transports.push(transport))
  await once(server.listen(0, "127.0.0.1"), "listening")
  const address = server.address()
  port = typeof address === "object" && address !== null ? address.port : 0
  await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        yield* Effect.addFinalizer(() => Effect.sync(() => server.close().closeAllConnections()))
        const { run } = yield* Server.attach(server, {
          protocols: ["chat", "prices"],
          maxMessageSize: 2 * 1024 * 1024,
          authorize: ({ headers, url }) =>
            url in services && (url !== "/secret" || headers["sec-websocket-protocol"] === "chat, token.right")
              ? Effect.succeed(url)
              : Effect.fail(Server.reject(401))
        })
        yield* Effect.forkScoped(
          run((socket) =>
            Effect.andThen(
              Effect.ignore(services[socket.context]?.(socket) ?? Effect.void),
              Effect.flatMap(socket.closed, (closed) => Queue.offer(ends, [socket.context, closed]))
            )
          )
        )
      }),
      scope
    )
  )
  browser = await chromium.launch({ executablePath, args: [...args] })
})

const openPage = async (isPlain: boolean): Promise<void> => {
  page = await browser.newPage()
  page.on("pageerror", (error) => assert.fail(error.message))
  await page.addInitScript(`globalThis.plain = ${isPlain}`)
  await page.goto(`http://127.0.0.1:${port}/page`)
  await page.waitForFunction("globalThis.programs")
}

afterAll(async () => {
  await browser.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
})

/** Runs one of the page's programs against a service. */
const run = (name: string, path: string, ...options: ReadonlyArray<number>): Promise<unknown> => {
  const values = [`ws://127.0.0.1:${port}${path}`, ...options]
  return page.evaluate(`programs.${name}(...${JSON.stringify(values)})`)
}

/** As a page's values come here: without the fields that are `undefined`. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const platforms = [
  ["WebSocketStream", false],
  ["WebSocket", true]
] as const

describe.each(platforms)("effect-ws/browser over Chromium's %s", (_, isPlain) => {
  beforeAll(() => openPage(isPlain))
  afterAll(() => page.close())

  it("runs the program that runs on this library's own client", async () => {
    assert.deepStrictEqual(plain(await run("conversation", "/echo")), plain(expected))
    assert.deepStrictEqual((await nextEnd("/echo")).received, { code: 1000, reason: "bye" })
  })

  it("carries values of a schema, and closes for what is none", async () => {
    assert.deepStrictEqual(await run("typed", "/count"), {
      values: [{ count: 2 }, { count: 3 }],
      error: `a message that can't be parsed: Unexpected token 'o', "none" is not valid JSON`,
      cause: "Handshake",
      sent: { code: 4007, reason: "malformed message" }
    })
    assert.deepStrictEqual((await nextEnd("/count")).received, { code: 4007, reason: "malformed message" })
  })

  it("closes with the codes that the platform sends", async () => {
    const code = { code: 4321, reason: "därum" }
    assert.deepStrictEqual(await run("close", "/echo"), {
      refused: ["Unsupported", "Unsupported", "InvalidSend", "InvalidSend"],
      // The server answers with the code alone
      closed: { sent: code, received: { ...code, reason: "" }, cause: { _tag: "Handshake" } }
    })
    assert.deepStrictEqual((await nextEnd("/echo")).received, code)
    await run("fail", "/echo")
    assert.deepStrictEqual((await nextEnd("/echo")).received, { code: 4011, reason: "" })
  })

  it("says that it could not connect, and no more than the platform", async () => {
    const { message, tag } = (await run("refused", "/nothing")) as { readonly tag: string; readonly message: string }
    assert.strictEqual(tag, "OpenFailed")
    const said = /the platform doesn't say why|WebSocket closed before handshake complete\./
    assert.match(message, new RegExp(`^the connection could not be opened: (?:${said.source})$`))
  })

  it("waits for a server that doesn't read", async () => {
    const count = 64
    const { close, sent, stuck } = (await run("backpressure", "/slow", count)) as {
      readonly stuck: number
      readonly sent: number
      readonly close: unknown
    }
    assert.isBelow(stuck, count)
    assert.strictEqual(sent, count)
    assert.deepInclude(close, { cause: { _tag: "Handshake" } })
    assert.deepStrictEqual((await nextEnd("/slow")).received, { code: 1000, reason: "" })
  })

  it("keeps a connection up", async () => {
    subscriptions = 0
    assert.deepStrictEqual(await run("reconnecting", "/restless"), ["subscribe 1", "subscribe 2", "subscribe 3"])
    for (const code of [1012, 1012, 1000]) assert.strictEqual((await nextEnd("/restless")).sent?.code, code)
  })

  it("lets in who offers a token as a subprotocol", async () => {
    assert.deepStrictEqual(await run("token", "/secret"), {
      protocol: "chat",
      message: "welcome",
      without: "OpenFailed"
    })
    await nextEnd("/secret")
  })

  it("sends all that was sent before a close", async () => {
    collected = 0
    const { received } = (await run("sendAndClose", "/collect", 32)) as Socket.Closed
    assert.deepStrictEqual((await nextEnd("/collect")).received, { code: 3000, reason: "all" })
    assert.strictEqual(received?.code, 3000)
    assert.strictEqual(collected, 32 * 1024 * 1024)
  })

  it("closes while the server sends without end", async () => {
    assert.deepInclude(await run("closeUnread", "/endless"), { cause: { _tag: "Handshake" } })
    assert.deepStrictEqual((await nextEnd("/endless")).received, { code: 1000, reason: "" })
  })

  it("tells a connection that was lost", async () => {
    assert.deepStrictEqual(await run("lost", "/lost"), {
      first: "hello",
      failure: "ConnectionClosed",
      cause: "Lost",
      received: true
    })
    assert.isUndefined((await nextEnd("/lost")).received)
  })

  it("gives up a close that the server doesn't answer", async () => {
    assert.strictEqual(await run("closeStuck", "/slow", 64), "CloseTimeout")
    Effect.runSync(Queue.offer(reading, undefined))
    await nextEnd("/slow")
  })

  it("delivers what came before the end to a reader that comes after it", async () => {
    assert.deepStrictEqual(await run("readAfterEnd", "/farewell"), {
      received: { code: 1000, reason: "done" },
      failure: "ConnectionClosed",
      read: 3
    })
    await nextEnd("/farewell")
  })
})

describe("effect-ws/browser over Chromium's WebSocketStream", () => {
  beforeAll(() => openPage(false))
  afterAll(() => page.close())

  it("stops a server that sends more than the page reads", async () => {
    const count = 64
    const { read, stuck, whole } = (await run("slowReader", "/torrent", count)) as {
      readonly stuck: number
      readonly read: number
      readonly whole: boolean
    }
    assert.isBelow(stuck, count)
    assert.strictEqual(read, count)
    assert.isTrue(whole)
    await nextEnd("/torrent")
  })
})

describe("effect-ws/browser over Chromium's WebSocket", () => {
  beforeAll(() => openPage(true))
  afterAll(() => page.close())

  it("bounds what waits for the reader", async () => {
    assert.deepStrictEqual(await run("overflow", "/flood"), {
      cause: { _tag: "ReadBufferFull", limit: 100_000 },
      sent: { code: 4008, reason: "too many unread messages" },
      // Each counts 20 000 and 64
      read: 4,
      failure: "ReadBufferFull"
    })
    assert.deepStrictEqual((await nextEnd("/flood")).received, { code: 4008, reason: "too many unread messages" })
  })
})

describe("effect-ws/browser in Chromium", () => {
  it("runs the example of docs/browser.md", async () => {
    const example = await browser.newPage()
    const logged = example.waitForEvent("console", (message) => message.text().includes("EUR 1.17"))
    await example.goto(`http://127.0.0.1:${port}/example`)
    await logged
    await example.close()
  })

  it("has types that need none of Node's", () => {
    const tsc = join(root, "node_modules", ".bin", "tsc")
    assert.strictEqual(execFileSync(tsc, ["-p", join(root, "test/platform/web")], { encoding: "utf8" }), "")
  })
})
