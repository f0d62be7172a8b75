import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { program, start, wscat } from "./support/program.ts"
import { serve, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** Numbered lines. */
const lines = (count: number): string => Array.from({ length: count }, (_, at) => `line ${at}\n`).join("")

/** A program whose output goes to a file; its exit code and its errors. */
const writingTo = (file: string, args: ReadonlyArray<string>, input: string) =>
  Effect.callback<readonly [code: number | null, errors: string]>((resume) => {
    const child = spawn("/bin/sh", ["-c", `exec "$0" "$@" > ${file}`, process.execPath, program(), ...args])
    let errors = ""
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()))
    child.stdin.end(input)
    child.once("close", (code) => resume(Effect.succeed([code, errors])))
  })

describe("wscat in a script loses nothing", () => {
  it.live("prints every row of one answer", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) =>
        socket.on("message", () => {
          for (let row = 0; row < 2000; row++) socket.send(`row ${row} ${"x".repeat(90)}`)
        })
      )
      const { code, output } = yield* wscat([url], { input: "query\n" })
      assert.strictEqual(output.split("\n").length - 1, 2000)
      assert.match(output, /\nrow 1999 x{90}\n$/)
      assert.strictEqual(code, 0)
    })
  )

  it.live("prints the echo of 30 000 lines", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) =>
        socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }))
      )
      const input = lines(30_000)
      const { code, output } = yield* wscat([url], { input })
      assert.isTrue(output === input, `${output.split("\n").length - 1} lines came back`)
      assert.strictEqual(code, 0)
    })
  )

  it.live("waits for silence after the end of the input, and no longer with -w 0", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((socket) =>
        Stream.runForEach(socket.messages, () =>
          Effect.gen(function* () {
            // Longer in all than the wait: each answer begins it anew.
            for (const answer of ["one", "two", "three", "four"]) {
              yield* Effect.sleep(300)
              yield* socket.send(answer)
            }
          })
        )
      )
      const patient = yield* wscat([url, "-w", "1"], { input: "go\n" })
      assert.deepStrictEqual([patient.output, patient.code], ["one\ntwo\nthree\nfour\n", 0])
      const hasty = yield* wscat([url, "-w", "0"], { input: "go\n" })
      assert.deepStrictEqual([hasty.output, hasty.code], ["", 0])
    })
  )

  it.live("keeps a carriage return of --binary, and of no other line", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      assert.strictEqual((yield* wscat([url, "--binary"], { input: "a\r\nb\n" })).output, "a\r\nb\n")
      assert.strictEqual((yield* wscat([url], { input: "a\r\nb\n" })).output, "a\nb\n")
    })
  )

  it.live("ends with a code of its own when --count messages did not come", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => {
        socket.send("one")
        socket.send("two")
        socket.close(1000)
      })
      const short = yield* wscat([url, "--count", "3"])
      assert.deepStrictEqual(
        [short.output, short.errors, short.code],
        ["one\ntwo\n", "error: 2 of 3 messages came before the connection ended\n", 11]
      )
      assert.strictEqual((yield* wscat([url, "--count", "2"])).code, 0)
    })
  )

  const noFull = !existsSync("/dev/full")
  if (noFull) console.warn("skipped: there is no /dev/full, whose writes fail")
  it.live.skipIf(noFull)("fails with a code of its own when the output can't be written", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const error = "error: cannot write the output: no space is left (ENOSPC)\n"
      assert.deepStrictEqual(yield* writingTo("/dev/full", [url], "hello\n"), [10, error])
      assert.deepStrictEqual(yield* writingTo("/dev/full", ["--help"], ""), [10, error])
      assert.deepStrictEqual(yield* writingTo("/dev/full", ["doctor", url], ""), [10, error])
    })
  )

  it.live("ends quietly when the reader of its output is gone", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => socket.on("message", () => socket.send("x".repeat(100_000))))
      const running = yield* start([url, "-w", "-1"])
      running.process.stdin.write("one\n")
      yield* running.until(/x/)
      running.process.stdout.destroy()
      running.process.stdin.write("two\nthree\n")
      const { code, errors } = yield* running.ended
      assert.deepStrictEqual([code, errors], [0, ""])
    })
  )
})

describe("wscat -l in a script", () => {
  it.live("sends what looks like a command as it is, and announces itself on the standard error", () =>
    Effect.gen(function* () {
      const listener = yield* start(["-l", "127.0.0.1:0"])
      const [, port] = yield* listener.until(/^Listening on port (\d+) \(press CTRL\+C to quit\)\n/)
      const client = yield* start([`127.0.0.1:${port}`, "--count", "3"])
      listener.process.stdin.write("/to 1 hello\n/close 1000\n/help\n")
      assert.strictEqual((yield* client.ended).output, "/to 1 hello\n/close 1000\n/help\n")
      assert.strictEqual(listener.output(), "")
    })
  )
})
