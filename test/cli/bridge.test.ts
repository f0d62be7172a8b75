import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { Handshake, Socket } from "effect-ws"
import type { IncomingMessage } from "node:http"
import { start, wscat } from "./support/program.ts"
import { serve, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** A proxy to a URL, and where it listens. */
const bridge = (to: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const running = yield* start(["proxy", "-l", "127.0.0.1:0", "--to", to, ...args])
    const [, port] = yield* running.until(/Listening on port (\d+)/)
    return { running, url: `ws://127.0.0.1:${port}` }
  })

describe("wscat proxy", () => {
  for (const [client, server] of [
    ["13", "hixie-76"],
    ["hixie-76", "8"],
    ["7", "13"]
  ] as const) {
    it.live(`stands between version ${client} and version ${server}, and shows both sides`, () =>
      Effect.gen(function* () {
        const { port } = yield* serve(undefined, { drafts: Handshake.all })
        const { running, url } = yield* bridge(`127.0.0.1:${port}`, "-p", server)
        const outcome = yield* wscat([url, "-p", client, "-x", "hello", "-x", "two\nlines", "--count", "2"])
        assert.deepStrictEqual([outcome.output, outcome.code], ["hello\ntwo\nlines\n", 0])
        yield* running.until(/\[1\] < two\n\| lines\n/)
        assert.match(running.output(), /^\[1\] > hello\n/)
      })
    )
  }

  it.live("passes the path, headers, the subprotocol, and the close code on", () =>
    Effect.gen(function* () {
      const requests: Array<IncomingMessage> = []
      const { url: to } = yield* serveWs(
        (socket, request) => {
          requests.push(request)
          socket.send("bye")
          socket.close(4002, "enough")
        },
        { handleProtocols: () => "chat" }
      )
      const { url } = yield* bridge(to, "-H", "X-Own: 1")
      const { errors, output } = yield* wscat([`${url}/some/where?a=1`, "-s", "chat", "-H", "X-Token: t", "-w", "-1"])
      assert.strictEqual(output, "bye\n")
      assert.match(errors, /^error: the peer closed with 4002: "enough"\n$/)
      const [request] = requests
      assert.strictEqual(request?.url, "/some/where?a=1")
      assert.deepInclude(request?.headers, { "x-token": "t", "x-own": "1", host: new URL(to).host })
    })
  )

  it.live("closes with 1014 when the server can't be reached, and says why", () =>
    Effect.gen(function* () {
      const { running, url } = yield* bridge("127.0.0.1:1")
      const { errors } = yield* wscat([url, "-w", "-1"])
      assert.match(errors, /^error: the peer closed with 1014 \(bad gateway\): "cannot connect to 127\.0\.0\.1:1/)
      yield* running.until(/error: client 1: cannot connect to 127\.0\.0\.1:1: connection refused/)
    })
  )

  it.live("lets a client that doesn't read hold the server up", () =>
    Effect.gen(function* () {
      let sent = 0
      const total = 64 * 1024 * 1024
      const { url: to } = yield* serve((socket) =>
        Stream.runForEach(Stream.range(1, total / 65_536), () =>
          Effect.tap(socket.send("x".repeat(65_536)), () => Effect.sync(() => (sent += 65_536)))
        )
      )
      const { url } = yield* bridge(to, "--record", "/dev/null")
      const socket = yield* Socket.connect(url, { maxMessageSize: total })
      // What is sent comes to a stop when all buffers between are full.
      let before = -1
      while (sent !== before) {
        before = sent
        yield* Effect.sleep(500)
      }
      assert.isBelow(sent, total)
      const reading = yield* Effect.forkScoped(
        Stream.runFold(
          socket.messages,
          () => 0,
          (sum, message) => sum + message.length
        )
      )
      assert.strictEqual(yield* Fiber.join(reading), total)
    })
  )

  it.live("needs to know where to listen and where to connect", () =>
    Effect.gen(function* () {
      const { code, errors } = yield* wscat(["proxy", "-l", "0"])
      assert.match(errors, /^error: wscat proxy needs --listen and --to/)
      assert.strictEqual(code, 2)
    })
  )
})
