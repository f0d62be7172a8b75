import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import type * as http from "node:http"
import * as Ws from "ws"
import { Running } from "./running.ts"
import { httpServer, portOf, type Resources, using } from "./support.ts"

/** A program as the original's README has it, but for the name in `require`. */
const program = (name: string): string => readFileSync(new URL(`programs/${name}.cjs`, import.meta.url), "utf8")

interface Message {
  readonly data: Buffer
  readonly isBinary: boolean
}

/** A server of `ws` 8 in the place of the host that a program connects to. */
const peer = async (
  resources: Resources
): Promise<{ url: string; connected: Promise<[Ws.WebSocket, http.IncomingMessage]>; server: Ws.WebSocketServer }> => {
  const web = await httpServer(resources)
  const server = new Ws.WebSocketServer({ server: web, perMessageDeflate: false })
  const connected = once(server, "connection") as Promise<[Ws.WebSocket, http.IncomingMessage]>
  return { url: `ws://127.0.0.1:${portOf(web)}/path`, connected, server }
}

const messageOf = async (socket: Ws.WebSocket): Promise<Message> => {
  const [data, isBinary] = (await once(socket, "message")) as [Buffer, boolean]
  return { data, isBinary }
}

/** A client of `ws` 8, and the first message that it gets. */
const client = async (
  resources: Resources,
  port: number,
  path = "/"
): Promise<{ socket: Ws.WebSocket; first: string }> => {
  const socket = new Ws.WebSocket(`ws://127.0.0.1:${port}${path}`)
  resources.add(() => socket.terminate())
  const { data } = await messageOf(socket)
  return { socket, first: data.toString() }
}

const host = "ws://www.host.com/path"

describe("programs of the original's README", () => {
  it(
    "text",
    using(async (resources) => {
      const { connected, url } = await peer(resources)
      const running = new Running(resources, program("text").replace(host, url))
      const [socket, request] = await connected
      const { data, isBinary } = await messageOf(socket)
      assert.deepStrictEqual([request.url, data.toString(), isBinary], ["/path", "something", false])
      socket.send("an answer")
      socket.ping()
      await once(socket, "pong")
      socket.close(1000)
      assert.strictEqual(await running.ended(), 0)
      assert.strictEqual(running.stderr, "")
    })
  )

  it(
    "binary, with a mask",
    using(async (resources) => {
      const { connected, url } = await peer(resources)
      const running = new Running(resources, program("binary").replace(host, url))
      const [socket] = await connected
      const { data, isBinary } = await messageOf(socket)
      const floats = Array.from({ length: 5 }, (_, index) => data.readFloatLE(4 * index))
      assert.deepStrictEqual([isBinary, data.length, floats], [true, 20, [0, 0.5, 1, 1.5, 2]])
      socket.close()
      assert.strictEqual(await running.ended(), 0)
      assert.strictEqual(running.stderr, "")
    })
  )

  it(
    "a server",
    using(async (resources) => {
      const running = new Running(resources, program("server").replace("8080", "0"))
      const { first, socket } = await client(resources, await running.port())
      assert.strictEqual(first, "something")
      socket.send("hello")
      await running.says(/^received: hello$/m)
    })
  )

  it(
    "a server that broadcasts",
    using(async (resources) => {
      const driver = "wss.on('connection', function() { if (wss.clients.length == 2) wss.broadcast('to all'); });"
      const running = new Running(resources, program("broadcast").replace("8080", "0") + driver)
      const port = await running.port()
      const one = client(resources, port)
      const two = client(resources, port)
      assert.deepStrictEqual([(await one).first, (await two).first], ["to all", "to all"])
    })
  )

  it(
    "three ways of handling errors, where there are none",
    using(async (resources) => {
      const { connected, url } = await peer(resources)
      const code = `var ws = new (require('effect-ws/ws/legacy'))('${url}');
        ws.on('open', function() { ${program("errors").replace("// if error is null", "console.log('error', error);//")} });`
      const running = new Running(resources, code)
      const [socket] = await connected
      const seen: Array<string> = []
      await new Promise<void>((resolve) => {
        socket.on("message", (data: Buffer) => {
          seen.push(data.toString())
          if (seen.length === 3) resolve()
        })
      })
      assert.deepStrictEqual(seen, ["something", "something", "something"])
      await running.says(/^error null$/m)
      socket.close()
      assert.strictEqual(await running.ended(), 0)
    })
  )

  it(
    "three ways of handling errors, before the connection is open",
    using(async (resources) => {
      const { url } = await peer(resources)
      const ways = program("errors").split("\n\n")
      const run = (way: string | undefined): Running =>
        new Running(resources, `var ws = new (require('effect-ws/ws/legacy'))('${url}');${way}\nprocess.exit()`)
      const unhandled = run(ways[0])
      const called = run(ways[1]?.replace("// if error is null", "console.log(error.message);//"))
      const caught = run(ways[2]?.replace("// handle error", "console.log(e.message)"))
      assert.strictEqual(await unhandled.ended(), 1)
      assert.match(unhandled.stderr, /Error: not opened/)
      await called.says(/^not opened$/m)
      await caught.says(/^not opened$/m)
    })
  )

  it(
    "the echo round trip with version 8",
    using(async (resources) => {
      const { connected, url } = await peer(resources)
      const running = new Running(resources, program("echo").replace("ws://echo.websocket.org/", url))
      const [socket, request] = await connected
      assert.deepStrictEqual(
        [request.headers["sec-websocket-version"], request.headers["sec-websocket-origin"]],
        ["8", "http://websocket.org"]
      )
      socket.on("message", (data: Buffer) => socket.send(data.toString()))
      await running.says(/^connected\nRoundtrip time: \d+ms \{\s+masked: false,\s+buffer: <Buffer [\d a-f]+>\s+\}$/m)
      await running.says(/Roundtrip time: [^]*Roundtrip time: /)
      socket.close()
      await running.says(/^disconnected$/m)
    })
  )

  it(
    "Express, with its HTTP server shared",
    using(async (resources) => {
      const running = new Running(resources, program("express").replace("4080", "0"))
      const port = await running.port()
      await running.says(new RegExp(`^Listening on ${port}$`, "m"))
      const response = await fetch(`http://127.0.0.1:${port}/anything`)
      assert.deepStrictEqual(await response.json(), { msg: "hello" })
      const { first, socket } = await client(resources, port, "/?access_token=1")
      assert.strictEqual(first, "something")
      socket.send("hello")
      await running.says(/^received: hello$/m)
    })
  )
})
