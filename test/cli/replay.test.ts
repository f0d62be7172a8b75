import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { existsSync, readFileSync } from "node:fs"
import { differencesOf } from "../../src/internal/cli/commands/difference.ts"
import { folder } from "./support/files.ts"
import { start, wscat } from "./support/program.ts"
import { serve, serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** A server that answers each message with the same text in capitals. */
const shouting = () =>
  serve((socket) => Stream.runForEach(socket.messages, (message) => socket.send(String(message).toUpperCase())))

const marks = (expected: ReadonlyArray<string>, actual: ReadonlyArray<string>, ...ignored: ReadonlyArray<string>) =>
  differencesOf(expected, actual, new Set(ignored)).map(({ kind, message }) => `${kind} ${String(message)}`)

describe("differences", () => {
  it("are what is missing and what is new, beside the longest common part", () => {
    assert.deepStrictEqual(marks(["a", "b", "c"], ["a", "x", "c", "d"]), [
      "same a",
      "missing b",
      "extra x",
      "same c",
      "extra d"
    ])
    assert.deepStrictEqual(marks([], ["a"]), ["extra a"])
    assert.deepStrictEqual(marks(["a"], []), ["missing a"])
  })

  it("leave members of JSON messages out that are ignored", () => {
    assert.deepStrictEqual(marks(['{"id":1,"a":{"time":5,"b":2}}'], ['{"a":{"b":2,"time":6},"id":2}'], "id", "time"), [
      'same {"a":{"b":2,"time":6},"id":2}'
    ])
    assert.lengthOf(marks(['{"id":1}'], ['{"id":2}']), 2)
  })

  it("are found place by place in very long lists", () => {
    const long = Array.from({ length: 3000 }, (_, at) => String(at))
    assert.deepStrictEqual(
      marks(long, long.with(1500, "x")).filter((line) => !line.startsWith("same")),
      ["missing 1500", "extra x"]
    )
  })
})

describe("wscat --record and wscat replay", () => {
  for (const name of ["talk.jsonl", "talk.har"]) {
    it.live(`keep a conversation in ${name}, have it again, and show what is different`, () =>
      Effect.gen(function* () {
        const { url } = yield* shouting()
        const file = yield* folder()
        const path = file(name)
        const recorded = yield* wscat([url, "-x", "one", "-x", "two", "--count", "2", "--record", path])
        assert.deepStrictEqual([recorded.output, recorded.code], ["ONE\nTWO\n", 0])
        const again = yield* wscat(["replay", path])
        assert.deepStrictEqual([again.output, again.code], ["  ONE\n  TWO\n", 0])
        assert.match(again.errors, /^replayed in [\d.]+ s: 2 answers the same, 0 missing, 0 new\n$/)
        const other = yield* serve()
        const different = yield* wscat(["replay", path, other.url, "--fast", "-w", "0.3"])
        assert.deepStrictEqual([different.output, different.code], ["- ONE\n- TWO\n+ one\n+ two\n", 14])
        assert.match(different.errors, /\nerror: the answers differ from the recording/)
      })
    )
  }

  it.live("read the HAR file of a browser, with binary messages", () =>
    Effect.gen(function* () {
      const received: Array<readonly [data: string, isBinary: boolean]> = []
      const { url } = yield* serveWs((socket) =>
        socket.on("message", (data: Buffer, isBinary) => {
          received.push([data.toString("hex"), isBinary])
          socket.send(data, { binary: isBinary })
        })
      )
      const messages = [
        { type: "send", time: 1700000000.1, opcode: 1, data: "hi" },
        { type: "receive", time: 1700000000.2, opcode: 1, data: "hi" },
        { type: "send", time: 1700000000.3, opcode: 2, data: "AP8=" },
        { type: "receive", time: 1700000000.4, opcode: 2, data: "AP8=" }
      ]
      const entries = [
        { request: { url: "https://example.com/" } },
        { _resourceType: "websocket", request: { url }, _webSocketMessages: messages }
      ]
      const file = yield* folder({ "page.har": JSON.stringify({ log: { entries } }), "no.har": '{"log":{}}' })
      const outcome = yield* wscat(["replay", file("page.har")])
      assert.deepStrictEqual([outcome.output, outcome.code], ["  hi\n  [binary] AP8=\n", 0])
      assert.deepStrictEqual(received, [
        ["6869", false],
        ["00ff", true]
      ])
      const none = yield* wscat(["replay", file("no.har")])
      assert.match(none.errors, /^error: replay: there is no WebSocket conversation in .*no\.har/)
      assert.strictEqual(none.code, 2)
    })
  )

  it.live("keep the times of the original, or go faster", () =>
    Effect.gen(function* () {
      const times: Array<number> = []
      const { url } = yield* serve((socket) =>
        Stream.runForEach(socket.messages, () => Effect.sync(() => times.push(performance.now())))
      )
      const lines = [0, 800].map((at) =>
        JSON.stringify({ time: new Date(at).toISOString(), direction: "sent", opcode: "text", payload: String(at) })
      )
      const file = yield* folder({ talk: lines.join("\n") })
      const elapsed = function* (...args: ReadonlyArray<string>) {
        times.length = 0
        yield* wscat(["replay", file("talk"), url, "-w", "0", ...args])
        return (times[1] ?? 0) - (times[0] ?? 0)
      }
      assert.isAbove(yield* elapsed(), 700)
      const quick = yield* elapsed("--speed", "8")
      assert.isAbove(quick, 60)
      assert.isBelow(yield* elapsed("--fast"), 700)
    })
  )

  it.live("turn the side of a listener around, and play its part with --script", () =>
    Effect.gen(function* () {
      const file = yield* folder()
      const listener = yield* start(["-l", "127.0.0.1:0", "--record", file("talk"), "-x", "welcome", "--count", "1"])
      const [, port] = yield* listener.until(/Listening on port (\d+)/)
      yield* wscat([`127.0.0.1:${port}`, "-x", "hello", "-w", "-1"])
      yield* listener.ended
      assert.match(readFileSync(file("talk"), "utf8"), /"received".*"welcome"[^]*"sent".*"hello"/)
      const mock = yield* start(["-l", "127.0.0.1:0", "--script", file("talk")])
      const [, mockPort] = yield* mock.until(/Listening on port (\d+)/)
      const same = yield* wscat(["replay", file("talk"), `127.0.0.1:${mockPort}`, "-w", "0.5"])
      assert.deepStrictEqual([same.output, same.code], ["  welcome\n", 0])
      yield* wscat([`127.0.0.1:${mockPort}`], { input: "something else\n" })
      yield* mock.until(/error: client 2 sent something else where the script has hello\n/)
    })
  )

  it.live("say when a file can't be written", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const file = yield* folder()
      const { code, errors } = yield* wscat([url, "-x", "a", "--record", file("nowhere/talk")])
      assert.match(errors, /^error: --record: cannot write .*nowhere\/talk: there is no such file/)
      assert.strictEqual(code, 10)
      assert.isFalse(existsSync(file("nowhere")))
      if (!existsSync("/dev/full")) return
      const full = yield* wscat([url, "-x", "a", "--count", "1", "--record", "/dev/full"])
      assert.strictEqual(full.errors, "error: --record: cannot write /dev/full: no space is left (ENOSPC)\n")
      assert.deepStrictEqual([full.output, full.code], ["a\n", 10])
    })
  )
})
