import { assert, describe, it } from "@effect/vitest"
import { WebSocket } from "effect-ws/ws/legacy"
import * as http from "node:http"
import * as https from "node:https"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeCertificate } from "../support/certificate.ts"
import { connectionOf, once, pair, rawServer, type Socket, serve } from "./peers.ts"
import { httpServer, portOf, type Resources, turn, using } from "./support.ts"

const errorOf = async (socket: Socket): Promise<unknown> => {
  const [error] = await once(socket, "error")
  return error
}

/** An echo server over TLS. */
const secure = async (
  resources: Resources,
  options: https.ServerOptions = {}
): Promise<{ port: number; cert: string; key: string }> => {
  const certificate = makeCertificate()
  const web = https.createServer({ ...certificate, ...options })
  const server = new WebSocket.Server({ server: web })
  resources.add(() => {
    server.close()
    web.close()
    web.closeAllConnections()
  })
  server.on("connection", (theirs) => theirs.send(theirs.upgradeReq?.url ?? ""))
  web.listen(0, "127.0.0.1")
  await once(web, "listening")
  return { port: portOf(web), ...certificate }
}

/** The head with which a Hixie-76 server agrees. */
const hixieLines = (request: http.IncomingMessage): Array<string> => [
  "HTTP/1.1 101 WebSocket Protocol Handshake",
  "Upgrade: WebSocket",
  "Connection: Upgrade",
  `Sec-WebSocket-Origin: ${request.headers.origin}`,
  `Sec-WebSocket-Location: ws://${request.headers.host}/`
]

describe("new WebSocket", () => {
  it(
    "takes its options in the second place or the third",
    using(async (resources) => {
      const { server, url } = await serve(WebSocket, resources)
      for (const make of [
        () => new WebSocket(url, { protocolVersion: 8 }),
        () => new WebSocket(url, null, { protocolVersion: 8 }),
        () => new WebSocket(url, "ignored", { protocolVersion: 8 }),
        () => new WebSocket(url, ["ignored"], { protocolVersion: 8 })
      ]) {
        const connected = connectionOf(server)
        const socket = make()
        const theirs = await connected
        assert.deepStrictEqual([socket.protocolVersion, theirs.protocolVersion], [8, 8])
      }
    })
  )

  it(
    "does not send subprotocols of the second place",
    using(async (resources) => {
      const { server, url } = await serve(WebSocket, resources)
      const connected = connectionOf(server)
      const socket = new WebSocket(url, ["one", "two"])
      const theirs = await connected
      await once(socket, "open")
      assert.isUndefined(theirs.upgradeReq?.headers["sec-websocket-protocol"])
      assert.isUndefined(socket.protocol)
    })
  )

  it(
    "takes a URL object, and a version as text",
    using(async (resources) => {
      const { server, url } = await serve(WebSocket, resources)
      const connected = connectionOf(server)
      const socket = new WebSocket(new URL(`${url}/x`), { protocolVersion: "8" })
      assert.strictEqual(socket.url, `${url}/x`)
      assert.strictEqual((await connected).protocolVersion, 8)
    })
  )

  it(
    "speaks version 7 and Hixie-76, which the original did not",
    using(async (resources) => {
      for (const version of [7, "hixie-76"] as const) {
        const { socket, theirs } = await pair(WebSocket, resources, {}, { protocolVersion: version })
        assert.deepStrictEqual([socket.protocolVersion, theirs.protocolVersion], [version, version])
        assert.deepStrictEqual(socket.supports, { binary: version === 7 })
        const message = once(theirs, "message")
        socket.send("hëllo")
        assert.strictEqual((await message)[0], "hëllo")
        const answer = once(socket, "message")
        theirs.send("back")
        assert.strictEqual((await answer)[0], "back")
        const closed = Promise.all([once(socket, "close"), once(theirs, "close")])
        socket.close()
        await closed
      }
    })
  )

  it(
    "asks with a fresh key of 16 random bytes, in every version",
    using(async (resources) => {
      const keys = new Set<string>()
      const web = await httpServer(resources)
      web.on("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
        keys.add(String(request.headers["sec-websocket-key"]))
        socket.destroy()
      })
      for (const protocolVersion of [13, 8, 7, 13] as const) {
        await errorOf(new WebSocket(`ws://127.0.0.1:${portOf(web)}`, { protocolVersion }))
      }
      assert.strictEqual(keys.size, 4)
      for (const key of keys) assert.match(key, /^[A-Za-z0-9+/]{22}==$/)
    })
  )

  it(
    "goes over TLS with the options of a certificate",
    using(async (resources) => {
      const { cert, port } = await secure(resources)
      for (const [scheme, options] of [
        ["wss", { rejectUnauthorized: false }],
        ["wss", { ca: cert }],
        ["https", { ca: cert }]
      ] as const) {
        const socket = new WebSocket(`${scheme}://localhost:${port}/there`, options)
        assert.strictEqual((await once(socket, "message"))[0], "/there")
        socket.terminate()
      }
      assert.match(String(await errorOf(new WebSocket(`wss://localhost:${port}`))), /self-signed|certificate/)
    })
  )

  it(
    "shows a certificate of its own",
    using(async (resources) => {
      const mine = makeCertificate()
      const { cert, port } = await secure(resources, { requestCert: true, rejectUnauthorized: true, ca: mine.cert })
      const socket = new WebSocket(`wss://localhost:${port}/`, { ca: cert, ...mine, ciphers: "ECDHE+AESGCM" })
      assert.strictEqual((await once(socket, "message"))[0], "/")
      socket.terminate()
      const refused = new WebSocket(`wss://localhost:${port}/`, { ca: cert })
      assert.instanceOf(await errorOf(refused), Error)
    })
  )

  it(
    "shows a certificate out of an archive with a passphrase",
    using(async (resources) => {
      const folder = mkdtempSync(join(tmpdir(), "effect-ws-"))
      resources.add(() => rmSync(folder, { recursive: true }))
      const { cert, key } = makeCertificate()
      writeFileSync(join(folder, "all.pem"), key + cert)
      const [input, output] = [join(folder, "all.pem"), join(folder, "all.p12")]
      execFileSync("openssl", ["pkcs12", "-export", "-in", input, "-out", output, "-passout", "pass:secret"])
      const server = await secure(resources, { requestCert: true, rejectUnauthorized: true, ca: cert })
      const options = { ca: server.cert, pfx: readFileSync(output), passphrase: "secret" }
      const socket = new WebSocket(`wss://localhost:${server.port}/`, options)
      assert.strictEqual((await once(socket, "message"))[0], "/")
      socket.terminate()
    })
  )

  it(
    "takes its connection from an agent",
    using(async (resources) => {
      const { server, url } = await serve(WebSocket, resources)
      const agent = new http.Agent()
      let made = 0
      const { createConnection } = agent
      agent.createConnection = (...args: Parameters<typeof createConnection>) => {
        made++
        return Reflect.apply(createConnection, agent, args)
      }
      const connected = connectionOf(server)
      const socket = new WebSocket(url, { agent })
      await connected
      assert.strictEqual(made, 1)
      socket.terminate()
    })
  )

  it(
    "connects to a Unix socket",
    using(async (resources) => {
      const folder = mkdtempSync(join(tmpdir(), "effect-ws-"))
      resources.add(() => rmSync(folder, { recursive: true }))
      const path = join(folder, "socket")
      const server = new WebSocket.Server({ port: path })
      resources.add(() => server.close())
      await once(server, "listening")
      const connected = connectionOf(server)
      const socket = new WebSocket(`ws+unix://${path}`)
      const theirs = await connected
      const message = once(socket, "message")
      theirs.send("hi")
      assert.strictEqual((await message)[0], "hi")
      socket.terminate()
    })
  )

  it("throws for what can't be asked", () => {
    for (const address of ["ftp://x", "ws://", "ws:x y", "ws://x/\r\n"]) {
      assert.throws(() => new WebSocket(address), "invalid url")
    }
    assert.throws(() => new WebSocket("ws://x", { protocolVersion: 12 as never }), "unsupported protocol version")
    assert.throws(() => new WebSocket("ws://x", { protocol: "not a token" }), /token/)
    assert.throws(() => new WebSocket("ws://x", { host: "a\r\nb" }), /Host/)
    assert.throws(() => new WebSocket("ws://x", { headers: { "X-One": "a\r\nb" } }), /X-One/)
    assert.throws(() => WebSocket.prototype.constructor("ws://x"), TypeError)
  })

  it(
    "tells one error, and nothing after it",
    using(async (resources) => {
      const web = await httpServer(resources)
      web.on("upgrade", (_, socket: net.Socket) => socket.end("HTTP/1.1 503 Busy\r\n\r\n"))
      const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}`)
      const events: Array<string> = []
      for (const event of ["open", "close", "message"]) socket.on(event, () => events.push(event))
      const failed = new Promise<void>((resolve) => {
        socket.on("error", (error) => {
          events.push(String(error))
          resolve()
        })
      })
      await failed
      await turn()
      await turn()
      assert.deepStrictEqual(events, ["Error: unexpected server response (503)"])
      assert.strictEqual(socket.readyState, WebSocket.CLOSED)
      assert.throws(() => socket.send("x"), "not opened")
    })
  )

  it(
    "is closed after a handshake that fails, and its transport too",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources, () => ["Sec-WebSocket-Accept: nonsense"])
      const socket = new WebSocket(url)
      assert.strictEqual(await errorOf(socket), "invalid server key")
      const [, peer] = await upgraded
      await peer.rest()
      assert.strictEqual(socket.readyState, WebSocket.CLOSED)
      assert.strictEqual(socket.listenerCount("error"), 0)
    })
  )

  it(
    "checks the answer of a Hixie-76 server, wherever it is cut",
    using(async (resources) => {
      const web = await httpServer(resources)
      const gone = new Promise<void>((resolve) => {
        web.once("upgrade", async (request: http.IncomingMessage, socket: net.Socket) => {
          socket.on("end", resolve)
          socket.resume()
          socket.write(`${hixieLines(request).join("\r\n")}\r\n\r\n12345678`)
          await turn()
          await turn()
          socket.write("90123456")
        })
      })
      const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}/`, { protocolVersion: "hixie-76" })
      assert.strictEqual(await errorOf(socket), "invalid server key")
      await gone

      web.once("upgrade", (request: http.IncomingMessage, socket: net.Socket) => {
        socket.resume()
        socket.end(`${hixieLines(request).join("\r\n")}\r\n\r\n12345678`)
      })
      const cut = new WebSocket(`ws://127.0.0.1:${portOf(web)}/`, { protocolVersion: "hixie-76" })
      assert.match(String(await errorOf(cut)), /socket hang up/)
    })
  )

  it(
    "refuses an extension that it didn't offer",
    using(async (resources) => {
      const { url } = await rawServer(resources, (_, accept) => [
        `Sec-WebSocket-Accept: ${accept}`,
        "Sec-WebSocket-Extensions: permessage-deflate"
      ])
      assert.match(String(await errorOf(new WebSocket(url))), /permessage-deflate/)
    })
  )

  it(
    "gives up in time when it was told how long opening may take",
    using(async (resources) => {
      const web = await httpServer(resources)
      web.on("upgrade", () => {})
      const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}`, { handshakeTimeout: 20 })
      assert.match(String(await errorOf(socket)), /timed out/)
      assert.strictEqual(socket.readyState, WebSocket.CLOSED)
    })
  )

  it(
    "drops the request when it is closed or terminated before it is open",
    using(async (resources) => {
      for (const end of ["close", "terminate"] as const) {
        const web = await httpServer(resources)
        const asked = once(web, "upgrade") as unknown as Promise<[http.IncomingMessage, net.Socket]>
        const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}`)
        const [, transport] = await asked
        const gone = once(transport.resume(), "end")
        socket[end]()
        assert.strictEqual(socket.readyState, WebSocket.CLOSED)
        await gone
      }
    })
  )

  it(
    "leaves the response to a listener of unexpected-response",
    using(async (resources) => {
      const web = await httpServer(resources, (_, response) => response.writeHead(404).end("what?"))
      web.on("upgrade", (_, socket: net.Socket) =>
        socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nwhat?")
      )
      const socket = new WebSocket(`ws://127.0.0.1:${portOf(web)}`)
      socket.on("error", () => assert.fail("an error"))
      const [request, response] = (await once(socket, "unexpected-response")) as unknown as [
        http.ClientRequest,
        http.IncomingMessage
      ]
      assert.strictEqual(request.method, "GET")
      let body = ""
      response.setEncoding("utf8").on("data", (text: string) => (body += text))
      await once(response, "end")
      assert.strictEqual(body, "what?")
    })
  )

  it(
    "keeps what comes before anybody listens, up to a limit",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      theirs.send("one")
      theirs.send(Buffer.from("two"))
      const pong = once(socket, "pong")
      socket.ping()
      await pong
      const messages: Array<unknown> = []
      socket.on("message", (data) => messages.push(data))
      const third = once(socket, "message")
      assert.deepStrictEqual(messages, [])
      await third
      assert.deepStrictEqual(messages, ["one", Buffer.from("two")])

      const late = await pair(WebSocket, resources)
      const size = 64 * 1024 - 64
      late.theirs.send("x".repeat(size))
      const first = once(late.socket, "pong")
      late.socket.ping()
      await first
      assert.strictEqual(((await once(late.socket, "message"))[0] as string).length, size)

      const over = await pair(WebSocket, resources)
      over.theirs.send("x".repeat(size + 1))
      const second = once(over.socket, "pong")
      over.socket.ping()
      await second
      const next = once(over.socket, "message")
      over.theirs.send("next")
      assert.deepStrictEqual((await next)[0], "next")
    })
  )
})

describe("a connection", () => {
  it(
    "counts the bytes that it read, those behind the handshake too",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources)
      const socket = new WebSocket(url)
      const [, peer] = await upgraded
      await once(socket, "open")
      assert.strictEqual(socket.bytesReceived, 0)
      const message = once(socket, "message")
      peer.write(Buffer.from([0x81, 2, 0x68, 0x69]))
      await message
      assert.strictEqual(socket.bytesReceived, 4)
      socket.terminate()
    })
  )

  it(
    "leaves messages as they were told, whatever comes after",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      const told: Array<Buffer> = []
      for (const fill of [1, 2, 3]) {
        const message = once(socket, "message")
        theirs.send(Buffer.alloc(16_384, fill))
        told.push((await message)[0] as Buffer)
      }
      for (const [index, data] of told.entries()) assert.isTrue(data.equals(Buffer.alloc(16_384, index + 1)))
      socket.terminate()
    })
  )

  it(
    "knows what waits to be written",
    using(async (resources) => {
      const { upgraded, url } = await rawServer(resources)
      const socket = new WebSocket(url)
      assert.strictEqual(socket.bufferedAmount, 0)
      const [, peer] = await upgraded
      peer.socket.pause()
      await once(socket, "open")
      const piece = Buffer.alloc(1024 * 1024)
      while (socket.bufferedAmount === 0) {
        socket.send(piece)
        await turn()
      }
      assert.isAbove(socket.bufferedAmount, 0)
      const closed = once(socket, "close")
      peer.socket.destroy()
      await closed
      assert.strictEqual(socket.bufferedAmount, 0)
    })
  )

  it(
    "has a transport while it lasts",
    using(async (resources) => {
      const { socket, theirs } = await pair(WebSocket, resources)
      const transport = theirs._socket as net.Socket
      assert.strictEqual(transport.remoteAddress, "127.0.0.1")
      for (const name of ["_sender", "_receiver", "_closeTimer"]) assert.notProperty(theirs, name)
      const closed = new Promise<unknown>((resolve) => {
        theirs.on("close", () => resolve(theirs._socket))
      })
      socket.close()
      assert.strictEqual(await closed, transport)
      await turn()
      assert.isNull(theirs._socket)
    })
  )

  it(
    "is made of a transport by hand",
    using(async (resources) => {
      const web = await httpServer(resources)
      const made = new Promise<Socket>((resolve) => {
        web.on("upgrade", (request, socket, head) => {
          socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
          resolve(new WebSocket([request, socket, head], { protocolVersion: 8, protocol: "mine" }))
        })
      })
      const request = http.request(`http://127.0.0.1:${portOf(web)}/by/hand`, {
        headers: { Upgrade: "websocket", Connection: "Upgrade" }
      })
      request.end()
      const [, transport] = (await once(request, "upgrade")) as unknown as [unknown, net.Socket]
      resources.add(() => transport.destroy())
      const socket = await made
      assert.deepStrictEqual(
        [socket.readyState, socket.protocolVersion, socket.protocol, socket.upgradeReq?.url],
        [WebSocket.OPEN, 8, "mine", "/by/hand"]
      )
      socket.send("hi")
      const [bytes] = await once(transport, "data")
      assert.deepStrictEqual(bytes, Buffer.from([0x81, 2, 0x68, 0x69]))
    })
  )
})
