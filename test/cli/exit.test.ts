import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Frame, Handshake, Server } from "effect-ws"
import { acceptFor } from "../../src/internal/protocol/opening/key.ts"
import type { IncomingMessage } from "node:http"
import { makeCertificate } from "../support/certificate.ts"
import { folder } from "./support/files.ts"
import { program, start, wscat } from "./support/program.ts"
import { serve, serveTcp, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** Runs to the end, and checks that the one line on the errors, if any, and the exit code are as they should be. */
const ends = (args: ReadonlyArray<string>, code: number, errors: RegExp, input = "") =>
  Effect.gen(function* () {
    const outcome = yield* wscat(args, { input })
    assert.match(outcome.errors, errors)
    assert.isAtMost(outcome.errors.split("\n").length, 2, outcome.errors)
    assert.strictEqual(outcome.code, code, args.join(" "))
  })

/** An HTTP server that answers every request so. */
const answering = (answer: string) => serveTcp((socket) => socket.once("data", () => socket.end(answer)))

describe("the exit code says how it ended", () => {
  it.live("0: in order", () =>
    Effect.gen(function* () {
      for (const code of [1000, 1001]) {
        const { url } = yield* serve((socket) => socket.close(code))
        yield* ends(["-c", url, "-w", "-1"], 0, /^$/)
      }
      const { url } = yield* serve((socket) => socket.send(Frame.close()))
      yield* ends(["-c", url, "-w", "-1"], 0, /^$/)
    })
  )

  it.live("2: the command line, or the input, can't be understood", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      yield* ends(["--nonsense"], 2, /^error: there is no option --nonsense \(hint: .*\)\n$/)
      for (const count of ["many", "0", "1.5", ""]) {
        yield* ends(["-c", url, `--count=${count}`], 2, /^error: --count ".*" can't be .*: a whole number, at least 1/)
      }
      yield* ends(["-c", url, "-w", "soon"], 2, /^error: --wait "soon" can't be .*: a number of seconds, at least -1/)
      yield* ends(["-c", url, "-p", "12"], 2, /^error: --protocol "12" can't be .*: 13, 8, 7, hixie-76/)
      yield* ends(["-c", url, "-s", "two words"], 2, /-s "two words" is no subprotocol/)
      yield* ends(["-c", url, "--proxy", "ftp://host"], 2, /--proxy ftp:\/\/host can't be used/)
      yield* ends(["-c", url, "--proxy", "http://me:sec/ret@host"], 2, /--proxy http:\/\/host can't be used/)
      yield* ends(["-c", "ftp://host/"], 2, /^error: the scheme of ftp:\/\/host\/ is ftp \(hint: one of ws, wss/)
      yield* ends(["-c", url, "-H", "nocolon"], 2, /has no colon/)
      yield* ends(["-c", url, "--hex", "--base64"], 2, /--hex and --base64/)
      yield* ends(["-c", url, "--close-code", "1005"], 2, /--close-code/)
      yield* ends(["-c", url, "--ca", "/nowhere"], 2, /--ca: cannot read \/nowhere: there is no such file\n$/)
      yield* ends(["-c", url, "--hex"], 2, /can't be sent: it is not hexadecimal/, "xyz\n")
      yield* ends(["-c", url, "--max-payload", "4"], 2, /longer than 4 bytes/, "12345\n")
      const every = yield* serve(undefined, { drafts: Handshake.all })
      yield* ends(
        ["-c", every.url, "-p", "hixie-76", "-x", "00", "--hex"],
        2,
        /hixie-76 does not support binary messages/
      )
      yield* ends(["-c", every.url, "-p", "hixie-76", "--compress"], 2, /hixie-76 has no extensions/)
      yield* ends(["-l", "65536"], 2, /a port from 0 to 65535/)
      yield* ends(["-c", url, "--passphrase"], 2, /--passphrase-file/)
    })
  )

  it.live("3: no connection", () =>
    Effect.gen(function* () {
      yield* ends(["-c", "127.0.0.1:1"], 3, /connection refused \(ECONNREFUSED\).*nothing listens there/)
      yield* ends(["-c", "localhost:1"], 3, /ECONNREFUSED.*nothing listens there/)
      yield* ends(["-c", "wscat.invalid"], 3, /ENOTFOUND|EAI_AGAIN/)
      yield* ends(["-c", "ws+unix:/nowhere/socket"], 3, /there is no socket at this path/)
      yield* ends(["-c", "host", "--proxy", "127.0.0.1:1"], 3, /the proxy 127\.0\.0\.1:1/)
      const port = yield* serveTcp((socket) => socket.end())
      yield* ends(["-c", `127.0.0.1:${port}`], 3, /lost during the handshake: the other end hung up/)
      const mail = yield* answering("220 mail.example ESMTP\r\n")
      yield* ends(["-c", `127.0.0.1:${mail}`], 3, /what answers there does not speak HTTP/)
    })
  )

  it.live("4: the server refuses, and the hint says what it may want", () =>
    Effect.gen(function* () {
      for (const [status, headers, hint] of [
        ["200 OK", "", "a web page is here"],
        ["302 Found", "Location: /elsewhere\r\n", "-L follows it to /elsewhere"],
        ["302 Found", "", "names no place"],
        ["401 Unauthorized", "", "--auth"],
        ["403 Forbidden", "", "-o"],
        ["404 Not Found", "", "no WebSocket at this path"],
        ["426 Upgrade Required", "Sec-WebSocket-Version: 8\r\n", "speaks version 8; -p"],
        ["503 Service Unavailable", "", "--retry"]
      ] as const) {
        const port = yield* answering(`HTTP/1.1 ${status}\r\n${headers}Content-Length: 0\r\n\r\n`)
        yield* ends(["-c", `127.0.0.1:${port}`], 4, new RegExp(`with status ${status} \\(hint: .*${hint}`))
      }
      const unheard = yield* answering("HTTP/1.1 499 X\r\nContent-Length: 0\r\n\r\n")
      yield* ends(["-c", `127.0.0.1:${unheard}`], 4, /with status 499\n$/)
      const broken = yield* answering(
        "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n"
      )
      yield* ends(["-c", `127.0.0.1:${broken}`], 4, /sec-websocket-accept/i)
    })
  )

  it.live("5: TLS", () =>
    Effect.gen(function* () {
      const server = yield* Server.make({ port: 0, host: "127.0.0.1", tls: makeCertificate() })
      const { port } = server.address
      yield* ends(
        ["-c", `wss://localhost:${port}`],
        5,
        /not trusted: it is signed by itself \(hint: --ca .* -n does not check\)/
      )
      const plain = yield* serve()
      yield* ends(
        ["-c", `wss://127.0.0.1:${plain.port}`],
        5,
        /^error: cannot connect to [\d.:]+: wrong version number \(hint: the server does not speak TLS there/
      )
    })
  )

  it.live("6: it took too long", () =>
    Effect.gen(function* () {
      const port = yield* serveTcp(() => {})
      yield* ends(
        ["-c", `127.0.0.1:${port}`, "--open-timeout", "0.2"],
        6,
        /not open after 200 ms \(hint: --open-timeout/
      )
    })
  )

  it.live("7: closed with an error code, or lost", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((socket) => socket.close(1011, "oops"))
      yield* ends(["-c", url, "-w", "-1"], 7, /the peer closed with 1011 \(internal error\): "oops"/)
      const port = yield* serveTcp((socket) => {
        socket.once("data", (request) => {
          const key = /sec-websocket-key: (\S+)/i.exec(String(request))?.[1] ?? ""
          socket.end(accept(key))
        })
      })
      yield* ends(["-c", `127.0.0.1:${port}`, "-w", "-1"], 7, /lost without a close frame/)
    })
  )

  it.live("8: the server broke the protocol, or sent more than it may", () =>
    Effect.gen(function* () {
      const port = yield* serveTcp((socket) => {
        socket.once("data", (request) => {
          const key = /sec-websocket-key: (\S+)/i.exec(String(request))?.[1] ?? ""
          // A server must not mask.
          socket.write(accept(key) + "\u0081\u0080\0\0\0\0", "latin1")
        })
      })
      yield* ends(["-c", `127.0.0.1:${port}`, "-w", "-1"], 8, /masked.*closed with 1002/)
      const { url } = yield* serve((socket) => Effect.andThen(socket.send("12345"), Stream.runDrain(socket.messages)))
      yield* ends(["-c", url, "-w", "-1", "--max-payload", "4"], 8, /closed with 1009 \(hint: --max-payload/)
      yield* ends(["-c", url, "--count", "1", "-w", "-1", "--max-payload", "5"], 0, /^$/)
    })
  )

  it.live("9: the port is taken", () =>
    Effect.gen(function* () {
      const { port } = yield* serve()
      yield* ends(
        ["-l", `127.0.0.1:${port}`],
        9,
        /: the address is in use \(EADDRINUSE\) \(hint: something listens there already/
      )
    })
  )
})

/** The answer that opens a connection, and then what the test makes of it. */
const accept = (key: string): string =>
  `HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`

describe("mistakes in a command line", () => {
  for (const [argv, expected] of [
    [["-c", ""], /^error: the URL is empty \(hint: a URL, or host:port/],
    [["-c", "127.0.0.1:99999"], /^error: 99999 is not a port \(hint: a port is a number from 0 to 65535\)/],
    [["ws://user:secret@localhost:abc"], /^error: abc is not a port/],
    [["ws://user:secret@[bad"], /^error: ws:\/\/\[bad is not a URL/],
    [["http//x"], /^error: http\/\/x is not a URL \(hint: http:\/\/x may be meant\)/],
    [["ws:/localhost:1"], /hint: ws:\/\/localhost:1 may be meant/],
    [["localhost 80"], /^error: the host of "localhost 80" contains a space/],
    [["-l", "99999"], /^error: cannot listen on "99999" \(hint: a port from 0 to 65535/],
    [["-l", ""], /^error: cannot listen on ""/],
    [["--conn", "x"], /^error: there is no option --conn \(hint: did you mean --connect\?\)/],
    [["bench", "x", "--connections", "0"], /^error: --connections "0" .* from 1 to 100000 \(hint: wscat bench --help/],
    [["bench", "x", "--size", "1e12"], /^error: --size "1e12" can't be used/],
    [["bench", "x", "--duration", "soon"], /expected: a number of seconds, .* 500ms, 2s, 1m/]
  ] as const) {
    it.live(`get a sentence that helps: ${argv.join(" ")}`, () =>
      Effect.gen(function* () {
        const { code, errors } = yield* wscat(argv)
        assert.match(errors, expected)
        assert.notInclude(errors, "secret")
        assert.strictEqual(code, 2)
      })
    )
  }
})

describe("wscat --compat", () => {
  it.live("exits as wscat 6.1 does: 255 for an error, 0 for any close", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* wscat(["--compat", "-c", "127.0.0.1:1"])).code, 255)
      const failing = yield* serve((socket) => socket.close(1011))
      assert.strictEqual((yield* wscat(["--compat", "-c", failing.url, "-w", "-1"])).code, 0)
    })
  )
})

describe('headers that a browser\'s "Copy as cURL" brings', () => {
  it.live("are ignored with a note where the handshake sets them, and used where they stand for options", () =>
    Effect.gen(function* () {
      const requests: Array<IncomingMessage["headers"]> = []
      const { url } = yield* serveWs((_, request) => requests.push(request.headers))
      const copied = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Origin: https://app.example",
        "Host: app.example",
        "X-Token: t"
      ]
      const { code, errors } = yield* wscat([url, ...copied.flatMap((header) => ["-H", header])])
      assert.strictEqual(
        errors,
        "note: Upgrade, Connection, Sec-WebSocket-Key, Sec-WebSocket-Version, Sec-WebSocket-Extensions are ignored: the handshake sets them itself\n"
      )
      assert.strictEqual(code, 0)
      const [headers] = requests
      assert.notStrictEqual(headers?.["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==")
      assert.deepInclude(headers, { origin: "https://app.example", host: "app.example", "x-token": "t" })
      assert.notProperty(headers, "sec-websocket-extensions")
    })
  )
})

describe("an old Node", () => {
  it.live("is told so in one line", () =>
    Effect.gen(function* () {
      const file = yield* folder({
        "old.mjs": 'Object.defineProperty(process.versions, "node", { value: "18.20.8" })\n'
      })
      const running = yield* start(["-c", "localhost"], { env: { NODE_OPTIONS: `--import ${file("old.mjs")}` } })
      const outcome = yield* running.ended
      assert.match(outcome.errors, /^error: wscat needs Node 20 or newer; this is v\d+\.\d+\.\d+\n$/)
      assert.strictEqual(outcome.code, 1)
      assert.include(program(), "bin/wscat.js")
    })
  )
})
