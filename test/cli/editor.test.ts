import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { readFileSync, statSync } from "node:fs"
import { isOpenJson } from "../../src/internal/cli/terminal/editor.ts"
import { folder } from "./support/files.ts"
import { serve } from "./support/server.ts"
import { missing, terminal } from "./support/terminal.ts"

// Each run is a process, which takes its time on a machine that has much to do.

const shows = (line: string) => (lines: ReadonlyArray<string>) => lines.includes(line)

/** Once as it was entered, once as it came back. */
const showsTwice = (line: string) => (lines: ReadonlyArray<string>) =>
  lines.filter((other) => other === line).length === 2

/** A server that echoes, and keeps what it received. */
const listening = Effect.gen(function* () {
  const received: Array<string> = []
  const { url } = yield* serve((socket) =>
    Stream.runForEach(socket.messages, (message) => {
      received.push(String(message))
      return socket.send(message)
    })
  )
  return { url, received }
})

describe("text that begins a JSON value", () => {
  it("is open until its brackets are closed, where it has several lines", () => {
    for (const open of ['{\n"a": 1', "[1,\n{", '{\n"a": "}"', '{\n"a']) assert.isTrue(isOpenJson(open), open)
    for (const closed of ['{"a', "{\n}", "text\n{", "[1,\n2]", "{\n\n", '{\n"a": "{"}']) {
      assert.isFalse(isOpenJson(closed), closed)
    }
  })
})

describe.skipIf(missing !== undefined)("the editor", () => {
  it.live("sends what is pasted as one message, line feeds included", () =>
    Effect.gen(function* () {
      const { received, url } = yield* listening
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      screen.pasteMarked("one\ntwo\n")
      yield* screen.until(shows("> one␊two"))
      screen.type("!")
      screen.press("Enter")
      const lines = yield* screen.until(showsTwice("| two!"))
      assert.includeMembers([...lines], ["> one", "| two!", "< one"])
      assert.deepStrictEqual(received, ["one\ntwo!"])
    })
  )

  it.live("goes on with a JSON value of several lines until it is complete", () =>
    Effect.gen(function* () {
      const { received, url } = yield* listening
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      screen.pasteMarked('{\n"a": 1')
      screen.press("Enter")
      yield* screen.until(shows('> {␊"a": 1␊'))
      screen.type("}")
      screen.press("Enter")
      yield* screen.until(showsTwice("| }"))
      assert.deepStrictEqual(received, ['{\n"a": 1\n}'])
    })
  )

  it.live("keeps the history across sessions, and finds lines in it with CTRL+R", () =>
    Effect.gen(function* () {
      const { received, url } = yield* listening
      const file = yield* folder()
      const env = { WSCAT_HISTORY: file("below/history") }
      const first = yield* terminal(["-c", url], { env })
      yield* first.until(shows(">"))
      for (const line of ["subscribe trades", "subscribe quotes", "bye", " a secret"]) {
        first.type(line)
        first.press("Enter")
      }
      yield* first.until(shows("<  a secret"))
      first.press("C-c")
      yield* first.until(shows("exit 0"))
      assert.strictEqual(readFileSync(env.WSCAT_HISTORY, "utf8"), '"subscribe trades"\n"subscribe quotes"\n"bye"\n')
      assert.strictEqual(statSync(env.WSCAT_HISTORY).mode & 0o777, 0o600)
      received.length = 0
      const second = yield* terminal(["-c", url], { env })
      yield* second.until(shows(">"))
      second.press("Up")
      yield* second.until(shows("> bye"))
      second.press("C-u", "C-r")
      second.type("sub")
      yield* second.until(shows("search: sub  subscribe quotes"))
      second.press("C-r")
      yield* second.until(shows("search: sub  subscribe trades"))
      second.press("Enter")
      yield* second.until(shows("< subscribe trades"))
      second.press("C-r")
      second.type("quo")
      yield* second.until(shows("search: quo  subscribe quotes"))
      second.press("C-e")
      second.type("!")
      yield* second.until(shows("> subscribe quotes!"))
      second.press("Enter")
      yield* second.until(shows("< subscribe quotes!"))
      second.press("C-r")
      second.type("nothing like it")
      yield* second.until(shows("search: nothing like it"))
      second.press("C-g")
      yield* second.until((lines) => lines.at(-1) === ">")
      assert.deepStrictEqual(received, ["subscribe trades", "subscribe quotes!"])
    })
  )

  it.live("moves and deletes by what a reader takes for a character", () =>
    Effect.gen(function* () {
      const { received, url } = yield* listening
      const screen = yield* terminal(["-c", url])
      yield* screen.until(shows(">"))
      const [family, accented] = ["👨\u200d👩\u200d👧", "e\u0301"]
      screen.type(`a${family}b${accented}`)
      screen.press("Left", "Left", "BSpace")
      screen.type("-")
      screen.press("Right", "Delete", "Enter")
      yield* screen.until((lines) => lines.some((line) => line.startsWith("< ")))
      assert.deepStrictEqual(received, ["a-b"])
    })
  )
})
