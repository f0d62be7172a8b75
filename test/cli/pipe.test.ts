import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Schedule, Stream } from "effect"
import { Socket } from "effect-ws"
import { execFile } from "node:child_process"
import { setTimeout } from "node:timers"
import { promisify } from "node:util"
import { original, program, start, wscat } from "./support/program.ts"
import { serve, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

const textOf = (data: unknown): string => String(data)

/** What a JSON line says, but for its time. */
const objects = (output: string): ReadonlyArray<unknown> =>
  output
    .trim()
    .split("\n")
    .map((line) => {
      const { time, ...rest } = JSON.parse(line)
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      return rest
    })

describe("wscat in a pipe", () => {
  it.live("sends each line, closes at the end of the input, and writes bare payloads", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const { clients, url } = yield* serve((socket) =>
        Effect.andThen(
          socket.sendAll(["to you", "käse"]),
          Stream.runForEach(socket.messages, (message) => Effect.sync(() => received.push(String(message))))
        )
      )
      const outcome = yield* wscat(["-c", url], { input: "one\ntwo\r\n\nkäse" })
      assert.deepStrictEqual(received, ["one", "two", "", "käse"])
      assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["to you\nkäse\n", "", 0])
      const closed = yield* clients[0]?.closed ?? Effect.die("no client")
      assert.deepStrictEqual(closed.received, { code: 1000, reason: "" })
    })
  )

  it.live("keeps the input until the connection is open, and waits for late answers with -w", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs(
        (socket) => socket.on("message", (data) => setTimeout(() => socket.send(textOf(data)), 300)),
        {
          verifyClient: (_, done) => void setTimeout(() => done(true), 500)
        }
      )
      const outcome = yield* wscat(["-c", url, "-w", "1"], { input: "early\n" })
      assert.deepStrictEqual([outcome.output, outcome.code], ["early\n", 0])
    })
  )

  for (const draft of ["13", "8", "7", "hixie-76"]) {
    it.live(`speaks version ${draft}, on both ends`, () =>
      Effect.gen(function* () {
        const listener = yield* start(["-l", "127.0.0.1:0", "-p", draft, "--echo"], { input: "" })
        const [, port] = yield* listener.until(/Listening on port (\d+)/)
        const args = ["-p", draft, `127.0.0.1:${port}`, "--count", "1"]
        const outcome = yield* wscat(args, { input: "hello\n" })
        assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["hello\n", "", 0])
        assert.strictEqual(listener.output(), "hello\n")
      })
    )
  }

  it.live("sends bytes: as they are, up to a zero byte, in hexadecimal, in base64, from a file", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const { url } = yield* serveWs((socket) =>
        socket.on("message", (data: Buffer, isBinary) => {
          received.push(`${isBinary ? "binary" : "text"} ${data.toString("hex")}`)
          socket.send(data, { binary: isBinary })
        })
      )
      const lines = Buffer.from("ff0a00", "hex")
      assert.deepStrictEqual(
        (yield* wscat(["-c", url, "--binary"], { input: lines })).bytes,
        Buffer.from("ff0a000a", "hex")
      )
      assert.deepStrictEqual((yield* wscat(["-c", url, "--binary", "-0"], { input: lines })).bytes, lines)
      assert.strictEqual((yield* wscat(["-c", url, "--hex"], { input: "00 FF\n" })).output, "00ff\n")
      assert.strictEqual((yield* wscat(["-c", url, "--base64"], { input: "AP8=\n" })).output, "AP8=\n")
      const file = new URL("../../LICENSE", import.meta.url).pathname
      assert.match((yield* wscat(["-c", url, "--file", file, "-w", "0.3"])).output, /^MIT License/)
      assert.deepStrictEqual(received.slice(0, 5), [
        "binary ff",
        "binary 00",
        "binary ff0a",
        "binary 00ff",
        "binary 00ff"
      ])
    })
  )

  it.live("executes commands instead of reading, and waits as long as it is told", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      const outcome = yield* wscat(["-c", url, "-x", "-hello", "-x", "second", "-w", "0.3"], { input: "not read" })
      assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["-hello\nsecond\n", "", 0])
      const holding = yield* start(["-c", url, "-x", "held", "-w", "-1"], { input: "" })
      yield* holding.until(/held/)
      assert.isNull(holding.process.exitCode)
      yield* clients[1]?.close(1000) ?? Effect.die("no client")
      assert.strictEqual((yield* holding.ended).code, 0)
    })
  )

  it.live("ends after --count messages, and with as many as that", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => {
        for (let at = 1; at <= 10; at++) socket.send(String(at))
      })
      const held = yield* start(["-c", url, "--count", "3"])
      assert.deepStrictEqual((yield* held.ended).output, "1\n2\n3\n")
      assert.strictEqual(held.process.exitCode, 0)
    })
  )

  it.live("writes one JSON object a line for what is sent and received", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => {
        socket.on("message", () => {
          socket.send('"quoted"')
          socket.send(Buffer.of(0, 255))
          socket.ping("here?")
          socket.close()
        })
      })
      const outcome = yield* wscat(["-c", url, "--json", "-P", "-w", "-1"], { input: "go\n" })
      assert.sameDeepMembers(
        [...objects(outcome.output)],
        [
          { direction: "sent", opcode: "text", payload: "go" },
          { direction: "received", opcode: "text", payload: '"quoted"' },
          { direction: "received", opcode: "binary", base64: "AP8=" },
          { direction: "received", opcode: "ping", payload: "here?" }
        ]
      )
      assert.strictEqual(outcome.code, 0)
    })
  )

  it.live("writes frames in place of messages, compressed ones as they are", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => socket.on("message", (data) => socket.send(textOf(data))), {
        perMessageDeflate: { threshold: 0 }
      })
      const plain = yield* wscat(["-c", url, "--frames", "--count", "1"], { input: "aa\n" })
      assert.strictEqual(
        plain.output,
        [
          '-> text opcode=1 fin=1 rsv=000 mask=1 length=2 "aa"',
          '<- text opcode=1 fin=1 rsv=000 mask=0 length=2 "aa"',
          '-> close opcode=8 fin=1 rsv=000 mask=1 length=2 1000 ""',
          '<- close opcode=8 fin=1 rsv=000 mask=0 length=2 1000 ""',
          ""
        ].join("\n")
      )
      const objects = yield* wscat(["-c", url, "--frames", "--json", "--close-code", "4001", "--close-reason", "bye"])
      const [close] = objects.output.split("\n")
      const { code, length, opcode, reason } = JSON.parse(close ?? "")
      assert.deepStrictEqual(
        { code, length, opcode, reason },
        { code: 4001, length: 5, opcode: "close", reason: "bye" }
      )
      const compressed = yield* wscat(["-c", url, "--frames", "--compress", "-x", "a".repeat(2000), "-w", "0.3"])
      assert.match(compressed.output, /^-> text opcode=1 fin=1 rsv=100 mask=1 length=\d\d? [\da-f ]+$/m)
      assert.match(compressed.output, /^<- text opcode=1 fin=1 rsv=100 mask=0 length=\d\d? [\da-f ]+$/m)
      const inflated = yield* wscat(["-c", url, "--compress", "-x", "a".repeat(2000), "-w", "0.3"])
      assert.strictEqual(inflated.output, `${"a".repeat(2000)}\n`)
    })
  )

  it.live("pings at an interval, and shows how long the pongs took", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const running = yield* start(["-c", url, "--ping", "0.1", "-P"])
      yield* running.until(/Received pong \(data: "ping 2"\) after [\d.]+ ms/)
      running.process.stdin.end()
      assert.strictEqual((yield* running.ended).code, 0)
    })
  )

  it.live("gives a peer up that doesn't answer pings", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs(() => {}, { autoPong: false })
      const running = yield* start(["-c", url, "--ping", "0.1", "--pong-timeout", "0.2"])
      const { code, errors } = yield* running.ended
      assert.deepStrictEqual([errors, code], ["error: no pong came within 0.2 seconds\n", 7])
    })
  )

  it.live("obeys slash commands in a script, and stops at one that it doesn't know", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const closed = Deferred.makeUnsafe<void>()
      const { url } = yield* serveWs((socket) => {
        socket.on("message", (data, isBinary) => seen.push(isBinary, textOf(data)))
        socket.on("ping", (data) => seen.push("ping", textOf(data)))
        socket.on("close", (code, reason) => {
          seen.push(code, textOf(reason))
          Deferred.doneUnsafe(closed, Effect.void)
        })
      })
      const input = "/binary 6869\n/ping there\n//text\n/close 4000 done\n"
      const outcome = yield* wscat(["-c", url, "--slash", "-w", "-1"], { input })
      assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["", "", 0])
      yield* Deferred.await(closed)
      assert.deepStrictEqual(seen, [true, "hi", "ping", "there", false, "/text", 4000, "done"])
      const wrong = yield* wscat(["-c", url, "--slash"], { input: "/nonsense\n" })
      assert.match(wrong.errors, /^error: there is no command \/nonsense[^\n]*\n$/)
      assert.strictEqual(wrong.code, 2)
    })
  )

  it.live("closes with the code and the reason that it is given", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      yield* wscat(["-c", url, "--close-code", "4001", "--close-reason", "so there"])
      assert.deepStrictEqual((yield* clients[0]?.closed ?? Effect.die("no client")).received, {
        code: 4001,
        reason: "so there"
      })
    })
  )

  it.live("carries large messages, and many, for a reader that is slow", () =>
    Effect.gen(function* () {
      const size = 300_000
      const { url } = yield* serve(
        (socket) =>
          Effect.andThen(
            Effect.forEach(Array.from({ length: 100 }), () => socket.send("x".repeat(size))),
            socket.close()
          ),
        {}
      )
      const command = `'${process.execPath}' '${program()}' -c ${url} -w -1 < /dev/null | (sleep 0.5; wc -c)`
      const { stdout } = yield* Effect.promise(() => promisify(execFile)("sh", ["-c", command]))
      assert.strictEqual(Number(stdout), 100 * (size + 1))
      const echo = yield* serve(undefined, { maxMessageSize: 10_000_000 })
      const large = "y".repeat(5_000_000)
      const returned = yield* wscat(["-c", echo.url, "--count", "1"], { input: `${large}\n` })
      assert.strictEqual(returned.output, `${large}\n`)
    })
  )

  it.live("ends quietly when nobody reads its output any more", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((socket) => Effect.forever(Effect.andThen(socket.send("more"), Effect.sleep(5))))
      const command = `{ '${process.execPath}' '${program()}' -c ${url} -w -1; echo "exit $?" >&2; } < /dev/null | head -n 2`
      const { stderr, stdout } = yield* Effect.promise(() => promisify(execFile)("sh", ["-c", command]))
      assert.deepStrictEqual([stdout, stderr], ["more\nmore\n", "exit 0\n"])
    })
  )

  it.live("closes with 1001 on a signal, and exits as shells expect", () =>
    Effect.gen(function* () {
      const { clients, url } = yield* serve()
      for (const [at, [signal, code]] of (
        [
          ["SIGINT", 130],
          ["SIGTERM", 143]
        ] as const
      ).entries()) {
        const running = yield* start(["-c", url])
        running.process.stdin.write("there\n")
        yield* running.until(/there/)
        running.process.kill(signal)
        assert.strictEqual((yield* running.ended).code, code)
        assert.strictEqual((yield* clients[at]?.closed ?? Effect.die("no client")).received?.code, 1001)
      }
    })
  )

  it.live("connects again with --retry, and loses nothing of the input", () =>
    Effect.gen(function* () {
      const received: Array<string> = []
      const all = Deferred.makeUnsafe<void>()
      let connections = 0
      const { port } = yield* serve((socket) => {
        // The first connection is broken off, as by a server that restarts.
        if (++connections === 1) return socket.close(1012, "restart")
        return Stream.runForEach(socket.messages, (message) =>
          Effect.sync(() => {
            received.push(String(message))
            if (received.length === 2) Deferred.doneUnsafe(all, Effect.void)
          })
        )
      })
      const running = yield* start(["-c", `127.0.0.1:${port}`, "--retry", "3"])
      yield* running.until(
        /the peer closed with 1012 \(service restarts\): "restart" \(hint: trying again in 0\.\d s\)/
      )
      running.process.stdin.end("one\ntwo\n")
      yield* Deferred.await(all)
      assert.deepStrictEqual(received, ["one", "two"])
      assert.strictEqual((yield* running.ended).code, 0)
    })
  )

  it.live("gives up after so many tries", () =>
    Effect.gen(function* () {
      const outcome = yield* wscat(["-c", "127.0.0.1:1", "--retry", "1"])
      assert.lengthOf(outcome.errors.match(/trying again/g) ?? [], 1)
      assert.strictEqual(outcome.code, 3)
    })
  )

  it.live("talks to wscat 6.1, on either end", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      // The original loses what comes before it is connected, so that it can only be told by -x.
      const other = yield* start(["-c", url, "-x", "from the original", "-w", "-1"], { file: original })
      yield* other.until(/from the original/)
      const listener = yield* start(["-l", "127.0.0.1:0"])
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      const client = yield* start(["-c", `ws://127.0.0.1:${port}/`, "-x", "to ours", "-w", "-1"], { file: original })
      yield* listener.until(/to ours/)
      listener.process.stdin.write("to the original\n")
      yield* client.until(/to the original/)
      // And the original listens; it can't be asked for a free port.
      const free = yield* Effect.scoped(Effect.map(serve(), ({ port }) => port))
      const originalListener = yield* start(["-l", String(free)], { file: original })
      yield* Effect.retry(Effect.scoped(Socket.connect(`ws://127.0.0.1:${free}/`)), Schedule.spaced(50))
      const ours = yield* wscat(["-c", `127.0.0.1:${free}`], { input: "to the original listener\n" })
      assert.strictEqual(ours.code, 0)
      yield* originalListener.until(/to the original listener/)
    })
  )
})
