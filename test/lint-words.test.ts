import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { wordsOf } from "../scripts/lint-words.ts"

const found = (text: string, file = "src/Handshake.ts") => wordsOf(file, text).map(({ word }) => word.toLowerCase())

/** The terms of the glossary's left column, without what is said about them in brackets. */
const terms = [
  ...readFileSync(new URL("../docs/language.md", import.meta.url), "utf8").matchAll(/^\| (?!not\b|-)(.*?) +\|/gm)
]
  .flatMap(([, cell = ""]) => cell.replaceAll(/\(.*?\)|`/g, "").split(","))
  .map((term) => term.trim())

describe("lint:words", () => {
  it("finds each word of the glossary's left column", () => {
    assert.isAbove(terms.length, 30)
    for (const term of terms) {
      const text =
        term === "most…" ? "const mostBytes = 1" : term.startsWith("what is") ? "/** What one read brought. */" : term
      assert.isNotEmpty(found(text), term)
    }
  })

  it("finds words in identifiers, comments and strings, with their line", () => {
    assert.deepStrictEqual(found("const socketFace = keepUp()"), ["face", "keep up"])
    assert.deepStrictEqual(
      wordsOf("src/a.ts", 'const a = 1\nconst b = "nobody reads"').map(({ line, word }) => [line, word]),
      [[2, "nobody"]]
    )
  })

  it("leaves parts of other words, terms of the field and proxies alone", () => {
    for (const text of [
      "interface Surface {}",
      "a server behind a proxy",
      "410 Gone",
      "policy violation",
      "HTTP tellurium"
    ]) {
      assert.isEmpty(found(text), text)
    }
    assert.isEmpty(found("a room", "examples/chat/server.ts"))
  })
})
