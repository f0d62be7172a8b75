/**
 * What programs of 2012 could see, as scripts that run with any implementation of the API: with `ws` 0.4.32 itself, whose
 * logs stand in `original.json`, and with this library.
 */
/* oxlint-disable unicorn/prefer-add-event-listener -- the properties are what is tested */
import type * as http from "node:http"
import type * as net from "node:net"
import { Readable } from "node:stream"
import {
  closeOf,
  connectionOf,
  type Library,
  once,
  pair,
  rawClient,
  rawServer,
  type Server,
  type ServerOptions,
  serve,
  type Socket
} from "./peers.ts"
import {
  hixieExample,
  hixieRequest,
  httpServer,
  masked,
  portOf,
  type Resources,
  turn,
  upgradeRequest
} from "./support.ts"

type Log = (...entry: Array<unknown>) => void

export type Scenario = (library: Library, log: Log, resources: Resources) => Promise<void>

const first = (): void => {}
const second = (): void => {}

/** What goes into a log: as it is, but for bytes and errors. */
export const plain = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return `<${Buffer.from(value).toString("hex")}>`
  if (value instanceof Error) return `Error: ${value.message}`
  if (Array.isArray(value)) return value.map(plain)
  if (value === undefined) return "undefined"
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
  }
  return value
}

const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  return "nothing thrown"
}

/** What a raw client gets after it sent bytes to a server that listens to everything. */
const punish =
  (bytes: Uint8Array): Scenario =>
  async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const socket = await connectionOf(server)
    socket.on("error", (...args: Array<unknown>) => log("error", args, socket.readyState))
    socket.on("message", (...args: Array<unknown>) => log("message", args))
    const closed = closeOf(socket)
    await raw.head()
    raw.write(bytes)
    const frame = await raw.frame()
    log("answer", frame?.opcode, frame?.payload)
    raw.socket.end()
    log("close", await closed)
  }

const status =
  (request: string, options: ServerOptions = {}): Scenario =>
  async (library, log, resources) => {
    const { port } = await serve(library, resources, options)
    const raw = await rawClient(resources, port, request)
    const [line] = await raw.head()
    log(line)
  }

/** What a client tells of a server that answers with these headers. */
const answered =
  (
    headers: (request: http.IncomingMessage, accept: string) => Array<string>,
    options: ConstructorParameters<Library>[1] = {}
  ): Scenario =>
  async (Library, log, resources) => {
    const { url } = await rawServer(resources, headers)
    const socket = new Library(url, options)
    const result = await new Promise<Array<unknown>>((resolve) => {
      socket.on("open", () => resolve(["open", socket.protocol]))
      socket.on("error", (...args: Array<unknown>) => resolve(["error", ...args]))
    })
    log(result)
    socket.terminate()
  }

/** The headers of a client's request. */
const requested =
  (options: ConstructorParameters<Library>[1], prefix = "", suffix = ""): Scenario =>
  async (Library, log, resources) => {
    const web = await httpServer(resources)
    const port = portOf(web)
    const upgrade = once(web, "upgrade") as unknown as Promise<[http.IncomingMessage, net.Socket]>
    const socket = new Library(`ws://${prefix}127.0.0.1:${port}${suffix}`, options)
    socket.on("error", () => {})
    const [request, transport] = await upgrade
    transport.destroy()
    const headers = Object.entries(request.headers)
      .filter(([name]) => name !== "sec-websocket-key")
      .map(([name, value]) => `${name}: ${String(value).replaceAll(String(port), "PORT")}`)
      .sort()
    log(request.url, headers)
  }

export const scenarios: Readonly<Record<string, Scenario>> = {
  "text both ways, and the states on the way": async (Library, log, resources) => {
    const { server, url } = await serve(Library, resources)
    const socket = new Library(`${url}/there?a=b`)
    log("new", socket.readyState, socket.protocolVersion, socket.supports, socket.url === `${url}/there?a=b`)
    const connected = connectionOf(server)
    socket.on("open", () => log("open", socket.readyState))
    const theirs = await connected
    log("connection", theirs.readyState, theirs.protocolVersion, theirs.upgradeReq?.url, server.clients.length)
    theirs.on("message", (...args: Array<unknown>) => {
      log("server message", args)
      theirs.send("and back")
    })
    if (socket.readyState !== 1) await once(socket, "open")
    socket.send("hello")
    const message = await once(socket, "message")
    log("client message", message, socket.bytesReceived, theirs.bytesReceived)
    const both = Promise.all([closeOf(theirs), closeOf(socket)])
    socket.close(3000, "enough")
    log("closing", socket.readyState)
    log("closed", await both, socket.readyState, theirs.readyState, server.clients.length)
  },

  "what can be sent": async (Library, log, resources) => {
    const { socket, theirs } = await pair(Library, resources)
    const words = new Uint16Array([1, 2, 3, 4])
    const data: Array<[string, never, object?]> = [
      ["string", "é" as never],
      ["empty", "" as never],
      ["null", null as never],
      ["undefined", undefined as never],
      ["zero", 0 as never],
      ["buffer", Buffer.from("ab") as never],
      ["array buffer", new Uint8Array([1, 2]).buffer as never],
      ["typed array", new Float32Array([0, 0.5]) as never],
      ["part of a typed array", words.subarray(1, 3) as never],
      ["data view", new DataView(Uint8Array.from([0x61, 0x62, 0x63]).buffer, 1) as never],
      ["array of bytes", [0x61, 0x62] as never],
      ["string as bytes", "ab" as never, { binary: true }],
      ["buffer as text", Buffer.from("ab") as never, { binary: false }],
      ["no options", "a" as never, null as never]
    ]
    for (const [what, value, options] of data) {
      const message = once(theirs, "message")
      if (options === undefined) socket.send(value)
      else socket.send(value, options)
      log(what, await message)
    }
  },

  "sends that can't be": async (Library, log, resources) => {
    const { server, url } = await serve(Library, resources)
    const connected = connectionOf(server)
    const socket = new Library(url)
    log(
      "connecting",
      thrown(() => socket.send("x"))
    )
    socket.send("x", (error) => log("callback", error))
    socket.send("x", {}, (error) => log("callback after options", error))
    log(
      thrown(() => socket.ping()),
      thrown(() => socket.pong()),
      thrown(() => socket.ping("x", {}, true))
    )
    log(
      thrown(() => socket.pause()),
      thrown(() => socket.resume())
    )
    log(thrown(() => (socket.stream as () => void)()))
    socket.stream((error) => log("stream", error))
    socket.stream({}, (error) => log("stream after options", error))
    const theirs = await connected
    const closed = Promise.all([closeOf(theirs), closeOf(socket)])
    socket.close()
    log(
      "closing",
      thrown(() => socket.send("x")),
      thrown(() => socket.ping())
    )
    await closed
    log(
      "closed",
      thrown(() => socket.send("x")),
      thrown(() => socket.ping("", {}, true)),
      thrown(() => socket.close()),
      thrown(() => socket.terminate())
    )
  },

  "a callback hears of a written message": async (Library, log, resources) => {
    const { socket } = await pair(Library, resources)
    log(await new Promise((resolve) => socket.send("x", (error) => resolve(error ?? "no error"))))
    log(await new Promise((resolve) => socket.send("x", { mask: true }, (error) => resolve(error ?? "no error"))))
  },

  "masks as told": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    await raw.head()
    theirs.send("a")
    theirs.send("b", { mask: true })
    theirs.send(Buffer.from("c"), { mask: true })
    theirs.ping("d")
    theirs.ping("e", { mask: true })
    theirs.pong("f", { mask: true })
    for (let count = 0; count < 6; count++) log("server", await raw.frame())
    const { upgraded, url } = await rawServer(resources)
    const socket = new library(url)
    const [, peer] = await upgraded
    await once(socket, "open")
    socket.send("a")
    socket.send("b", { mask: false })
    socket.send(Buffer.from("c"), { mask: false })
    socket.ping("d")
    socket.ping("e", { mask: false })
    for (let count = 0; count < 5; count++) log("client", await peer.frame())
    socket.terminate()
    theirs.terminate()
  },

  "pings and pongs": async (Library, log, resources) => {
    const { socket, theirs } = await pair(Library, resources)
    theirs.on("ping", (...args: Array<unknown>) => log("server ping", args))
    let pong = once(socket, "pong")
    socket.ping("hi")
    log("client pong", await pong)
    pong = once(socket, "pong")
    socket.ping(Buffer.from([1, 2]), { mask: true, binary: true })
    log("client pong", await pong)
    pong = once(socket, "pong")
    socket.ping()
    log("client pong", await pong)
    const unasked = once(theirs, "pong")
    socket.pong("unasked")
    log("server pong", await unasked)
  },

  "the server closes": async (Library, log, resources) => {
    const { socket, theirs } = await pair(Library, resources)
    const both = Promise.all([closeOf(theirs), closeOf(socket)])
    theirs.close(1001, "see you")
    log(await both)
  },

  "closes without a code": async (Library, log, resources) => {
    const { socket, theirs } = await pair(Library, resources)
    const both = Promise.all([closeOf(theirs), closeOf(socket)])
    socket.close()
    log(await both)
  },

  "the peer's close frame has no code": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    const closed = closeOf(theirs)
    raw.write(masked(8))
    raw.socket.end()
    log(await closed)
  },

  "a close frame is answered in kind": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    await connectionOf(server)
    await raw.head()
    raw.write(masked(8, Buffer.from([0x0b, 0xb8, 0x68, 0x69])))
    log(await raw.frame())
  },

  "the peer is gone": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    theirs.on("error", (...args: Array<unknown>) => log("error", args))
    const closed = closeOf(theirs)
    raw.socket.resetAndDestroy()
    log(await closed, theirs.readyState)
  },

  "a close code that is none": async (Library, log, resources) => {
    const { socket } = await pair(Library, resources)
    const closed = closeOf(socket)
    socket.on("error", (error) => log("error", error, socket.readyState))
    socket.close(999, "x")
    await closed
  },

  "closes while connecting": async (Library, log, resources) => {
    const { url } = await serve(Library, resources)
    const socket = new Library(url)
    socket.on("error", (error) => log("error", error))
    socket.on("open", () => log("open"))
    const closed = closeOf(socket)
    socket.close(1000, "never mind")
    log(socket.readyState)
    log(await closed, socket.readyState)
  },

  "terminates while connecting": async (Library, log, resources) => {
    const { url } = await serve(Library, resources)
    const socket = new Library(url)
    for (const event of ["open", "close", "error"]) socket.on(event, () => log(event))
    socket.terminate()
    log(socket.readyState, socket.listeners("close").length)
  },

  "listens after terminating while connecting": async (Library, log, resources) => {
    const { url } = await serve(Library, resources)
    const socket = new Library(url)
    for (const event of ["open", "close", "error"]) socket.on(event, () => log("before", event))
    socket.terminate()
    for (const event of ["open", "error"]) socket.on(event, () => log("after", event))
    await new Promise<void>((resolve) => {
      socket.on("close", (...args: Array<unknown>) => {
        log("after", "close", args, socket.readyState)
        resolve()
      })
    })
    log(socket.listeners("close").length)
  },

  "terminates what was sent before": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    await raw.head()
    const closed = closeOf(theirs)
    theirs.send("last words")
    theirs.terminate()
    log(await raw.frame(), await raw.rest())
    raw.socket.end()
    log(await closed, theirs.readyState)
  },

  "listeners go when it is over": async (Library, log, resources) => {
    const { socket } = await pair(Library, resources)
    socket.on("message", () => {})
    const closed = closeOf(socket)
    socket.close()
    await closed
    await turn()
    log(socket.listeners("message").length, socket.listeners("close").length)
  },

  "event objects": async (Library, log, resources) => {
    const { server, url } = await serve(Library, resources)
    server.on("connection", (theirs) => {
      theirs.send("text")
      theirs.send(Buffer.from([7]))
      theirs.close(1001, "bye")
    })
    const socket = new Library(url)
    const isTarget = (event: { readonly target: unknown }): boolean => event.target === socket
    const messages: Array<unknown> = []
    socket.addEventListener("open", function (this: unknown, event) {
      log("open", isTarget(event), Object.keys(event), this === socket)
    })
    socket.onmessage = (event: { data: unknown; type: unknown; target: unknown }) => {
      messages.push([event.data, event.type, isTarget(event)])
    }
    const end = new Promise<void>((resolve) => {
      socket.onclose = (event: { wasClean: unknown; code: unknown; reason: unknown; target: unknown }) => {
        log("close", event.wasClean, event.code, event.reason, isTarget(event))
        resolve()
      }
    })
    await end
    log("messages", messages)
  },

  "on… takes the place of every listener": async (Library, log, resources) => {
    const { url } = await serve(Library, resources)
    const socket = new Library(url)
    log(socket.onmessage === undefined)
    socket.on("message", first)
    log(socket.onmessage === first)
    socket.onmessage = second
    log(socket.onmessage === second, socket.listeners("message").length)
    socket.addEventListener("message", first)
    log(socket.onmessage === second, socket.listeners("message").length)
    socket.onmessage = null
    log(socket.onmessage === undefined, socket.listeners("message").length)
    socket.terminate()
  },

  "an error knows its target": async (Library, log, resources) => {
    const web = await httpServer(resources)
    const port = portOf(web)
    web.close()
    await once(web, "close")
    const socket = new Library(`ws://127.0.0.1:${port}`)
    const event = await new Promise<Error & { target?: unknown; code?: unknown }>((resolve) => {
      socket.onerror = (error: Error) => {
        log(socket.readyState)
        resolve(error)
      }
    })
    await turn()
    log(event instanceof Error, event.code, event.target === socket, socket.readyState)
  },

  "a server that refuses": async (Library, log, resources) => {
    const web = await httpServer(resources)
    web.on("upgrade", (_, socket: net.Socket) => socket.end("HTTP/1.1 401 Unauthorized\r\nX-Why: no\r\n\r\n"))
    const url = `ws://127.0.0.1:${portOf(web)}`
    const first = new Library(url)
    log(await once(first, "error"))
    const second = new Library(url)
    const [, response] = (await once(second, "unexpected-response")) as unknown as [unknown, http.IncomingMessage]
    log("response", response.statusCode, response.headers["x-why"])
    await turn()
    log(first.readyState, second.readyState)
    response.resume()
  },

  "a key that doesn't match": answered(() => ["Sec-WebSocket-Accept: CxYS6+NgJSBG74mdgLvGscRvpns="]),
  "no key at all": answered(() => []),
  "a subprotocol that nobody asked for": answered((_, accept) => [
    `Sec-WebSocket-Accept: ${accept}`,
    "Sec-WebSocket-Protocol: one"
  ]),
  "no subprotocol though one was asked for": answered((_, accept) => [`Sec-WebSocket-Accept: ${accept}`], {
    protocol: "one"
  }),
  "a subprotocol of another list": answered(
    (_, accept) => [`Sec-WebSocket-Accept: ${accept}`, "Sec-WebSocket-Protocol: three"],
    { protocol: "one, two" }
  ),
  "a subprotocol of the list": answered(
    (_, accept) => [`Sec-WebSocket-Accept: ${accept}`, "Sec-WebSocket-Protocol: two"],
    { protocol: "one, two" }
  ),

  "asks by default": requested({}),
  "asks with version 8": requested({ protocolVersion: 8 }),
  "asks with an origin": requested({ origin: "http://a.example" }),
  "asks with version 8 and an origin": requested({ protocolVersion: 8, origin: "http://a.example" }),
  "asks with a host": requested({ host: "b.example" }),
  "asks with headers": requested({ headers: { "X-One": "1", Host: "c.example", origin: "http://d.example" } }),
  "asks with a subprotocol": requested({ protocol: "one, two" }),
  "asks with a user": requested({}, "user:pass@"),
  "asks for a path": requested({}, "", "/a/b?c=d"),
  "asks for a path with a fragment": requested({}, "", "/a#b"),
  "asks with overridden handshake headers": requested({ headers: { "Sec-WebSocket-Protocol": "mine" } }),

  "addresses that are none": async (Library, log) => {
    log(thrown(() => new Library("echo.example.org")))
    log(thrown(() => new Library("")))
    log(thrown(() => new Library("ws://x", { protocolVersion: 9 as never })))
    log(thrown(() => new Library.Server({})))
    log(thrown(() => new (Library.Server as new () => unknown)()))
    log(thrown(() => new Library.Server({ port: null, server: null })))
  },

  "connect and createServer": async (Library, log, resources) => {
    const web = await httpServer(resources)
    const server = Library.createServer({ server: web }, (theirs) => theirs.send("welcome"))
    log(server instanceof Library.Server)
    const socket = Library.connect(`ws://127.0.0.1:${portOf(web)}`, () => log("open"))
    log(socket instanceof Library, Library.connect === Library.createConnection)
    log((await once(socket, "message"))[0])
    socket.terminate()
  },

  "names of the states": async (Library, log) => {
    const { prototype } = Library as { prototype: Socket }
    log(Library.CONNECTING, Library.OPEN, Library.CLOSING, Library.CLOSED)
    log(prototype.CONNECTING, prototype.OPEN, prototype.CLOSING, prototype.CLOSED)
  },

  "inherited from without class": async (Library, log, resources) => {
    const { url } = await serve(Library, resources)
    const Mine = function (this: Socket, address: string) {
      Reflect.apply(Library as unknown as (address: string) => void, this, [address])
    } as unknown as new (address: string) => Socket
    Object.setPrototypeOf(Mine.prototype, Library.prototype as object)
    const socket = new Mine(url)
    await once(socket, "open")
    log(socket instanceof Library, socket.readyState)
    socket.terminate()
    const Theirs = function (this: Server) {
      Reflect.apply(Library.Server as unknown as (options: object) => void, this, [{ noServer: true }])
    } as unknown as new () => Server
    Object.setPrototypeOf(Theirs.prototype, Library.Server.prototype as object)
    log(new Theirs() instanceof Library.Server, new Theirs().options.noServer)
  },

  "connection events in their order": async (Library, log, resources) => {
    const { server, url } = await serve(Library, resources)
    server.on("connection/chat?x=1", () => log("connection of the target"))
    const end = new Promise<void>((resolve) => {
      server.on("connection", () => {
        log("connection")
        resolve()
      })
    })
    server.on("headers", (lines: Array<string>) => {
      log("headers", [...lines])
      lines.push("X-Extra: 1")
    })
    const raw = await rawClient(resources, Number(new URL(url).port), upgradeRequest("/chat?x=1"))
    log((await raw.head()).includes("X-Extra: 1"))
    await end
  },

  "clients are kept": async (Library, log, resources) => {
    const counts: Array<unknown> = []
    const { server, socket, theirs } = await pair(Library, resources)
    counts.push(Array.isArray(server.clients), server.clients.length, server.clients[0] === theirs)
    const closed = new Promise<void>((resolve) => {
      theirs.on("close", () => {
        counts.push(server.clients.length)
        resolve()
      })
    })
    socket.close()
    await closed
    log(counts)
  },

  "clients are not kept": async (Library, log, resources) => {
    const { server, url } = await serve(Library, resources, { clientTracking: false })
    const connected = connectionOf(server)
    const socket = new Library(url)
    await connected
    log(server.clients.length)
    socket.terminate()
  },

  "the path of a server": async (Library, log, resources) => {
    const web = await httpServer(resources)
    const port = portOf(web)
    const one = new Library.Server({ server: web, path: "/one" })
    const two = new Library.Server({ server: web, path: "/two" })
    log(thrown(() => new Library.Server({ server: web, path: "/one" })))
    const taken = (): unknown => Object.keys(Reflect.get(web, "_webSocketPaths") ?? {})
    log(taken())
    one.on("connection", () => log("one"))
    two.on("connection", () => log("two"))
    const first = new Library(`ws://127.0.0.1:${port}/one?x`)
    await once(first, "open")
    const second = new Library(`ws://127.0.0.1:${port}/two`)
    await once(second, "open")
    log(one.path, two.options.path)
    one.close()
    log(taken())
    log(thrown(() => void new Library.Server({ server: web, path: "/one" }).close()))
    two.close()
    log(typeof Reflect.get(web, "_webSocketPaths"))
    first.terminate()
    second.terminate()
  },

  "the options of a server": async (Library, log) => {
    const { options } = new Library.Server({ noServer: true, path: "/x", unknown: 1 } as never)
    const { clientTracking, disableHixie, handleProtocols, host, noServer, path, port, server, verifyClient } = options
    log({ clientTracking, disableHixie, handleProtocols, host, noServer, path, port, server, verifyClient })
    log("unknown" in options)
  },

  "a plain request": async (Library, log, resources) => {
    const server = new Library.Server({ port: 0, host: "127.0.0.1" })
    await once(server, "listening")
    resources.add(() => server.close())
    const { port } = (server as unknown as { _server: net.Server })._server.address() as net.AddressInfo
    const response = await fetch(`http://127.0.0.1:${port}/`)
    log(response.status, response.headers.get("content-type"), await response.text())
  },

  "by hand": async (Library, log, resources) => {
    const web = await httpServer(resources)
    const server = new Library.Server({ noServer: true })
    web.on("upgrade", (request, socket, head) =>
      server.handleUpgrade(request, socket, head, (theirs) => {
        log("callback", theirs instanceof Library, server.clients.length)
        theirs.send("by hand")
      })
    )
    const socket = new Library(`ws://127.0.0.1:${portOf(web)}`)
    log((await once(socket, "message"))[0])
    socket.terminate()
  },

  "no key in the request": status(upgradeRequest("/", { "Sec-WebSocket-Key": undefined })),
  "no version in the request": status(upgradeRequest("/", { "Sec-WebSocket-Version": undefined })),
  "version 14": status(upgradeRequest("/", { "Sec-WebSocket-Version": "14" })),
  "an upgrade to something else": status(upgradeRequest("/", { Upgrade: "h2c" })),
  "version 8": status(upgradeRequest("/", { "Sec-WebSocket-Version": "8" })),

  "verifyClient says no": status(upgradeRequest(), { verifyClient: (_info: unknown) => false }),
  "verifyClient says yes": status(upgradeRequest(), { verifyClient: (_info: unknown) => true }),
  "verifyClient without a parameter": status(upgradeRequest(), { verifyClient: () => false }),
  "verifyClient calls back no": status(upgradeRequest(), {
    verifyClient: (_info: unknown, cb: (result: boolean) => void) => process.nextTick(cb, false)
  }),
  "verifyClient calls back yes": status(upgradeRequest(), {
    verifyClient: (_info: unknown, cb: (result: boolean) => void) => process.nextTick(cb, true)
  }),
  "verifyClient calls back a code": status(upgradeRequest(), {
    verifyClient: (_info: unknown, cb: (result: boolean, code: number) => void) => cb(false, 404)
  }),
  "verifyClient calls back a code and a name": status(upgradeRequest(), {
    verifyClient: (_info: unknown, cb: (result: boolean, code: number, name: string) => void) => cb(false, 404, "Nope")
  }),
  "verifyClient with three parameters": status(upgradeRequest(), {
    verifyClient: ((_info: unknown, _b: unknown, _c: unknown) => true) as never
  }),

  "what verifyClient is told": async (Library, log, resources) => {
    const seen: Array<unknown> = []
    const { port } = await serve(Library, resources, {
      verifyClient: (info: { origin: unknown; secure: unknown; req: http.IncomingMessage }) => {
        seen.push([info.origin, info.secure, info.req.url])
        return true
      }
    })
    const requests = [
      upgradeRequest("/13", { Origin: "http://a.example" }),
      upgradeRequest("/8", { "Sec-WebSocket-Version": "8", "Sec-WebSocket-Origin": "http://b.example" }),
      upgradeRequest("/none")
    ]
    for (const request of requests) await (await rawClient(resources, port, request)).head()
    log(seen)
  },

  "the first subprotocol is accepted": async (Library, log, resources) => {
    const { port, server } = await serve(Library, resources)
    const connected = connectionOf(server)
    const raw = await rawClient(resources, port, upgradeRequest("/", { "Sec-WebSocket-Protocol": "one, two" }))
    log((await raw.head()).filter((line) => line.startsWith("Sec-WebSocket-Protocol")))
    log((await connected).protocol)
  },

  "handleProtocols chooses": async (Library, log, resources) => {
    const { port, server } = await serve(Library, resources, {
      handleProtocols: (list, cb) => {
        log(list)
        cb(true, list[1])
      }
    })
    const connected = connectionOf(server)
    const raw = await rawClient(resources, port, upgradeRequest("/", { "Sec-WebSocket-Protocol": "one, two" }))
    log((await raw.head()).filter((line) => line.startsWith("Sec-WebSocket-Protocol")))
    log((await connected).protocol)
  },

  "handleProtocols without subprotocols": async (Library, log, resources) => {
    const { port, server } = await serve(Library, resources, {
      handleProtocols: (list, cb) => {
        log(list)
        cb(true)
      }
    })
    const connected = connectionOf(server)
    await rawClient(resources, port)
    log((await connected).protocol)
  },

  "handleProtocols says no": status(upgradeRequest(), { handleProtocols: (_, cb) => cb(false) }),
  "handleProtocols says nothing": status(upgradeRequest(), { handleProtocols: () => {} }),

  "reserved bits": punish(Buffer.from([0xc1, 0x80, 0, 0, 0, 0])),
  "a reserved opcode": punish(masked(3)),
  "a reserved control opcode": punish(masked(11)),
  "a continuation of nothing": punish(masked(0)),
  "a message in a message": punish(Buffer.concat([masked(1, "a", false), masked(1, "b")])),
  "a ping in fragments": punish(masked(9, "", false)),
  "a pong in fragments": punish(masked(10, "", false)),
  "a close frame in fragments": punish(masked(8, "", false)),
  "a long ping": punish(masked(9, Buffer.alloc(126))),
  "a close frame of one byte": punish(masked(8, "x")),
  "a close code that may not travel": punish(masked(8, Buffer.from([0x03, 0xed]))),
  "a message before the fault": punish(Buffer.concat([masked(1, "fine"), masked(3)])),

  "fragments are put together": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    theirs.on("ping", (...args: Array<unknown>) => log("ping", args))
    let message = once(theirs, "message")
    raw.write(Buffer.concat([masked(1, "Hel", false), masked(9, "p"), masked(0, "lo")]))
    log(await message)
    message = once(theirs, "message")
    raw.write(Buffer.concat([masked(2, "ab", false), masked(0, "", false), masked(0, "cd")]))
    log(await message)
  },

  "a message in pieces": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    await raw.head()
    const pieces = ["a", "b", "c"]
    theirs.stream((error, send) => {
      if (error) return log("error", error)
      const piece = pieces.shift()
      send(piece, pieces.length === 0)
      return undefined
    })
    theirs.send("after", (error) => log("after sent", error ?? "no error"))
    theirs.stream({ binary: true, mask: true }, (_, send) => send(Buffer.from("z"), true))
    for (let count = 0; count < 5; count++) log(await raw.frame())
    await turn()
  },

  "a stream as a message": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    await raw.head()
    const done = new Promise<void>((resolve) => {
      theirs.send(Readable.from([Buffer.from("one"), Buffer.from("two")]), { binary: true }, (error) => {
        log("done", error ?? "no error")
        resolve()
      })
    })
    theirs.send("after")
    for (let count = 0; count < 4; count++) log(await raw.frame())
    await done
  },

  "pauses and resumes": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const raw = await rawClient(resources, port)
    const theirs = await connectionOf(server)
    const messages: Array<unknown> = []
    theirs.on("message", (data) => messages.push(data))
    theirs.pause()
    raw.write(masked(1, "waits"))
    await new Promise((resolve) => setTimeout(resolve, 50))
    log(messages)
    const message = once(theirs, "message")
    theirs.resume()
    await message
    log(messages)
  },

  "hixie-76": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const connected = connectionOf(server)
    const raw = await rawClient(
      resources,
      port,
      hixieRequest("/demo", { "Sec-WebSocket-Protocol": "one, two" }) + hixieExample.key3
    )
    const head = await raw.head()
    log(head.slice(1).sort())
    await raw.read(16)
    const theirs = await connected
    log(theirs.protocolVersion, theirs.supports, theirs.protocol, theirs.upgradeReq?.url)
    const message = once(theirs, "message")
    raw.write(Buffer.from("\0caf\xc3\xa9\xff", "latin1"))
    log(await message)
    theirs.send("Größe")
    log(await raw.read(9))
    const closed = closeOf(theirs)
    theirs.close(1001, "bye")
    log(await raw.read(2))
    raw.write(Buffer.from([0xff, 0]))
    raw.socket.end()
    log(await closed)
  },

  "hixie-76: the client closes": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const connected = connectionOf(server)
    const raw = await rawClient(resources, port, hixieRequest() + hixieExample.key3)
    await raw.head()
    await raw.read(16)
    const theirs = await connected
    const closed = closeOf(theirs)
    raw.write(Buffer.from([0xff, 0]))
    log(await raw.rest())
    raw.socket.end()
    log(await closed)
  },

  "hixie-76: the bytes behind the head come later": async (library, log, resources) => {
    const { port, server } = await serve(library, resources)
    const message = new Promise<Array<unknown>>((resolve) => {
      server.on("connection", (theirs) => theirs.on("message", (...args: Array<unknown>) => resolve(args)))
    })
    const raw = await rawClient(resources, port, hixieRequest())
    await turn()
    raw.write(hixieExample.key3.slice(0, 3))
    await turn()
    raw.write(`${hixieExample.key3.slice(3)}\0hi`)
    raw.write(Buffer.from([0xff]))
    await raw.head()
    log((await raw.read(16)).length, await message)
  },

  "hixie-76 behind a proxy": async (library, log, resources) => {
    const { port } = await serve(library, resources)
    const request = hixieRequest("/x", { "X-Forwarded-Host": "out.example", "X-Forwarded-Proto": "https" })
    const raw = await rawClient(resources, port, request + hixieExample.key3)
    log((await raw.head()).filter((line) => line.startsWith("Sec-WebSocket-Location")))
  },

  "hixie-76 refused": status(hixieRequest() + hixieExample.key3, { disableHixie: true }),
  "hixie-76 without its second key": status(hixieRequest("/", { "Sec-WebSocket-Key2": undefined }) + hixieExample.key3),
  "hixie-76 and verifyClient": status(hixieRequest() + hixieExample.key3, {
    verifyClient: (_info: unknown, cb: (result: boolean, code: number) => void) => cb(false, 403)
  })
}
