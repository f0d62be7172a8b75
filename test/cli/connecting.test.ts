import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Handshake, Server } from "effect-ws"
import { execFileSync } from "node:child_process"
import type { IncomingHttpHeaders } from "node:http"
import * as http from "node:http"
import * as net from "node:net"
import type { Duplex } from "node:stream"
import { makeCertificate } from "../support/certificate.ts"
import { listening } from "../support/http.ts"
import { folder } from "./support/files.ts"
import { start, wscat } from "./support/program.ts"
import { serve, serveWs } from "./support/server.ts"
import { missing, terminal } from "./support/terminal.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** Sends one message and waits for its echo. */
const round = ["-x", "there", "--count", "1"]

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`

/** A server that keeps the headers of its requests. */
const recording = Effect.gen(function* () {
  const requests: Array<{ readonly url: string; readonly headers: IncomingHttpHeaders; readonly names: string }> = []
  const { url } = yield* serveWs((socket, request) => {
    requests.push({ url: request.url ?? "", headers: request.headers, names: request.rawHeaders.join(" ") })
    socket.close()
  })
  return { url, requests }
})

/** Neither connects nor listens. */
const fails = (args: ReadonlyArray<string>, code: number, errors: RegExp) =>
  Effect.gen(function* () {
    for (const to of [
      ["-c", "wss://localhost:1"],
      ["-l", "127.0.0.1:0"]
    ]) {
      const outcome = yield* wscat([...to, ...args])
      assert.match(outcome.errors, errors)
      assert.strictEqual(outcome.code, code)
    }
  })

describe("wscat says in its request", () => {
  it.live("headers, cookies, origin, host, credentials and subprotocols", () =>
    Effect.gen(function* () {
      const { requests, url } = yield* recording
      const file = yield* folder({
        cookies: ["127.0.0.1", "FALSE", "/", "FALSE", "0", "stored", "s"].join("\t"),
        secret: "from:file\nsecond line\n"
      })
      const args = ["-c", `${url}path?query`, "-w", "-1"]
      const headers = ["-H", "X-One: 1", "-H", "X-Two:a:b", "--cookie", "a=1", "--cookie", "b=2"]
      const names = ["-o", "http://example.com", "--host", "other:1234", "-s", "chat", "-s", "v2,v3"]
      assert.strictEqual((yield* wscat([...args, ...headers, ...names, "--cookie-file", file("cookies")])).code, 0)
      const [first] = requests
      assert.strictEqual(first?.url, "/path?query")
      assert.deepInclude(first?.headers, {
        "x-one": "1",
        "x-two": "a:b",
        cookie: "stored=s; a=1; b=2",
        origin: "http://example.com",
        host: "other:1234",
        "sec-websocket-protocol": "chat, v2, v3"
      })
      for (const [given, credentials] of [
        [["--auth", "user:pass:word"], "user:pass:word"],
        [["--auth-file", file("secret")], "from:file"]
      ] as const) {
        yield* wscat([...args, ...given])
        assert.strictEqual(requests.at(-1)?.headers.authorization, basic(credentials))
      }
      yield* wscat(["-c", url.replace("//", "//in:url@")])
      assert.strictEqual(requests.at(-1)?.headers.authorization, basic("in:url"))
      yield* wscat([...args, "-H", "Sec-WebSocket-Protocol: chat"])
      assert.strictEqual(requests.at(-1)?.headers["sec-websocket-protocol"], "chat")
      yield* wscat([...args, "-p", "8", "-o", "http://example.com"])
      assert.strictEqual(requests.at(-1)?.headers["sec-websocket-origin"], "http://example.com")
    })
  )
})

describe("wscat gets through", () => {
  it.live("redirects, as many as it may follow", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      let asked = 0
      const port = yield* listening(
        http.createServer().on("upgrade", (_, socket: Duplex) => {
          const location = ++asked % 3 === 0 ? url : "/again"
          socket.end(`HTTP/1.1 302 X\r\nLocation: ${location}\r\n\r\n`)
        })
      )
      const args = ["-c", `127.0.0.1:${port}`, ...round]
      const followed = yield* wscat([...args, "-L"])
      assert.deepStrictEqual([followed.output, followed.code], ["there\n", 0])
      const tired = yield* wscat([...args, "-L", "--max-redirects", "1"])
      assert.match(tired.errors, /status 302 Found \(hint: it leads to \/again, after 1 redirects; --max-redirects/)
      assert.strictEqual(tired.code, 4)
      const refused = yield* wscat(args)
      assert.match(refused.errors, /-L follows it/)
    })
  )

  it.live("a proxy that knows CONNECT, with and without http:// before it", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const credentials: Array<string | undefined> = []
      const server = http.createServer().on("connect", (request, socket: Duplex) => {
        credentials.push(request.headers["proxy-authorization"])
        const { hostname, port } = new URL(`http://${request.url}`)
        const way = net.connect(Number(port), hostname, () => {
          socket.write("HTTP/1.1 200 OK\r\n\r\n")
          way.pipe(socket).pipe(way)
        })
        way.on("error", () => socket.destroy())
        socket.on("error", () => way.destroy())
      })
      const port = yield* listening(server)
      for (const proxy of [`127.0.0.1:${port}`, `http://me:secret@127.0.0.1:${port}`]) {
        const outcome = yield* wscat(["-c", url, ...round, "--proxy", proxy])
        assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["there\n", "", 0])
      }
      assert.deepStrictEqual(credentials, [undefined, basic("me:secret")])
    })
  )

  it.live("says what a proxy wants that gives no way", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const wrong = (proxy: string) =>
        Effect.map(wscat(["-c", url, ...round, "--proxy", proxy]), ({ errors }) => errors)
      for (const [status, hint] of [
        [407, /it answered 407 \(hint: --proxy http:\/\/user:password@host:port/],
        [403, /it answered 403 \(hint: the proxy does not allow this host/]
      ] as const) {
        const server = http.createServer().on("connect", (_, socket: Duplex) => {
          socket.end(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`)
        })
        assert.match(yield* wrong(`127.0.0.1:${yield* listening(server)}`), hint)
      }
      assert.match(yield* wrong("127.0.0.1:1"), /connection refused.*is the proxy running/)
      const page = yield* listening(http.createServer((_, response) => response.end()))
      assert.match(yield* wrong(`127.0.0.1:${page}`), /the other end hung up \(hint: is this a proxy/)
      assert.match(yield* wrong(`socks5://127.0.0.1:${page}`), /does not speak SOCKS 5 \(hint: is this a proxy/)
    })
  )

  it.live("a Unix socket, on both ends", () =>
    Effect.gen(function* () {
      const file = yield* folder()
      const listener = yield* start(["-l", file("socket"), "--echo", "--path", "/here"], { input: "" })
      const outcome = yield* Effect.gen(function* () {
        const outcome = yield* wscat(["-c", `ws+unix:${file("socket")}:/here`, ...round, "--retry", "20"])
        return outcome.output
      })
      assert.strictEqual(outcome, "there\n")
      assert.strictEqual(listener.output(), "there\n")
      const elsewhere = yield* wscat(["-c", `ws+unix:${file("socket")}:/elsewhere`, ...round])
      assert.match(elsewhere.errors, /status 404/)
    })
  )
})

describe("wscat and TLS", () => {
  const { cert, key } = makeCertificate()
  const encrypted = execFileSync("openssl", ["ec", "-aes128", "-passout", "pass:opensesame"], {
    input: key,
    encoding: "utf8",
    stdio: ["pipe", "pipe", "ignore"]
  })

  it.live("trust an authority that is named, or anybody", () =>
    Effect.gen(function* () {
      const file = yield* folder({ "cert.pem": cert, "key.pem": key })
      const identity = ["--cert", file("cert.pem"), "--key", file("key.pem")]
      const listener = yield* start(["-l", "127.0.0.1:0", "--echo", ...identity], { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      for (const trust of [["--ca", file("cert.pem")], ["-n"], ["--no-check"]]) {
        const outcome = yield* wscat(["-c", `wss://localhost:${port}`, ...round, ...trust])
        assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["there\n", "", 0])
      }
      const named = ["-c", `wss://127.0.0.1:${port}`, "--ca", file("cert.pem"), "--servername", "elsewhere.example"]
      const wrong = yield* wscat([...named, ...round])
      assert.strictEqual(wrong.code, 5)
    })
  )

  it.live("show a certificate of their own to a listener that demands one, its key under a passphrase", () =>
    Effect.gen(function* () {
      const file = yield* folder({ "cert.pem": cert, "key.pem": encrypted, secret: "opensesame\n" })
      const identity = ["--cert", file("cert.pem"), "--key", file("key.pem")]
      const secret = ["--passphrase", "opensesame"]
      const demanding = ["-l", "127.0.0.1:0", "--echo", ...identity, ...secret, "--ca", file("cert.pem")]
      const listener = yield* start(demanding, { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      const args = ["-c", `wss://localhost:${port}`, "--ca", file("cert.pem"), ...round]
      for (const passphrase of [secret, ["--passphrase-file", file("secret")]]) {
        const outcome = yield* wscat([...args, ...identity, ...passphrase])
        assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["there\n", "", 0])
      }
      const without = yield* wscat(args)
      assert.match(without.errors, /certificate of you: --cert and --key/)
      assert.strictEqual(without.code, 5)
      const wrong = yield* wscat([...args, ...identity, "--passphrase", "wrong"])
      assert.strictEqual(wrong.errors, "error: the passphrase is wrong, or left out (hint: --passphrase)\n")
      assert.strictEqual(wrong.code, 5)
    })
  )

  it.live("say what is wrong with the files, before anything is connected or listened on", () =>
    Effect.gen(function* () {
      const other = makeCertificate()
      const file = yield* folder({
        "cert.pem": cert,
        "key.pem": key,
        "both.pem": cert + key,
        "other.pem": other.key,
        empty: ""
      })
      const named = ["--cert", file("cert.pem")]
      yield* fails(named, 2, /^error: --cert needs the private key/)
      yield* fails(["--key", file("key.pem")], 2, /^error: --key needs the certificate/)
      yield* fails([...named, "--key", file("other.pem")], 5, /^error: the private key does not belong to the cert/)
      yield* fails([...named, "--key", file("empty")], 2, /^error: --key: there is no private key in .*empty/)
      yield* fails(["--ca", file("key.pem")], 2, /^error: --ca: there is no certificate in .*key\.pem/)
      yield* fails(["--cert", file("empty"), "--key", file("key.pem")], 2, /^error: --cert: there is no certificate/)
      const listener = yield* start(["-l", "127.0.0.1:0", "--echo", "--cert", file("both.pem")], { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      assert.strictEqual((yield* wscat(["-c", `wss://localhost:${port}`, ...round, "-n"])).output, "there\n")
    })
  )

  it.live("take a certificate and its key from one file", () =>
    Effect.gen(function* () {
      const file = yield* folder({ "cert.pem": cert, "key.pem": key })
      const [input, output] = [
        ["-in", file("cert.pem"), "-inkey", file("key.pem")],
        ["-out", file("both.p12")]
      ]
      execFileSync("openssl", ["pkcs12", "-export", ...input, ...output, "-passout", "pass:opensesame"])
      const identity = ["--cert", file("both.p12"), "--passphrase", "opensesame"]
      const listener = yield* start(["-l", "127.0.0.1:0", "--echo", ...identity], { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      const outcome = yield* wscat(["-c", `wss://localhost:${port}`, ...round, "-n"])
      assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["there\n", "", 0])
    })
  )

  it.live.skipIf(missing !== undefined)("ask for a passphrase that is left out, and don't show it", () =>
    Effect.gen(function* () {
      const file = yield* folder({ "cert.pem": cert, "key.pem": encrypted })
      const server = yield* Server.make({ port: 0, host: "127.0.0.1", tls: { cert, key, ca: cert, requestCert: true } })
      yield* Effect.forkScoped(server.run((socket) => socket.closed))
      const identity = ["--cert", file("cert.pem"), "--key", file("key.pem"), "--ca", file("cert.pem")]
      const screen = yield* terminal(["-c", `wss://localhost:${server.address.port}`, ...identity, "--passphrase"])
      yield* screen.until((lines) => lines.at(-1) === "Passphrase:")
      screen.type("opensesame")
      screen.press("Enter")
      const lines = yield* screen.until((lines) => lines.at(-1) === ">")
      assert.deepStrictEqual(lines, ["Passphrase:", "Connected (press CTRL+C to quit)", ">"])
      // What asked for the passphrase listens to no key any more.
      screen.type("x")
      screen.press("Enter")
      const sent = yield* screen.until((all) => all.includes("> x") && all.at(-1) === ">")
      assert.deepStrictEqual(sent.slice(2), ["> x", ">"])
    })
  )
})

describe("a listening wscat", () => {
  it.live("serves one path, demands a password, and answers with headers and a subprotocol", () =>
    Effect.gen(function* () {
      const options = ["--path", "/chat", "--auth", "me:secret", "-s", "v2", "-H", "X-Served-By: wscat", "--compress"]
      const listener = yield* start(["-l", "0", "--host", "127.0.0.1", "--echo", ...options], { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      const refused = yield* wscat(["-c", `127.0.0.1:${port}/chat`])
      assert.match(refused.errors, /status 401/)
      const lost = yield* wscat(["-c", `127.0.0.1:${port}/elsewhere`, "--auth", "me:secret"])
      assert.match(lost.errors, /status 404/)
      const asking = ["-s", "v1", "-s", "v2", "--auth", "me:secret", "--compress"]
      const welcome = yield* wscat(["-c", `127.0.0.1:${port}/chat`, ...asking, ...round])
      assert.deepStrictEqual([welcome.output, welcome.code], ["there\n", 0])
    })
  )

  it.live("speaks one version alone when it is told, and every one when it isn't", () =>
    Effect.gen(function* () {
      const listener = yield* start(["-l", "127.0.0.1:0", "-p", "8", "--echo"], { input: "" })
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      assert.strictEqual((yield* wscat(["-c", `127.0.0.1:${port}`, "-p", "8", ...round])).output, "there\n")
      assert.match((yield* wscat(["-c", `127.0.0.1:${port}`, ...round])).errors, /status 426.*version 8/)
      const open = yield* start(["-l", "127.0.0.1:0", "--echo"], { input: "" })
      const [, any] = yield* open.until(/Listening on port (\d+)/)
      for (const { id, version } of Handshake.all) {
        const outcome = yield* wscat(["-c", `127.0.0.1:${any}`, "-p", String(version ?? id), ...round])
        assert.strictEqual(outcome.output, "there\n", id)
      }
    })
  )

  it.live("gives its input to all, keeps it until somebody is there, and closes at its end", () =>
    Effect.gen(function* () {
      const listener = yield* start(["-l", "127.0.0.1:0", "--json", "--slash"])
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      listener.process.stdin.write("early\n")
      const first = yield* start(["-c", `127.0.0.1:${port}`])
      yield* first.until(/early/)
      const second = yield* start(["-c", `127.0.0.1:${port}`, "-x", "hi", "-w", "-1"])
      yield* listener.until(/"client":2,"opcode":"text","payload":"hi"/)
      listener.process.stdin.write("all\n/to 2 one\n")
      yield* second.until(/all\none\n/)
      yield* first.until(/early\nall\n/)
      listener.process.stdin.end()
      assert.strictEqual((yield* listener.ended).code, 0)
      assert.deepStrictEqual([(yield* first.ended).code, (yield* second.ended).code], [0, 0])
      assert.strictEqual((yield* first.ended).output, "early\nall\n")
    })
  )

  it.live("ends after --count messages, and greets everybody with -x", () =>
    Effect.gen(function* () {
      const listener = yield* start(["-l", "127.0.0.1:0", "--count", "2", "-x", "welcome"])
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      for (const message of ["one", "two"]) {
        const client = yield* wscat(["-c", `127.0.0.1:${port}`, "-x", message, "--count", "1"])
        assert.strictEqual(client.output, "welcome\n")
      }
      const outcome = yield* listener.ended
      assert.deepStrictEqual([outcome.output, outcome.code], ["one\ntwo\n", 0])
    })
  )
})
