// An upgrade that is pipelined after a request without an answer, on the callback APIs.
import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import * as net from "node:net"
import { WebSocketServer } from "effect-ws/ws"
import { Server as LegacyServer } from "effect-ws/ws/legacy"
import { hello, upgradeHead } from "../support/upgrade.ts"

/** Serves the upgrades of an HTTP server; `serve` is called with the text of each message. */
type Attach = (server: http.Server) => void

const attachments: Readonly<Record<string, Attach>> = {
  "effect-ws/ws": (server) => {
    new WebSocketServer({ server }).on("connection", (client) =>
      client.on("message", (data) => client.send(`echo ${String(data)}`))
    )
  },
  "effect-ws/ws by hand": (server) => {
    const sockets = new WebSocketServer({ noServer: true })
    server.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (client) =>
        client.on("message", (data) => client.send(`echo ${String(data)}`))
      )
    )
  },
  "effect-ws/ws/legacy": (server) => {
    new LegacyServer({ server }).on("connection", (client) =>
      client.on("message", (data) => client.send(`echo ${String(data)}`))
    )
  }
}

const until = async (socket: net.Socket, holds: () => boolean): Promise<void> => {
  while (!holds()) await once(socket, "data")
}

describe("an upgrade that is pipelined", () => {
  for (const [name, attach] of Object.entries(attachments)) {
    it(`waits for the response before it, and keeps what came meanwhile: ${name}`, async () => {
      const responses: Array<http.ServerResponse> = []
      const server = http.createServer((_, response) => void responses.push(response))
      attach(server)
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1")
      let text = ""
      socket.on("data", (chunk) => (text += chunk.toString("latin1")))
      const upgraded = once(server, "upgrade")
      socket.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + upgradeHead())
      await upgraded
      socket.write(hello)
      assert.strictEqual(text, "")
      responses[0]?.end("slow")
      await until(socket, () => text.includes("echo hello"))
      assert.match(text, /^HTTP\/1\.1 200 [^]*slow[^]*HTTP\/1\.1 101 [^]*echo hello$/)
      socket.destroy()
      server.close()
    })
  }

  it("isn't one when the response is that of the request itself", async () => {
    const sockets = new WebSocketServer({ noServer: true })
    const server = http.createServer()
    server.on("upgrade", (request, socket, head) => {
      const response = new http.ServerResponse(request)
      response.assignSocket(socket as net.Socket)
      sockets.handleUpgrade(request, socket, head, (client) => client.send("open"))
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1")
    let text = ""
    socket.on("data", (chunk) => (text += chunk.toString("latin1")))
    socket.write(upgradeHead())
    await until(socket, () => text.includes("open"))
    assert.match(text, /^HTTP\/1\.1 101 /)
    socket.destroy()
    server.close()
  })

  it("is dropped with a peer that leaves before its turn", async () => {
    const responses: Array<http.ServerResponse> = []
    const server = http.createServer((_, response) => void responses.push(response))
    const sockets = new WebSocketServer({ server })
    sockets.on("connection", () => assert.fail("there is no peer"))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1")
    const upgraded = once(server, "upgrade") as Promise<[http.IncomingMessage, net.Socket]>
    socket.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + upgradeHead())
    const [, served] = await upgraded
    const closed = once(served, "close")
    socket.destroy()
    await closed
    responses[0]?.end("slow")
    server.close()
  })
})
