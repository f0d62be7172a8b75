import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Effect, Redacted, Stream } from "effect"
import { type Handshake, Server, Socket } from "effect-ws"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import { inspect } from "node:util"
import { listening } from "./support/http.ts"
import { certificate, trust } from "./support/http2.ts"

describe("a redacted secret", () => {
  it.effect("is sent as the value of a header field, and as credentials", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        headers: { "X-Server": Redacted.make("server's own") },
        authorize: ({ headers }) =>
          headers["authorization"] === "Bearer topsecret"
            ? Effect.succeed(
                Server.accept({ context: headers, headers: [["Set-Cookie", Redacted.make("session=abc")]] })
              )
            : Effect.fail(Server.reject(401, { headers: { "X-Got": Redacted.make(String(headers["authorization"])) } }))
      })
      const seen: Array<Handshake.ServerResponse> = []
      const socket = yield* server.connect("/", {
        headers: { Authorization: Redacted.make("Bearer topsecret"), "X-Plain": "plain" },
        onHandshake: (_, response) => seen.push(response)
      })
      const [connection] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.strictEqual(connection?.context["x-plain"], "plain")
      assert.strictEqual(seen[0]?.headers["x-server"], "server's own")
      assert.deepStrictEqual(seen[0]?.headers["set-cookie"], ["session=abc"])
      assert.notInclude(inspect(socket.request, { depth: 10 }), "topsecret")
      const { reason } = yield* Effect.flip(server.connect("/", { auth: Redacted.make("bob:hunter2") }))
      if (reason._tag !== "HandshakeFailed" || reason.error.reason._tag !== "UnexpectedStatus") throw new Error()
      const { headers } = reason.error.reason
      assert.strictEqual(headers["x-got"], `Basic ${Buffer.from("bob:hunter2").toString("base64")}`)
    })
  )

  it.effect("stays with its host on a redirect", () =>
    Effect.gen(function* () {
      const server = yield* Server.makeMemory({
        authorize: ({ headers, url }) =>
          url === "/old"
            ? Effect.fail(Server.reject(302, { headers: { Location: "/new" } }))
            : Effect.succeed(headers["authorization"])
      })
      const auth = Redacted.make("bob:hunter2")
      yield* server.connect("/old", { auth, maxRedirects: 1 })
      const [connection] = yield* Stream.runCollect(Stream.take(server.connections, 1))
      assert.match(String(connection?.context), /^Basic /)
    })
  )

  it.effect("is not shown when its value can't be written", () =>
    Effect.gen(function* () {
      const headers = { Authorization: Redacted.make("top\r\nsecret") }
      const server = yield* Server.makeMemory()
      const error = yield* Effect.flip(server.connect("/", { headers }))
      assert.notInclude(inspect(error, { depth: 10 }), "secret")
      const invalid = yield* Effect.flip(Server.makeMemory({ headers }))
      assert.strictEqual(invalid.reason._tag === "InvalidOptions" && invalid.reason.option, "headers")
      assert.notInclude(inspect(invalid, { depth: 10 }), "secret")
    })
  )

  it.live("is the passphrase of a key", () =>
    Effect.gen(function* () {
      const args = ["ec", "-aes256", "-passout", "pass:topsecret"]
      const key = execFileSync("openssl", args, {
        input: certificate.key,
        stdio: ["pipe", "pipe", "ignore"]
      }).toString()
      const tls = { cert: certificate.cert, key: Redacted.make(key), passphrase: Redacted.make("topsecret") }
      const server = yield* Server.make({ host: "127.0.0.1", port: 0, tls })
      yield* Socket.connect(`wss://127.0.0.1:${server.address.port}/`, { tls: { ...trust, ...tls } })
      const wrong = { ...tls, passphrase: Redacted.make("another") }
      const { reason } = yield* Effect.flip(Server.make({ host: "127.0.0.1", port: 0, tls: wrong }))
      assert.strictEqual(reason._tag, "TlsInvalid")
    })
  )

  it.live("is the URL of a proxy", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ host: "127.0.0.1", port: 0 })
      const seen: Array<string | undefined> = []
      const proxy = http.createServer().on("connect", (request, socket) => {
        seen.push(request.headers["proxy-authorization"])
        const upstream = net.connect(server.address.port, "127.0.0.1", () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n")
          upstream.pipe(socket).pipe(upstream)
        })
        upstream.on("error", () => socket.destroy())
        socket.on("error", () => upstream.destroy())
        void once(socket, "close").then(() => upstream.destroy())
      })
      const port = yield* listening(proxy)
      const url = `ws://127.0.0.1:${server.address.port}/`
      const socket = yield* Socket.connect(url, { proxy: Redacted.make(`http://bob:hunter2@127.0.0.1:${port}`) })
      yield* socket.close()
      yield* Socket.connect(url, { proxy: Redacted.make(new URL(`http://bob:hunter2@127.0.0.1:${port}`)) })
      const basic = `Basic ${Buffer.from("bob:hunter2").toString("base64")}`
      assert.deepStrictEqual(seen, [basic, basic])
    })
  )
})

describe("a size", () => {
  it.effect("can be one of Effect's", () =>
    Effect.gen(function* () {
      for (const maxMessageSize of [ByteSize.kibibytes(1), "1 KiB", 1024n, 1024] as const) {
        const [client, server] = yield* Socket.makePair({ server: { maxMessageSize } })
        yield* client.send("x".repeat(1024))
        assert.strictEqual(String(yield* server.receive).length, 1024)
        yield* client.send("x".repeat(1025))
        yield* Effect.flip(server.receive)
        assert.strictEqual((yield* client.closed).received?.code, 1009)
      }
      yield* Server.makeMemory({ maxMemory: "1 GiB", readBufferSize: Infinity, writeBufferSize: "64 KiB" })
    })
  )

  it.effect("is refused with the option's name when it is none", () =>
    Effect.gen(function* () {
      for (const size of ["1 potato", "-1 B", 0.5, -1, 2n ** 80n, Number.NaN, {}, null]) {
        // As callers without types have it.
        const options: Server.Options = { maxMemory: size as never }
        const { reason } = yield* Effect.flip(Server.makeMemory(options))
        assert.strictEqual(reason._tag === "InvalidOptions" && reason.option, "maxMemory", String(size))
      }
    })
  )
})
