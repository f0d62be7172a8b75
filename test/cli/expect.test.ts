import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { fromCurl, shellWords } from "../../src/internal/cli/options/curl.ts"
import { Expectation } from "../../src/internal/cli/commands/expectation.ts"
import { wscat } from "./support/program.ts"
import { serveWs } from "./support/server.ts"

// Each run is a process, which takes its time on a machine that has much to do.

/** Whether messages meet what is expected. */
const met = function* (descriptions: ReadonlyArray<string>, ...messages: ReadonlyArray<string>) {
  const expectation = yield* Expectation.make(descriptions, 1)
  for (const message of messages) expectation.receive(message)
  return expectation.isMet
}

describe("wscat --expect", () => {
  it.effect("finds JSON that contains what is expected, patterns, and texts, in their order", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* met(['{"type":"ready"}'], '{"seq":1,"type":"ready"}'))
      assert.isTrue(yield* met(['{"a":{"b":[1]}}'], '{"a":{"b":[1,2],"c":3}}'))
      assert.isFalse(yield* met(['{"type":"ready"}'], '{"type":"no"}', "ready", "[]"))
      assert.isFalse(yield* met(['{"toString":1}'], "{}"))
      assert.isTrue(yield* met(["/^tick \\d+$/i"], "TICK 12"))
      assert.isTrue(yield* met(["/x/g"], "axa"))
      assert.isTrue(yield* met(["ready"], "not yet", "ready"))
      assert.isFalse(yield* met(["ready"], "already"))
      assert.isTrue(yield* met(["one", "two"], "one", "two"))
      assert.isFalse(yield* met(["one", "two"], "two", "one"))
    })
  )

  it.live("ends with 0 when it came, with codes of its own when it is late or the connection ended", () =>
    Effect.gen(function* () {
      const { url } = yield* serveWs((socket) => {
        socket.send('{"type":"hello"}')
        socket.on("message", (data: Buffer) => {
          if (String(data) === "close") socket.close(1000)
          else if (String(data) === "fail") socket.close(1011)
          else socket.send('{"type":"ready","seq":1}')
        })
      })
      const expecting = ["--expect", '{"type":"ready"}', "--within", "2s"]
      const ready = yield* wscat([url, ...expecting, "-x", "go"])
      assert.deepStrictEqual([ready.output, ready.code], ['{"type":"hello"}\n{"type":"ready","seq":1}\n', 0])
      const piped = yield* wscat([url, ...expecting], { input: "go\n" })
      assert.strictEqual(piped.code, 0)
      const late = yield* wscat([url, "--expect", '{"type":"ready"}', "--within", "200ms"])
      assert.deepStrictEqual([late.errors, late.code], ['error: {"type":"ready"} did not come within 0.2 s\n', 12])
      for (const end of ["close", "fail"]) {
        const { code, errors } = yield* wscat([url, ...expecting, "-x", end])
        assert.match(errors, /^error: the peer closed .* before \{"type":"ready"\} came\n$/)
        assert.strictEqual(code, 13)
      }
      const wrong = yield* wscat([url, "--expect", "/(/"])
      assert.match(wrong.errors, /^error: --expect \/\(\/ is not a regular expression/)
    })
  )
})

describe("wscat curl", () => {
  it("reads the words of a command as shells do", () => {
    assert.deepStrictEqual(shellWords(String.raw`curl 'a b' "c \"d\" \$e" f\ g $'h\'i\u00e9\n' j'k'l ''`), [
      "curl",
      "a b",
      'c "d" $e',
      "f g",
      "h'ié\n",
      "jkl",
      ""
    ])
    assert.deepStrictEqual(shellWords("curl \\\n  -H 'a: b' ^\r\n x"), ["curl", "-H", "a: b", "x"])
    assert.throws(() => shellWords("curl 'open"), /ends inside quotes/)
  })

  it("takes what means something to a WebSocket", () => {
    const command = `curl 'wss://example.com/socket' \\
  -H 'Origin: https://example.com' \\
  -H 'Sec-WebSocket-Version: 13' \\
  -A 'Browser/1' -b 'a=1; b=2' --compressed -k -X GET --insecure`
    assert.deepStrictEqual(fromCurl([command, "-x", "hello"]), [
      "--header=Origin: https://example.com",
      "--header=Sec-WebSocket-Version: 13",
      "--header=User-Agent: Browser/1",
      "--cookie=a=1; b=2",
      "--no-check",
      "--no-check",
      "--connect=wss://example.com/socket",
      "-x",
      "hello"
    ])
    assert.deepStrictEqual(fromCurl(["-HA: b", "--url", "ws://h/", "-o", "file", "-s"]), [
      "--header=A: b",
      "--connect=ws://h/"
    ])
    assert.throws(() => fromCurl(["curl -k"]), /has no URL/)
  })

  it.live("connects as the command would", () =>
    Effect.gen(function* () {
      const tokens: Array<string | undefined> = []
      const { url } = yield* serveWs((socket, { headers }) => {
        tokens.push(headers.authorization)
        socket.on("message", (data: Buffer) => socket.send(`got ${String(data)}`))
      })
      const command = `curl '${url}' -H 'Authorization: Bearer t' -H 'Upgrade: websocket' --compressed`
      const outcome = yield* wscat(["curl", command, "-x", "hello", "--count", "1", "-q"])
      assert.deepStrictEqual([outcome.output, outcome.errors, outcome.code], ["got hello\n", "", 0])
      assert.deepStrictEqual(tokens, ["Bearer t"])
    })
  )
})
