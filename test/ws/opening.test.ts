// The opening handshake, both sides, over requests and responses that are right and wrong.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { describe } from "@effect/vitest"
import { once } from "node:events"
import * as http from "node:http"
import * as https from "node:https"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeCertificate } from "../support/certificate.ts"
import type { ClientOptions, ServerOptions, WebSocket, WebSocketServer } from "ws"
import {
  acceptance,
  attempt,
  closed,
  type Lab,
  plain,
  requestHead,
  same,
  sameEach,
  type Script,
  settled
} from "./lab.ts"

/** Sends one request to a server, and logs the answer and the server's events. */
const ask =
  (
    head: string,
    options: ServerOptions = {},
    prepare: (lab: Lab, server: WebSocketServer) => void = () => {}
  ): Script =>
  async (lab) => {
    const { port, server } = await lab.server(options)
    server.on("connection", (socket, request) =>
      lab.note("connection", socket.protocol, socket.extensions, socket.readyState, request.url)
    )
    server.on("headers", (headers, request) => lab.note("headers", headers, request.url))
    prepare(lab, server)
    const raw = await lab.rawClient(port, head)
    await settled(5)
    lab.note("head", raw.head.replace(/^date:.*\r?\n?/im, ""), raw.bytes)
    raw.socket.destroy()
  }

const without = (name: string, head = requestHead()): string => head.replace(new RegExp(`^${name}:.*\r\n`, "im"), "")

const withField = (name: string, value: string): string =>
  requestHead().replace(new RegExp(`^${name}:.*$`, "im"), `${name}: ${value}`)

describe("a server's answer", () => {
  sameEach("to requests that are right, or nearly [option:path] [server-event:connection] [server-event:headers]", [
    ["plain", ask(requestHead())],
    ["version 8", ask(withField("Sec-WebSocket-Version", "8"))],
    ["version 7", ask(withField("Sec-WebSocket-Version", "7"))],
    ["version 013", ask(withField("Sec-WebSocket-Version", "013"))],
    ["no version", ask(without("Sec-WebSocket-Version"))],
    ["version 14", ask(withField("Sec-WebSocket-Version", "14"))],
    ["no key", ask(without("Sec-WebSocket-Key"))],
    ["a key too short", ask(withField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"))],
    ["a key of other characters", ask(withField("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25_ZQ=="))],
    ["an upgrade in capitals", ask(withField("Upgrade", "WebSocket"))],
    ["another upgrade", ask(withField("Upgrade", "h2c"))],
    ["two upgrades", ask(withField("Upgrade", "websocket, h2c"))],
    ["no upgrade", ask(without("Upgrade"))],
    ["POST", ask(requestHead([], "POST / HTTP/1.1"))],
    ["HTTP/1.0", ask(requestHead([], "GET / HTTP/1.0"))],
    ["no host", ask(without("Host"))],
    ["a plain request", ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["a path", ask(requestHead([], "GET /there?x=1 HTTP/1.1"), { path: "/there" })],
    ["another path", ask(requestHead([], "GET /elsewhere HTTP/1.1"), { path: "/there" })],
    ["a longer path", ask(requestHead([], "GET /there/ HTTP/1.1"), { path: "/there" })]
  ])
  sameEach("to subprotocols [option:handleProtocols] [property:protocol]", [
    ["one", ask(requestHead(["Sec-WebSocket-Protocol: a"]))],
    ["several", ask(requestHead(["Sec-WebSocket-Protocol: a, b"]))],
    ["one that is no token", ask(requestHead(["Sec-WebSocket-Protocol: a/b"]))],
    ["twice the same", ask(requestHead(["Sec-WebSocket-Protocol: a, a"]))],
    ["none", ask(requestHead(["Sec-WebSocket-Protocol:"]))],
    ["a comma alone", ask(requestHead(["Sec-WebSocket-Protocol: ,"]))],
    ["in two fields", ask(requestHead(["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b"]))],
    [
      "chosen",
      ask(requestHead(["Sec-WebSocket-Protocol: a, b"]), { handleProtocols: (all) => [...all].at(-1) ?? false })
    ],
    ["not chosen", ask(requestHead(["Sec-WebSocket-Protocol: a, b"]), { handleProtocols: () => false })],
    ["not offered", ask(requestHead(), { handleProtocols: () => "b" })]
  ])
  const offers = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=8",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; unknown",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10, permessage-deflate",
    'permessage-deflate; client_max_window_bits="12"',
    "foo, bar; baz=1",
    "foo; x, permessage-deflate",
    "permessage-deflate; =",
    ""
  ]
  const settings: { readonly [name: string]: ServerOptions["perMessageDeflate"] } = {
    off: false,
    on: true,
    "no takeover": { serverNoContextTakeover: true, clientNoContextTakeover: true },
    "takeover by all means": { serverNoContextTakeover: false },
    "windows of 10 bits": { serverMaxWindowBits: 10, clientMaxWindowBits: 10 },
    "a window of 9 bits": { clientMaxWindowBits: 9 }
  }
  sameEach(
    "to extensions [option:perMessageDeflate] [property:extensions] [deflate:serverNoContextTakeover] [deflate:serverMaxWindowBits]",
    Object.entries(settings).flatMap(([name, perMessageDeflate]) =>
      offers.map(
        (offer) =>
          [
            `${name}: ${offer}`,
            ask(
              requestHead([`Sec-WebSocket-Extensions: ${offer}`]),
              perMessageDeflate === undefined ? {} : { perMessageDeflate }
            )
          ] as const
      )
    )
  )
  sameEach("when clients are verified [option:verifyClient]", [
    [
      "granted",
      ask(requestHead(["Origin: http://a"]), {
        verifyClient: (info: { origin: string; secure: boolean }) => info.origin === "http://a" && !info.secure
      })
    ],
    ["refused", ask(requestHead(), { verifyClient: () => false })],
    [
      "without an origin",
      ask(requestHead(), { verifyClient: (info: { origin: string }) => info.origin === undefined })
    ],
    [
      "the origin of version 8",
      ask(
        withField("Sec-WebSocket-Version", "8").replace(
          "\r\n\r\n",
          "\r\nSec-WebSocket-Origin: http://b\r\nOrigin: http://c\r\n\r\n"
        ),
        { verifyClient: (info: { origin: string }) => info.origin === "http://b" }
      )
    ],
    ["granted later", ask(requestHead(), { verifyClient: (_, done) => void setImmediate(() => done(true)) })],
    ["refused later", ask(requestHead(), { verifyClient: (_, done) => void setImmediate(() => done(false)) })],
    ["with a status", ask(requestHead(), { verifyClient: (_, done) => done(false, 404) })],
    [
      "with everything",
      ask(requestHead(), {
        verifyClient: (_, done) => done(false, 429, "slow down", { "Retry-After": 120, "Content-Type": "text/plain" })
      })
    ],
    ["with an odd status", ask(requestHead(), { verifyClient: (_, done) => done(false, 599, "so") })]
  ])
  sameEach("as listeners shape it [server-event:wsClientError] [server-event:headers]", [
    [
      "headers added",
      ask(requestHead(), {}, (_, server) => server.on("headers", (headers) => headers.push("X-More: 1")))
    ],
    [
      "a broken request",
      ask(without("Sec-WebSocket-Key"), {}, (lab, server) =>
        server.on("wsClientError", (error, socket, request) => {
          lab.note("wsClientError", error, request.method)
          socket.end("HTTP/1.1 418 Teapot\r\n\r\n")
        })
      )
    ],
    [
      "a wrong path is none",
      ask(requestHead(), { path: "/x" }, (lab, server) =>
        server.on("wsClientError", (error) => lab.note("wsClientError", error))
      )
    ]
  ])
})

/** Connects to a bare server that answers so, and logs the client's events. */
const connect =
  (answer: (head: string) => string, options: ClientOptions = {}, protocols: Array<string> = []): Script =>
  async (lab) => {
    const port = await lab.rawServer((raw) => raw.socket.end(answer(raw.head)))
    const client = lab.observe(lab.client(port, options, protocols), "client", "open", "close", "error", "upgrade")
    await closed(client)
    lab.note(client.protocol, client.extensions)
  }

const replaced =
  (name: string, value: string | undefined) =>
  (head: string): string =>
    acceptance(head).replace(new RegExp(`^${name}:.*\r\n`, "im"), value === undefined ? "" : `${name}: ${value}\r\n`)

describe("a client, by the response [event:open] [event:upgrade]", () => {
  sameEach("that is right, or nearly", [
    ["right", connect((head) => acceptance(head))],
    ["upgrade in capitals", connect(replaced("Upgrade", "WebSocket"))],
    ["another upgrade", connect(replaced("Upgrade", "foo"))],
    ["no accept", connect(replaced("Sec-WebSocket-Accept", undefined))],
    ["another accept", connect(replaced("Sec-WebSocket-Accept", "CxYS6+NgJSBG74mdgLvGscRvpns="))],
    ["a subprotocol nobody asked for", connect((head) => acceptance(head, ["Sec-WebSocket-Protocol: a"]))],
    ["no subprotocol", connect((head) => acceptance(head), {}, ["a", "b"])],
    ["the second", connect((head) => acceptance(head, ["Sec-WebSocket-Protocol: b"]), {}, ["a", "b"])],
    ["another one", connect((head) => acceptance(head, ["Sec-WebSocket-Protocol: c"]), {}, ["a", "b"])],
    ["an empty one", connect((head) => acceptance(head, ["Sec-WebSocket-Protocol:"]), {}, ["a"])],
    [
      "extensions nobody asked for",
      connect((head) => acceptance(head, ["Sec-WebSocket-Extensions: permessage-deflate"]), {
        perMessageDeflate: false
      })
    ]
  ])
  const answers = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits=10",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; server_max_window_bits=10",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; unknown=1",
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate, permessage-deflate",
    "permessage-deflate, foo",
    "foo",
    "permessage-deflate;",
    ""
  ]
  const settings: { readonly [name: string]: ClientOptions["perMessageDeflate"] } = {
    on: true,
    "no takeover": { clientNoContextTakeover: true, serverNoContextTakeover: true },
    "takeover by all means": { clientNoContextTakeover: false },
    "a window of 9 bits": { clientMaxWindowBits: 9 }
  }
  sameEach(
    "with extensions [deflate:clientNoContextTakeover] [deflate:clientMaxWindowBits]",
    Object.entries(settings).flatMap(([name, perMessageDeflate]) =>
      answers.map(
        (answer) =>
          [
            `${name}: ${answer}`,
            connect(
              (head) => acceptance(head, [`Sec-WebSocket-Extensions: ${answer}`]),
              perMessageDeflate === undefined ? {} : { perMessageDeflate }
            )
          ] as const
      )
    )
  )
  const plainAnswer =
    (status: string, ...fields: ReadonlyArray<string>) =>
    (): string =>
      ["HTTP/1.1 " + status, ...fields, "Content-Length: 2", "Connection: close", "", "no"].join("\r\n")
  sameEach("that is another one [event:unexpected-response] [event:error]", [
    ["404", connect(plainAnswer("404 Not Found"))],
    ["200", connect(plainAnswer("200 OK"))],
    ["a redirect that isn't followed", connect(plainAnswer("302 Found", "Location: ws://localhost/"))],
    ["no HTTP", connect(() => "hello\r\n\r\n")],
    ["nothing", connect(() => "")],
    ["half a head", connect(() => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: web")]
  ])
  same("unexpected-response: a listener has the response for itself", async (lab) => {
    const { port } = await lab.http((_, response) => response.writeHead(401, { "X-Why": "so" }).end("no"))
    const client = lab.observe(lab.client(port), "client")
    const [request, response] = (await once(client, "unexpected-response")) as [
      http.ClientRequest,
      http.IncomingMessage
    ]
    lab.note(response.statusCode, response.headers["x-why"], request.path, client.readyState)
    for await (const chunk of response) lab.note(chunk)
    lab.note(client.readyState)
    client.close()
    lab.note(client.readyState)
    await closed(client)
  })
})

describe("a client's request", () => {
  /** Logs the head of the request. */
  const request =
    (options: ClientOptions = {}, protocols: Array<string> = []): Script =>
    async (lab) => {
      const port = await lab.rawServer((raw) => {
        lab.note(
          raw.head
            .replace(/^sec-websocket-key: .{24}$/im, "key")
            .replace(/^host:.*$/im, "host")
            .split("\r\n")
        )
        raw.socket.end()
      })
      const client = lab.observe(lab.client(port, options, protocols), "client")
      await closed(client)
    }
  sameEach("head [option:protocolVersion] [option:origin] [option:http.request] [option:perMessageDeflate]", [
    ["plain", request()],
    ["version 8", request({ protocolVersion: 8 })],
    ["an origin", request({ origin: "http://a" })],
    ["an origin, version 8", request({ origin: "http://a", protocolVersion: 8 })],
    ["headers", request({ headers: { "X-A": "1", Cookie: "b=2", "Sec-WebSocket-Key": "mine" } })],
    ["credentials", request({ auth: "user:password" } as ClientOptions)],
    ["no deflate", request({ perMessageDeflate: false })],
    [
      "deflate with all",
      request({
        perMessageDeflate: {
          serverNoContextTakeover: true,
          clientNoContextTakeover: true,
          serverMaxWindowBits: 10,
          clientMaxWindowBits: 11
        }
      })
    ],
    ["deflate, no client window", request({ perMessageDeflate: { clientMaxWindowBits: false as unknown as number } })],
    ["protocols", request({}, ["a", "b.c"])],
    ["a host that doesn't count", request({ host: "example.invalid" } as ClientOptions)]
  ])
  same("finished by the caller [option:finishRequest]", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (_, request) => lab.note(request.headers["x-late"]))
    const client = lab.observe(
      lab.client(port, {
        finishRequest: (request, socket) => {
          lab.note(socket instanceof lab.lib.WebSocket, socket.readyState, request.path)
          request.setHeader("X-Late", "yes")
          setImmediate(() => request.end())
        }
      }),
      "client"
    )
    await once(client, "open")
  })
  same("addresses and credentials in the URL [property:url] [client:address]", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (socket, request) => {
      lab.note("server", request.url, request.headers.authorization, socket.url)
      socket.close()
    })
    for (const address of [
      `ws://127.0.0.1:${port}`,
      `ws://127.0.0.1:${port}/path?query=1`,
      `http://127.0.0.1:${port}/http`,
      `ws://user:p%40ss@127.0.0.1:${port}/auth`,
      `WS://127.0.0.1:${port}/UPPER`,
      new URL(`ws://127.0.0.1:${port}/url`)
    ]) {
      const client = lab.observe(new lab.lib.WebSocket(address), "client")
      lab.note(client.url.replace(String(port), "port"))
      await closed(client)
    }
  })
  same("a Unix socket [client:unix]", async (lab) => {
    const path = join(
      tmpdir(),
      `effect-ws-${process.pid}-${lab.lib === undefined ? 0 : Math.random().toString(36).slice(2)}.sock`
    )
    const server = http.createServer()
    const sockets = new lab.lib.WebSocketServer({ server })
    sockets.on("connection", (socket, request) => {
      lab.note(request.url, request.headers.host)
      socket.close()
    })
    server.listen(path)
    await once(server, "listening")
    lab.note(typeof sockets.address())
    for (const rest of ["", ":/a", ":/a:b?c=d"]) {
      const client = lab.observe(new lab.lib.WebSocket(`ws+unix:${path}${rest}`), "client")
      await closed(client)
    }
    server.close()
  })
  same("what the constructor throws [client:SyntaxError] [client:RangeError]", (lab) => {
    const { WebSocket } = lab.lib
    const made: Array<WebSocket> = []
    const make = (...args: ReadonlyArray<unknown>): unknown =>
      attempt(() => {
        made.push(Reflect.construct(WebSocket, args))
        return "made"
      })
    for (const address of [
      "",
      "foo",
      "ftp://localhost",
      "ws+unix:",
      "ws://localhost#hash",
      "ws://:80",
      "ws://localhost:99999",
      5,
      {}
    ]) {
      lab.note(String(address), make(address))
    }
    for (const protocols of ["a b", "", ["a", "a"], ["a", ""], [5], null, 5])
      lab.note(plain(protocols), make("ws://127.0.0.1:9", protocols))
    for (const protocolVersion of [7, 13.5, "13", null, undefined])
      lab.note(protocolVersion, make("ws://127.0.0.1:9", { protocolVersion }))
    for (const socket of made) socket.on("error", () => {})
  })
  same("protocols among the options [option:protocols] [client:protocols] [client:options-second]", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (_, request) => lab.note(request.headers["sec-websocket-protocol"]))
    for (const args of [
      [{ protocols: ["a", "b"] }],
      [{ protocols: "c" }],
      [undefined, { protocols: ["d"] }],
      ["e", { protocols: ["f"] }],
      [[], { protocols: ["g"] }]
    ]) {
      const client: WebSocket = Reflect.construct(lab.lib.WebSocket, [`ws://127.0.0.1:${port}`, ...args])
      client.on("error", (error) => lab.note(error))
      client.on("open", () => {
        lab.note("open", client.protocol)
        client.close()
      })
      await closed(client)
    }
  })
})

describe("a handshake that is given up", () => {
  same("nobody listens [event:error]", async (lab) => {
    const server = net.createServer()
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as net.AddressInfo
    server.close()
    await once(server, "close")
    const client = new lab.lib.WebSocket(`ws://127.0.0.1:${port}`)
    client.on("error", (error) => lab.note(client.readyState, "code" in error && error.code))
    client.on("close", (code, reason) => lab.note(client.readyState, code, reason))
    await closed(client)
  })
  for (const verb of ["close", "terminate"] as const) {
    same(`${verb} while connecting `, async (lab) => {
      const port = await lab.rawServer(() => {})
      const client = lab.observe(lab.client(port), "client")
      lab.note(client.readyState)
      lab.note(
        attempt(() => client[verb]()),
        client.readyState
      )
      lab.note(
        attempt(() => client[verb]()),
        client.readyState
      )
      await closed(client)
      lab.note(
        attempt(() => client[verb]()),
        client.readyState
      )
    })
    same(`${verb} in an upgrade listener`, async (lab) => {
      const { port } = await lab.server()
      const client = lab.observe(lab.client(port), "client")
      client.on("upgrade", () => {
        lab.note("upgrade", client.readyState)
        client[verb]()
        lab.note("after", client.readyState)
      })
      await closed(client)
    })
  }
  same("sending while connecting [method:not-open]", async (lab) => {
    const port = await lab.rawServer(() => {})
    const client = lab.observe(lab.client(port), "client")
    for (const verb of ["send", "ping", "pong"] as const)
      lab.note(
        verb,
        attempt(() => client[verb]("x"))
      )
    lab.note(
      attempt(() => client.pause()),
      client.isPaused,
      attempt(() => client.resume()),
      client.bufferedAmount
    )
    client.terminate()
    lab.note(
      attempt(() => client.send("x", (error) => lab.note("send", error))),
      client.bufferedAmount
    )
    await closed(client)
    lab.note(
      attempt(() => client.ping("xyz", true, (error) => lab.note("ping", error))),
      client.bufferedAmount
    )
    await settled()
  })
  same("too late [option:handshakeTimeout]", async (lab) => {
    const port = await lab.rawServer(() => {})
    const client = lab.observe(lab.client(port, { handshakeTimeout: 50 }), "client")
    await closed(client)
  })
  same("a client that closes at once: the server's side", async (lab) => {
    const { port, server } = await lab.server({ verifyClient: (_, done) => void setImmediate(() => done(true)) })
    server.on("connection", () => lab.note("connection"))
    const socket = net.connect(port, "127.0.0.1")
    socket.write(requestHead())
    socket.destroy()
    await once(socket, "close")
    await settled(10)
    lab.note(server.clients.size)
  })
})

describe("redirects [option:followRedirects] [option:maxRedirects] [event:redirect]", () => {
  const redirecting = async (
    lab: Lab,
    options: ClientOptions,
    steps: number,
    location?: (port: number) => string
  ): Promise<void> => {
    const { port, server } = await lab.http()
    const sockets = new lab.lib.WebSocketServer({ noServer: true })
    let seen = 0
    server.on("upgrade", (request, socket, head) => {
      const { authorization, cookie, host } = request.headers
      lab.note("request", request.url, authorization, cookie, host?.replace(/\d+$/, "port"), request.headers["x-own"])
      if (seen++ < steps) {
        socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location?.(port) ?? `/next${seen}`}\r\n\r\n`)
      } else {
        sockets.handleUpgrade(request, socket, head, (client) => client.close(1000, "there"))
      }
    })
    const client = lab.observe(
      new lab.lib.WebSocket(`ws://127.0.0.1:${port}/first`, {
        auth: "a:b",
        headers: { Cookie: "c=d", "X-Own": "e" },
        ...options
      } as ClientOptions),
      "client"
    )
    if (options.origin === "watched")
      client.on("redirect", (url, request) => lab.note("redirect", url.replace(/:\d+/, ":port"), request.path))
    await closed(client)
    lab.note(client.url.replace(/:\d+/, ":port"))
  }
  sameEach("followed, or not [client:redirects-drop]", [
    ["one", (lab) => redirecting(lab, { followRedirects: true }, 1)],
    ["ten", (lab) => redirecting(lab, { followRedirects: true }, 10)],
    ["eleven", (lab) => redirecting(lab, { followRedirects: true }, 11)],
    ["more than allowed", (lab) => redirecting(lab, { followRedirects: true, maxRedirects: 1 }, 2)],
    [
      "to another host",
      (lab) => redirecting(lab, { followRedirects: true }, 1, (port) => `ws://localhost:${port}/other`)
    ],
    [
      "to another host, and back",
      (lab) => redirecting(lab, { followRedirects: true }, 2, (port) => `ws://127.0.0.1:${port}/back`)
    ],
    [
      "to another host, watched",
      (lab) =>
        redirecting(lab, { followRedirects: true, origin: "watched" }, 1, (port) => `ws://localhost:${port}/other`)
    ],
    [
      "with other credentials",
      (lab) => redirecting(lab, { followRedirects: true }, 1, (port) => `ws://x:y@127.0.0.1:${port}/other`)
    ],
    ["to http", (lab) => redirecting(lab, { followRedirects: true }, 1, (port) => `http://127.0.0.1:${port}/other`)],
    ["to nowhere", (lab) => redirecting(lab, { followRedirects: true }, 1, () => "ws://")],
    ["to another scheme", (lab) => redirecting(lab, { followRedirects: true }, 1, () => "ftp://localhost/")],
    ["to a fragment", (lab) => redirecting(lab, { followRedirects: true }, 1, () => "#here")],
    ["not followed", (lab) => redirecting(lab, {}, 1)]
  ])
  same("a listener changes the request, or gives up", async (lab) => {
    for (const verb of ["close", "terminate", "setHeader"] as const) {
      const { port, server } = await lab.http()
      const sockets = new lab.lib.WebSocketServer({ noServer: true })
      server.on("upgrade", (request, socket, head) => {
        if (request.url === "/") socket.end("HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n")
        else
          sockets.handleUpgrade(request, socket, head, (client) => client.close(4000, String(request.headers["x-new"])))
      })
      const client = lab.observe(lab.client(port, { followRedirects: true }), verb)
      client.on("redirect", (_, request) => {
        if (verb === "setHeader") request.setHeader("X-New", "1")
        else client[verb]()
      })
      await closed(client)
    }
  })
})

describe("TLS", () => {
  same("a server of its own, and one that isn't trusted", async (lab) => {
    const { cert, key } = makeCertificate()
    const server = https.createServer({ cert, key })
    const sockets = new lab.lib.WebSocketServer({ server, verifyClient: (info: { secure: boolean }) => info.secure })
    sockets.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    lab.after(() => server.close())
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as net.AddressInfo
    const trusting = lab.observe(
      new lab.lib.WebSocket(`wss://127.0.0.1:${port}`, { rejectUnauthorized: false }),
      "trusting"
    )
    trusting.on("open", () => trusting.send(Buffer.alloc(200_000)))
    trusting.on("message", () => trusting.close(1000))
    await closed(trusting)
    const careful = lab.observe(new lab.lib.WebSocket(`wss://127.0.0.1:${port}`), "careful")
    await closed(careful)
    const confused = new lab.lib.WebSocket(`ws://127.0.0.1:${port}`)
    confused.on("error", (error) => lab.note("confused", "code" in error && error.code))
    await closed(confused)
  })
})
