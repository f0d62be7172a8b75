// Who may connect, and how long it may take.
import { assert, describe } from "@effect/vitest"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import { requestHead } from "../ws/lab.ts"
import { accepted, attack, hixieBody, hixieHead, portOf, withServer } from "./faces.ts"
import { every, hold, holdAll } from "./hold.ts"

describe("CSWSH", () => {
  const id = "CSWSH"
  const foreign = requestHead(["Origin: https://evil.example"])

  hold(id, "Effect", "another origin is refused by default", () =>
    withServer("Effect", {}, async (port) => {
      assert.strictEqual((await attack(port, [foreign], { until: accepted })).status, 403)
      for (const origin of [
        "null",
        "http://localhost.evil.example",
        "http://evil.example/localhost",
        "https://localhost@evil.example",
        "file://"
      ]) {
        assert.strictEqual(
          (await attack(port, [requestHead([`Origin: ${origin}`])], { until: accepted })).status,
          403,
          origin
        )
      }
      assert.strictEqual(
        (await attack(port, [requestHead(["Origin: http://localhost"])], { until: accepted })).status,
        101
      )
      assert.strictEqual((await attack(port, [requestHead()], { until: accepted })).status, 101)
      // Below version 13 the origin has another name, and may have both.
      const old = requestHead(["Sec-WebSocket-Origin: https://evil.example"]).replace("Version: 13", "Version: 8")
      assert.strictEqual((await attack(port, [old], { until: accepted })).status, 403)
      const both = requestHead(["Origin: https://evil.example"]).replace("Version: 13", "Version: 8")
      assert.strictEqual((await attack(port, [both], { until: accepted })).status, 403)
      const hixie = hixieHead.replace("http://example.com", "http://evil.example")
      assert.strictEqual((await attack(port, [hixie, hixieBody], { until: accepted })).status, 403)
    })
  )

  hold(id, "ws", "verifyClient gets the origin, and its refusal holds", async () => {
    const origins: Array<unknown> = []
    const server = new ws.WebSocketServer({
      port: 0,
      host: "127.0.0.1",
      verifyClient: ({ origin }: { readonly origin: string }) => {
        origins.push(origin)
        return false
      }
    })
    await once(server, "listening")
    const port = portOf(server.address())
    assert.strictEqual((await attack(port, [foreign])).status, 401)
    assert.deepStrictEqual(origins, ["https://evil.example"])
    server.close()
  })

  hold(id, "legacy", "verifyClient gets the origin, and its refusal holds", async () => {
    const origins: Array<unknown> = []
    const server = new legacy.Server({
      port: 0,
      host: "127.0.0.1",
      verifyClient: ({ origin }: legacy.ClientInfo) => {
        origins.push(origin)
        return false
      }
    })
    await once(server, "listening")
    const port = portOf(server._server?.address())
    assert.strictEqual((await attack(port, [foreign])).status, 401)
    assert.deepStrictEqual(origins, ["https://evil.example"])
    server.close()
  })
})

describe("slow loris", () => {
  const id = "slow loris"

  hold(id, "Effect", "a head that never ends is given up", () =>
    withServer("Effect", { handshakeTimeout: 300 }, async (port) => {
      const { status } = await attack(port, ["GET / HTTP/1.1\r\nHost: a\r\n"])
      assert.oneOf(status, [0, 408])
    })
  )

  for (const face of ["ws", "legacy"] as const) {
    hold(id, face, "a head that never ends is Node's to give up, on the server that it is attached to", async () => {
      const server = http.createServer({ headersTimeout: 200, requestTimeout: 300, connectionsCheckingInterval: 50 })
      const attached = face === "ws" ? new ws.WebSocketServer({ server }) : new legacy.Server({ server })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const { status } = await attack(portOf(server.address()), ["GET / HTTP/1.1\r\nHost: a\r\n"])
      assert.strictEqual(status, 408)
      attached.close()
      server.close()
    })
  }

  for (const face of ["Effect", "legacy"] as const) {
    hold(id, face, "Hixie's eight bytes that never come are given up", () =>
      withServer(face, { handshakeTimeout: 300 }, async (port) => {
        const same = hixieHead
          .replace("http://example.com", `http://127.0.0.1:${port}`)
          .replace("Host: example.com", `Host: 127.0.0.1:${port}`)
        for (const body of ["", "^n:ds[4"]) {
          const { status } = await attack(port, [same, body])
          assert.strictEqual(status, 408)
        }
      })
    )
  }

  holdAll(id, every, "a peer that stays after its refusal is dropped", (face) =>
    withServer(face, { handshakeTimeout: 300 }, async (port) => {
      const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      socket.on("error", () => {})
      socket.write(requestHead().replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 99"))
      socket.resume()
      await once(socket, "end")
      // The server's end was heard, and our side stays: bytes must meet a reset before long.
      const gone = new Promise((resolve) => socket.on("close", resolve))
      const nag = setInterval(() => socket.write("x"), 20)
      await gone
      clearInterval(nag)
    })
  )
})
