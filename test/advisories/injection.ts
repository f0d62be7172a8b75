// Line breaks in what we write.
import { assert, describe } from "@effect/vitest"
import { Effect, Result } from "effect"
import type { Extension } from "effect-ws"
import { Handshake, Server } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import { requestHead } from "../ws/lab.ts"
import { attack, portOf } from "./faces.ts"
import { hold, run } from "./hold.ts"

const openWs = (options: ws.WebSocket.ClientOptions, protocols: Array<string> = []): void => {
  const client = new ws.WebSocket("ws://127.0.0.1:1/", protocols, options)
  client.on("error", () => {})
  client.terminate()
}

const openLegacy = (options: legacy.ClientOptions): void => {
  const client = new legacy.WebSocket("ws://127.0.0.1:1/", options)
  client.on("error", () => {})
  client.terminate()
}

describe("CVE-2026-1527", () => {
  const id = "CVE-2026-1527"
  const evils = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "a\0b"]
  const request: Handshake.Request = {
    method: "GET",
    url: "/",
    headers: {
      host: "a",
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-protocol": "chat"
    }
  }

  hold(id, "engine", "a request that is composed takes no line breaks", () => {
    for (const evil of evils) {
      for (const draft of Handshake.all) {
        const tries: ReadonlyArray<[string | URL, Handshake.RequestOptions]> = [
          [`ws://a/${evil}`, {}],
          [`ws://a${evil}/`, {}],
          ["ws://a/", { headers: { "X-Name": evil } }],
          ["ws://a/", { headers: { [`X${evil}`]: "x" } }],
          ["ws://a/", { headers: { Upgrade: `websocket${evil}` } }],
          ["ws://a/", { protocols: [`chat${evil}`] }],
          ["ws://a/", { origin: `http://a${evil}` }],
          ["ws://a/", { host: `a${evil}` }],
          ["ws://a/", { headers: [["Host", `a${evil}`]] }],
          ["ws://a/", { headers: [["Origin", `a${evil}`]] }]
        ]
        for (const [url, options] of tries) {
          assert.isTrue(Result.isFailure(Handshake.requestResult(url, { ...options, draft })), JSON.stringify(options))
        }
        const composed = Handshake.requestResult("ws://a/", { draft, auth: `user:${evil}` })
        assert.notMatch(
          Buffer.from(Handshake.encodeRequest(Result.getOrThrow(composed))).toString("latin1"),
          /^X-Evil/m
        )
      }
      const extension: Extension.Extension = {
        name: "x",
        rsv: 0,
        offer: () => [[["a", evil]]],
        accept: () => ({ params: [["a", evil]], settings: undefined }),
        confirm: () => Result.fail("never")
      }
      assert.isTrue(Result.isFailure(Handshake.requestResult("ws://a/", { extensions: [extension] })))
      const offering = { ...request, headers: { ...request.headers, "sec-websocket-extensions": "x" } }
      assert.isTrue(Result.isFailure(Handshake.acceptResult(offering, { extensions: [extension] })))
    }
  })

  hold(id, "engine", "a response takes no line breaks", () => {
    for (const evil of evils) {
      assert.isTrue(Result.isFailure(Handshake.acceptResult(request, { headers: { "X-Name": evil } })))
      assert.isTrue(Result.isFailure(Handshake.acceptResult(request, { headers: { [`X${evil}`]: "x" } })))
      assert.isTrue(Result.isFailure(Handshake.acceptResult(request, { protocols: () => `chat${evil}` })))
      const rejected = Handshake.reject({ status: 401, headers: { "WWW-Authenticate": evil } })
      assert.strictEqual(rejected.reason._tag, "UnsafeHeader")
      const wire = Buffer.from(Handshake.encodeResponse(Handshake.rejection(rejected))).toString("latin1")
      assert.match(wire, /^HTTP\/1\.1 500 /)
      assert.notMatch(wire, /X-Evil/)
    }
  })

  hold(id, "Effect", "a rejection with a line break in it is a 500", () =>
    run(
      Effect.gen(function* () {
        const server = yield* Server.make({
          host: "127.0.0.1",
          authorize: () => Effect.fail(Server.reject(401, { headers: { "X-Reason": "a\r\nX-Evil: 1" } }))
        })
        const { head, status } = yield* Effect.promise(() => attack(server.address.port, [requestHead()]))
        assert.strictEqual(status, 500)
        assert.notMatch(head, /X-Evil/)
      })
    )
  )

  hold(id, "ws", "a client throws", () => {
    for (const evil of evils) {
      assert.throws(() => openWs({}, [`chat${evil}`]))
      assert.throws(() => openWs({ headers: { "X-Name": evil } }))
      assert.throws(() => openWs({ headers: { [`X${evil}`]: "a" } }))
      assert.throws(() => openWs({ origin: `http://a${evil}` }))
    }
  })

  hold(id, "ws", "a server answers 500 where verifyClient or handleProtocols has a line break", async () => {
    for (const evil of evils) {
      const options: ReadonlyArray<ws.WebSocket.ServerOptions> = [
        { verifyClient: (_, done) => done(false, 401, "no", { "X-Name": evil }) },
        { verifyClient: (_, done) => done(false, 401, "no", { [`X${evil}`]: "x" }) },
        { verifyClient: (_, done) => done(false, 401, "no", { "X-List": ["a", evil] as unknown as string }) },
        { handleProtocols: () => `chat${evil}` }
      ]
      for (const one of options) {
        const server = new ws.WebSocketServer({ port: 0, host: "127.0.0.1", ...one })
        await once(server, "listening")
        const port = portOf(server.address())
        const { head, status } = await attack(port, [requestHead(["Sec-WebSocket-Protocol: chat"])])
        assert.notMatch(head, /X-Evil|\0/)
        assert.strictEqual(status, 500)
        server.close()
      }
    }
  })

  hold(id, "legacy", "a client throws, a server's lines and phrases have no breaks", async () => {
    for (const evil of evils) {
      assert.throws(() => openLegacy({ protocol: `chat${evil}` }))
      assert.throws(() => openLegacy({ headers: { "X-Name": evil } }))
      assert.throws(() => openLegacy({ origin: `http://a${evil}` }))
      assert.throws(() => openLegacy({ host: `a${evil}` }))
      const options: ReadonlyArray<legacy.ServerOptions> = [
        {
          verifyClient: (_: unknown, done: (result: boolean, code: number, name: string) => void) =>
            done(false, 401, evil)
        },
        {
          handleProtocols: (_: unknown, done: (result: boolean, protocol: string) => void) => done(true, `chat${evil}`)
        }
      ] as ReadonlyArray<legacy.ServerOptions>
      for (const one of options) {
        const server = new legacy.Server({ port: 0, host: "127.0.0.1", ...one })
        server.on("error", () => {})
        await once(server, "listening")
        const port = portOf(server._server?.address())
        const { head, status } = await attack(port, [requestHead(["Sec-WebSocket-Protocol: chat"])])
        assert.notMatch(head, /^X-Evil|\0/m)
        assert.oneOf(status, [401, 500])
        server.close()
      }
    }
  })
})
