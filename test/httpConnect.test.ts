import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import { HttpConnectClient } from "../src/internal/client/httpConnect.ts"
import type { ProxyStep } from "../src/internal/client/proxyClient.ts"

const bytes = (text: string): Buffer => Buffer.from(text, "latin1")

const client = (): HttpConnectClient => new HttpConnectClient({ authority: "server:80", credentials: undefined })

/** The last step after the response, given whole, then byte by byte. */
const stepsOf = (response: string): ReadonlyArray<ProxyStep | undefined> => {
  const whole = client().receive(bytes(response))
  const slow = client()
  const rest: Array<number> = []
  let last: ProxyStep | undefined
  for (const byte of bytes(response)) {
    if (last === undefined || last._tag === "Wait") last = slow.receive(Buffer.of(byte))
    else rest.push(byte)
  }
  return [whole, last?._tag === "Open" ? { ...last, rest: Buffer.concat([last.rest, Buffer.from(rest)]) } : last]
}

describe("a client of an HTTP proxy", () => {
  it("sends the authority as target and Host, and the credentials it has", () => {
    assert.strictEqual(String(client().greeting), "CONNECT server:80 HTTP/1.1\r\nHost: server:80\r\n\r\n")
    const { greeting } = new HttpConnectClient({ authority: "[::1]:443", credentials: { user: "a", password: "b" } })
    assert.include(Buffer.from(greeting).toString(), "\r\nProxy-Authorization: Basic YTpi\r\n\r\n")
  })

  it("opens the tunnel for every status from 200 to 299, whatever the head says about a body", () => {
    for (const head of [
      "HTTP/1.1 200 OK",
      "HTTP/1.0 200 Connection established",
      "HTTP/1.1 201 Created\r\nContent-Length: 7",
      "HTTP/1.1 204 No Content",
      "HTTP/1.1 299 ",
      "HTTP/1.1 200"
    ]) {
      for (const step of stepsOf(`${head}\r\n\r\nrest`)) {
        assert.deepStrictEqual(step, { _tag: "Open", rest: bytes("rest") }, head)
      }
    }
  })

  it("skips interim responses", () => {
    const interim = "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\nX: y\r\n\r\n"
    for (const step of stepsOf(`${interim}HTTP/1.1 200 OK\r\n\r\nrest`)) {
      assert.deepStrictEqual(step, { _tag: "Open", rest: bytes("rest") })
    }
  })

  it("refuses other statuses, and what is not HTTP", () => {
    for (const [response, message] of [
      ["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "it answered 407"],
      ["HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "it answered 302"],
      ["HTTP/1.1 101 Switching Protocols\r\n\r\n", "it answered 101"],
      ["HTTP/1.1 199 X\r\n\r\nHTTP/1.1 500 X\r\n\r\n", "it answered 500"],
      ["HTTP/1.1 2000 X\r\n\r\n", "its response is not one of HTTP/1.1"],
      ["HTTP/1.1 20\r\n\r\n", "its response is not one of HTTP/1.1"],
      ["SSH-2.0-x", "its response is not one of HTTP/1.1"]
    ] as const) {
      for (const step of stepsOf(response)) assert.deepStrictEqual(step, { _tag: "Refused", message }, response)
    }
  })

  it("reads heads of up to 64 KiB together", () => {
    const interim = "HTTP/1.1 102 Processing\r\n\r\n"
    const final = (size: number): string => {
      const start = "HTTP/1.1 200 OK\r\nX: "
      return `${start}${"x".repeat(size - interim.length - start.length - 4)}\r\n\r\n`
    }
    assert.strictEqual(client().receive(bytes(interim + final(65_536)))._tag, "Open")
    assert.deepStrictEqual(client().receive(bytes(interim + final(65_537))), {
      _tag: "Refused",
      message: "its response is longer than 65536 bytes"
    })
    const endless = client()
    const steps = Array.from({ length: 65 }, () => endless.receive(bytes(`HTTP/1.1 200 ${"x".repeat(1011)}`))._tag)
    assert.deepStrictEqual([steps.slice(0, 64).every((tag) => tag === "Wait"), steps.at(-1)], [true, "Refused"])
  })
})

/** A proxy that answers CONNECT with a head, then joins the client to the server. */
const proxy = (head: string, server: number): Effect.Effect<number, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<net.Server>((resume) => {
        const listener = net.createServer((downstream) => {
          downstream.on("error", () => {})
          downstream.once("data", () => {
            const upstream = net.connect(server, "127.0.0.1", () => {
              downstream.write(`${head}\r\n\r\n`)
              downstream.pipe(upstream).pipe(downstream)
            })
            upstream.on("error", () => {})
          })
        })
        listener.listen(0, "127.0.0.1", () => resume(Effect.succeed(listener)))
      }),
      (listener) => Effect.sync(() => listener.close())
    ),
    (listener) => (listener.address() as AddressInfo).port
  )

describe("a connection through an HTTP proxy", () => {
  it.live("opens after any 2xx, and after interim responses", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1" })
      yield* Effect.forkScoped(server.run((socket) => Stream.runForEach(socket.messages, socket.send)))
      const { port } = server.address
      for (const head of [
        "HTTP/1.1 201 Created",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK"
      ]) {
        const via = yield* proxy(head, port)
        const said = yield* Effect.scoped(
          Effect.gen(function* () {
            const socket = yield* Socket.connect(`ws://127.0.0.1:${port}/`, { proxy: `http://127.0.0.1:${via}` })
            yield* socket.send("hello")
            return yield* Stream.runHead(socket.messages)
          })
        )
        assert.deepStrictEqual(said._tag === "Some" ? said.value : undefined, "hello", head)
      }
    })
  )

  it.live("fails with the status of a refusal", () =>
    Effect.gen(function* () {
      const via = yield* proxy("HTTP/1.1 403 Forbidden", yield* proxy("", 1))
      const error = yield* Effect.flip(
        Effect.scoped(Socket.connect("ws://127.0.0.1:1/", { proxy: `http://me:secret@127.0.0.1:${via}` }))
      )
      assert.match(error.message, /^the proxy 127\.0\.0\.1:\d+ gives no way to 127\.0\.0\.1:1: it answered 403$/)
    })
  )
})
