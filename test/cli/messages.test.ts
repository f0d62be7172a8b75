import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Handshake } from "effect-ws"
import { gzipSync } from "node:zlib"
import * as net from "node:net"
import { environmentProxy } from "../../src/internal/cli/options/proxy.ts"
import { type Format, showMessage } from "../../src/internal/cli/terminal/format.ts"
import { decodeInput } from "../../src/internal/cli/terminal/payload.ts"
import { prettyJson } from "../../src/internal/cli/terminal/pretty.ts"
import { folder } from "./support/files.ts"
import { start, wscat } from "./support/program.ts"
import { serve, serveTcp, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** Settings of a network that the machine of the test may have. */
const noProxies = Object.fromEntries(
  ["http_proxy", "https_proxy", "all_proxy", "no_proxy"].flatMap((name) => [
    [name, ""],
    [name.toUpperCase(), ""]
  ])
)

const text = (input: string) => decodeInput(input, "text", true)

describe("what is sent", () => {
  it.live("begins with --init, and goes on with the input", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const outcome = yield* wscat([url, "--init", "token", "--init", "subscribe"], { input: "hello\n" })
      assert.deepStrictEqual([outcome.output, outcome.code], ["token\nsubscribe\nhello\n", 0])
    })
  )

  it.live("waits between messages with --delay, and comes again with --every", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { url } = yield* serve((socket) =>
        Stream.runForEach(socket.messages, (message) => {
          times.push(performance.now())
          return socket.send(message)
        })
      )
      yield* wscat([url, "-x", "a", "-x", "b", "--delay", "300ms", "--count", "2"])
      const [first = 0, second = 0] = times
      // The timers of the two processes may differ by a little.
      assert.isAbove(second - first, 250)
      const repeating = yield* wscat([url, "-x", "tick", "--every", "0.1", "--count", "3"])
      assert.deepStrictEqual([repeating.output, repeating.code], ["tick\ntick\ntick\n", 0])
      assert.match((yield* wscat([url, "--every", "1"])).errors, /^error: --every has nothing to repeat/)
    })
  )

  it.live("may be JSON as --json writes it, and any other JSON is a message as it is", () =>
    Effect.gen(function* () {
      const received: Array<readonly [string, string]> = []
      const { url } = yield* serveWs((socket) => {
        socket.on("message", (data: Buffer, isBinary) =>
          received.push([isBinary ? "binary" : "text", data.toString(isBinary ? "hex" : "utf8")])
        )
        socket.on("ping", (data: Buffer) => received.push(["ping", data.toString()]))
        socket.on("close", (code, reason) => received.push([`close ${code}`, String(reason)]))
      })
      const lines = [
        { time: "now", direction: "received", opcode: "text", payload: "hello" },
        { opcode: "binary", base64: "AP8=" },
        { opcode: "ping", payload: "here?" },
        { method: "subscribe", payload: "x" },
        { opcode: "close", code: 4001, reason: "done" }
      ].map((line) => JSON.stringify(line))
      const { code } = yield* wscat([url, "--json"], { input: `${lines.join("\n")}\n` })
      assert.deepStrictEqual(received, [
        ["text", "hello"],
        ["binary", "00ff"],
        ["ping", "here?"],
        ["text", '{"method":"subscribe","payload":"x"}'],
        ["close 4001", "done"]
      ])
      assert.strictEqual(code, 0)
    })
  )

  it.live("may be a file of text, and must then be UTF-8", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const file = yield* folder({ "a.json": '{\n"a": 1\n}\n', bytes: Buffer.of(0xff) })
      const outcome = yield* wscat([url, "--text-file", file("a.json"), "--json", "--count", "1"])
      assert.include(outcome.output, '"direction":"received","opcode":"text","payload":"{\\n\\"a\\": 1\\n}\\n"')
      const wrong = yield* wscat([url, "--text-file", file("bytes")])
      assert.match(wrong.errors, /^error: --text-file: .*bytes is not UTF-8 \(hint: --file sends bytes\)/)
      assert.strictEqual(wrong.code, 2)
    })
  )

  it("may have escapes", () => {
    assert.deepStrictEqual(text(String.raw`a\tb\n\x41\u00e9\u{1f600}\\n`), { message: "a\tb\nAé😀\\n" })
    assert.deepStrictEqual(text(String.raw`\ud83d\ude00`), { message: "😀" })
    for (const wrong of [String.raw`\q`, String.raw`\x4`, String.raw`\u{110000}`, "\\", String.raw`\ud83d`]) {
      assert.property(text(wrong), "problem", wrong)
    }
    assert.deepStrictEqual(decodeInput(Buffer.from("é\\xff\\0", "utf8"), "binary", true), {
      message: Buffer.from("c3a9ff00", "hex")
    })
    assert.deepStrictEqual(decodeInput(String.raw`a\n`, "text"), { message: String.raw`a\n` })
  })
})

describe("what is shown", () => {
  const format: Format = {
    json: false,
    terminal: true,
    marks: true,
    frames: false,
    timestamps: false,
    encoding: "text",
    pretty: true,
    colored: false,
    decode: undefined,
    separator: "\n"
  }

  it("is JSON over several lines with --pretty, digit by digit as it came", () => {
    const json = '{"id":12345678901234567890,"list":[1,2.50],"empty":{},"text":"a\\u0041\u202e"}'
    assert.strictEqual(
      prettyJson(json, false),
      `{\n  "id": 12345678901234567890,\n  "list": [\n    1,\n    2.50\n  ],\n  "empty": {},\n  "text": "a\\u0041\\u202e"\n}`
    )
    assert.strictEqual(prettyJson('["a",true]', true), '[\n  \u001B[32m"a"\u001B[39m,\n  \u001B[35mtrue\u001B[39m\n]')
    for (const other of ["text", "12", "{broken", '{"a":1} trailing'])
      assert.isUndefined(prettyJson(other, false), other)
    assert.strictEqual(showMessage(format, '{"a":1}', undefined, new Date()), '< {\n|   "a": 1\n| }\n')
  })

  it("is bytes as xxd shows them, beyond those that fit on a line", () => {
    assert.strictEqual(
      showMessage(format, Buffer.from("0123456789abcdef\x00\xff", "latin1"), undefined, new Date()),
      "< [binary, 18 bytes]\n" +
        "| 00000000: 3031 3233 3435 3637 3839 6162 6364 6566  0123456789abcdef\n" +
        "| 00000010: 00ff                                     ..\n"
    )
    assert.match(String(showMessage(format, Buffer.alloc(300), undefined, new Date())), /\n\| … 44 more\n$/)
  })

  it.live("is what --decode reads in binary messages, and the bytes where it can't", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => {
        socket.send(gzipSync("inflated"))
        socket.send(Buffer.from("plain"))
        socket.send("text")
        socket.close()
      })
      const { output } = yield* wscat([url, "--decode", "gzip", "--count", "3"])
      assert.strictEqual(output, "inflated\nplain\ntext\n")
      assert.match((yield* wscat([url, "--decode", "xml"])).errors, /^error: --decode "xml" .* msgpack, cbor, gzip/)
    })
  )

  it.live("is the heads of both handshakes with -v, on the errors, and on either end", () =>
    Effect.gen(function* () {
      const listener = yield* start(["-l", "127.0.0.1:0", "-v", "-H", "X-Server: yes"])
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      const { errors, output } = yield* wscat([`127.0.0.1:${port}`, "-v", "-H", "X-Token: t", "-w", "0"])
      assert.strictEqual(output, "")
      assert.match(errors, /^-> GET \/\n(-> .*\n)*-> X-Token: t\n(-> .*\n)*<- 101 Switching Protocols\n/)
      assert.match(errors, /\n<- x-server: yes\n/)
      assert.match(errors, /\nDisconnected \(code: 1000, reason: ""\)\n$/)
      yield* listener.until(/<- GET \/\n(<- .*\n)*<- x-token: t\n/)
    })
  )

  it.live("is the status and the headers of a refusal with -v", () =>
    Effect.gen(function* () {
      const { port } = yield* serve(undefined, { path: "/chat" })
      const { code, errors } = yield* wscat([`127.0.0.1:${port}/other`, "-v"])
      assert.match(errors, /\n<- 404 Not Found\n(<- .*\n)+error: the server refused the handshake with status 404 Not/)
      assert.strictEqual(code, 4)
    })
  )
})

describe("how a connection is made", () => {
  it.live("may be HTTP/2", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(undefined, { drafts: [Handshake.rfc6455], http2: true })
      const { errors, output } = yield* wscat([url, "--http2", "-v", "--count", "1", "-x", "hello"])
      assert.match(errors, /^-> CONNECT \/\n/)
      assert.strictEqual(output, "hello\n")
    })
  )

  it.live("may be through the proxy that the environment names", () =>
    Effect.gen(function* () {
      const targets: Array<string> = []
      const proxy = yield* serveTcp((socket) =>
        socket.once("data", (head) => {
          const [, host = "", port = ""] = /^CONNECT (.*):(\d+) /.exec(String(head)) ?? []
          targets.push(`${host}:${port}`)
          const onward = net.connect(Number(port), host, () => {
            socket.write("HTTP/1.1 200 OK\r\n\r\n")
            socket.pipe(onward).pipe(socket)
          })
          onward.on("error", () => socket.destroy())
          socket.on("close", () => onward.destroy())
        })
      )
      const { port } = yield* serve()
      const hello = [`127.0.0.1:${port}`, "-x", "hello", "--count", "1"]
      const env = { ...noProxies, ALL_PROXY: `http://127.0.0.1:${proxy}` }
      assert.strictEqual((yield* wscat(hello, { env })).output, "hello\n")
      assert.deepStrictEqual(targets, [`127.0.0.1:${port}`])
      for (const [args, more] of [
        [hello, { NO_PROXY: "example.com, 127.0.0.1" }],
        [[...hello, "--proxy", "none"], {}]
      ] as const) {
        assert.strictEqual((yield* wscat(args, { env: { ...env, ...more } })).output, "hello\n")
      }
      assert.lengthOf(targets, 1)
    })
  )

  it("takes the proxy of the scheme before that of all, and none for what NO_PROXY names", () => {
    const env = { HTTPS_PROXY: "secure", ALL_PROXY: "all", no_proxy: "intern.example,.corp:8443,10.0.0.1" }
    for (const [url, proxy] of [
      ["wss://example.com/", "secure"],
      ["ws://example.com/", "all"],
      ["wss://intern.example/", undefined],
      ["wss://a.intern.example/", undefined],
      ["wss://notintern.example/", "secure"],
      ["wss://a.corp:8443/", undefined],
      ["wss://a.corp/", "secure"],
      ["ws://10.0.0.1:99/", undefined],
      ["ws+unix:/socket:/", undefined]
    ] as const) {
      assert.strictEqual(environmentProxy(url, env), proxy, url)
    }
    assert.isUndefined(environmentProxy("wss://example.com", { ALL_PROXY: "all", NO_PROXY: "*" }))
    assert.strictEqual(environmentProxy("ws://example.com", { http_proxy: "lower", HTTP_PROXY: "upper" }), "lower")
  })
})
