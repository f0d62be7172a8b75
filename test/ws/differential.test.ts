// The same broken requests to a server of this library's ws API and to one of `ws`: the answers are compared.
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as ours from "effect-ws/ws"
import { once } from "node:events"
import * as net from "node:net"
import * as theirs from "ws"

/** The requests that are sent, and the number that makes them the same in every run. */
const requests = 200
const seed = 0xabcdef

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
const randomNumbers = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0
  let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
}

/** A request as lines: its first one, and header fields, of which one may stand several times. */
interface Request {
  method: string
  target: string
  version: string
  readonly fields: Map<string, ReadonlyArray<string>>
}

const valid = (): Request => ({
  method: "GET",
  target: "/chat?room=1",
  version: "HTTP/1.1",
  fields: new Map([
    ["Host", ["localhost"]],
    ["Upgrade", ["websocket"]],
    ["Connection", ["Upgrade"]],
    ["Sec-WebSocket-Key", ["dGhlIHNhbXBsZSBub25jZQ=="]],
    ["Sec-WebSocket-Version", ["13"]],
    ["Sec-WebSocket-Protocol", ["chat, superchat"]],
    ["Sec-WebSocket-Extensions", ["permessage-deflate; client_max_window_bits"]],
    ["Origin", ["http://localhost"]]
  ])
})

/** Values that break a field, or nearly. No value removes it. */
const broken: ReadonlyArray<readonly [field: string, values: ReadonlyArray<ReadonlyArray<string>>]> = [
  ["Host", [[], ["a", "b"], [""], ["a b"], ["[::1]:80"], ["exa\u00e4mple"]]],
  [
    "Upgrade",
    [[], [""], ["WebSocket"], ["h2c"], ["websocket, h2c"], ["h2c", "websocket"], ["websockets"], ["web socket"]]
  ],
  ["Connection", [[], ["close"], ["keep-alive"], ["keep-alive, Upgrade"], ["upgrade"], ["Upgraded"], [""]]],
  [
    "Sec-WebSocket-Key",
    [
      [],
      [""],
      ["dGhlIHNhbXBsZSBub25jZQ"],
      ["dGhlIHNhbXBsZSBub25jZQ==="],
      ["dGhlIHNhbXBsZSBub25jZR=="],
      ["dGhlIHNhbXBsZSBub25jZ-=="],
      ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
      ["x".repeat(5000)]
    ]
  ],
  [
    "Sec-WebSocket-Version",
    [
      [],
      ["8"],
      ["7"],
      ["12"],
      ["14"],
      ["013"],
      ["0xd"],
      ["13.0"],
      ["1.3e1"],
      ["-13"],
      ["13, 8"],
      ["8", "13"],
      [""],
      ["x"]
    ]
  ],
  [
    "Sec-WebSocket-Protocol",
    [
      [],
      [""],
      ["chat,"],
      [",chat"],
      ["chat,,chat"],
      ["chat, chat"],
      ["a b"],
      ["a/b"],
      ["chat", "other"],
      ["caf\u00e9"],
      ["\tchat\t"]
    ]
  ],
  [
    "Sec-WebSocket-Extensions",
    [
      [],
      [""],
      ["permessage-deflate;"],
      ["permessage-deflate; client_max_window_bits=7"],
      ["permessage-deflate; client_max_window_bits=16, permessage-deflate"],
      ["permessage-deflate; server_max_window_bits"],
      ["permessage-deflate; server_max_window_bits=8"],
      ["permessage-deflate; server_no_context_takeover=1"],
      ["permessage-deflate; unknown"],
      ["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
      ['permessage-deflate; client_max_window_bits="10"'],
      ["permessage-deflate; client_max_window_bits = 10"],
      ["x-unknown; a=1, permessage-deflate"],
      ["x-unknown"],
      ["__proto__; constructor"],
      ["permessage-deflate, ,"]
    ]
  ],
  ["Origin", [[], ["null"], [""], ["a b"], ["http://a", "http://b"]]],
  ["Content-Length", [["0"], ["5"], ["x"], ["1", "2"]]],
  ["Transfer-Encoding", [["chunked"], ["gzip"]]],
  ["__proto__", [["x"]]],
  ["constructor", [["x"]]],
  ["X-Bad\u0001", [["x"]]],
  ["X-Long", [["x".repeat(20_000)]]],
  ["Expect", [["100-continue"]]]
]

const methods = ["POST", "HEAD", "OPTIONS", "get", "CONNECT", "PUT", "BREW", ""]
const targets = ["*", "chat", "http://localhost/chat", "//chat", "/ch\u00e4t", "/chat#x", "/other", "/", ""]
const versions = ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/11", "http/1.1", ""]

/** A valid request of which one to three fields are broken. */
const brokenRequest = (random: () => number): string => {
  const pick = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)] as A
  const request = valid()
  for (let count = 1 + Math.floor(random() * 3); count > 0; count--) {
    const kind = random()
    if (kind < 0.08) request.method = pick(methods)
    else if (kind < 0.16) request.target = pick(targets)
    else if (kind < 0.22) request.version = pick(versions)
    else {
      const [field, values] = pick(broken)
      request.fields.set(field, pick(values))
    }
  }
  const fields = [...request.fields].flatMap(([name, values]) => values.map((value) => `${name}: ${value}\r\n`))
  return `${request.method} ${request.target} ${request.version}\r\n${fields.join("")}\r\n`
}

/** Sends a request; gives the status of the answer, or `none` when the connection ends without one. */
const statusOf = async (port: number, request: string): Promise<string> => {
  const socket = net.connect(port, "127.0.0.1")
  let received = ""
  socket.on("error", () => {})
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1")
    if (received.includes("\r\n")) socket.destroy()
  })
  // What is no whole request is answered when nothing more comes.
  socket.end(Buffer.from(request, "latin1"))
  await once(socket, "close")
  return /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? "none"
}

const portOf = (server: { address(): unknown }): number => (server.address() as net.AddressInfo).port

const options = { port: 0, host: "127.0.0.1", perMessageDeflate: true, path: "/chat" }

describe("a server of the ws API", () => {
  const servers = { ours: new ours.WebSocketServer(options), theirs: new theirs.WebSocketServer(options) }
  servers.ours.on("connection", (socket) => socket.on("error", () => {}))
  servers.theirs.on("connection", (socket) => socket.on("error", () => {}))

  beforeAll(async () => {
    for (const server of Object.values(servers)) {
      if (server.address() === null) await once(server, "listening")
    }
  })

  afterAll(() => {
    for (const server of Object.values(servers)) {
      for (const client of server.clients) client.terminate()
      server.close()
    }
  })

  it("answers 200 generated requests with the statuses of ws", async () => {
    const random = randomNumbers(seed)
    const statuses = new Map<string, number>()
    const differences: Array<string> = []
    for (let at = 0; at < requests; at++) {
      const request = brokenRequest(random)
      const [our, their] = await Promise.all([
        statusOf(portOf(servers.ours), request),
        statusOf(portOf(servers.theirs), request)
      ])
      statuses.set(their, (statuses.get(their) ?? 0) + 1)
      if (our !== their) differences.push(`${our} in place of ${their}: ${JSON.stringify(request)}`)
    }
    assert.deepStrictEqual(differences, [])
    // The requests reach every kind of answer.
    for (const status of ["101", "400", "405"]) assert.isAbove(statuses.get(status) ?? 0, 5, status)
  })
})
