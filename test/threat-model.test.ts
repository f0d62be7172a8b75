import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { defaults } from "../src/internal/socket/options.ts"

const page = readFileSync(new URL("../docs/threat-model.md", import.meta.url), "utf8")
const source = (path: string): string => readFileSync(new URL(`../src/${path}`, import.meta.url), "utf8")

/** The row of a threat in the table of the defaults. */
const row = (threat: string): string => page.split("\n").find((line) => line.startsWith(`| ${threat}`)) ?? ""

const kib = (bytes: number): string => `${bytes / 1024} KiB`
const seconds = (millis: number): string => `${millis / 1000} seconds`

describe("docs/threat-model.md", () => {
  it("has the defaults that are in force", () => {
    assert.include(row("a message without end"), `${defaults.maxMessageSize / 1024 / 1024} MiB (\`maxMessageSize\`)`)
    assert.include(row("a client that doesn't read"), `from ${kib(defaults.bufferSize)} on (\`writeBufferSize\`)`)
    assert.include(row("a server program that doesn't read"), `${kib(defaults.bufferSize)} wait (\`readBufferSize\`)`)
    assert.include(row("a handshake that never ends"), seconds(defaults.timeout))
    assert.include(
      row("peers that are gone"),
      `every ${seconds(defaults.keepAlive)}, dead ${seconds(defaults.keepAlive)} later`
    )
    assert.include(row("peers that are gone"), `${seconds(defaults.timeout)} for the closing handshake`)
    // Constants that their modules keep to themselves.
    assert.match(source("internal/socket/receiveBuffer.ts"), /^const overhead = 64$/m)
    assert.include(row("tiny fragments"), "counts 64 bytes each")
    assert.match(source("internal/server/admission.ts"), /^const defaultMaxHandshakes = 1024$/m)
    assert.include(page, "Handshakes under way are limited to 1 024")
    assert.match(source("internal/server/http2Server.ts"), /^const defaultStreams = 256$/m)
    assert.include(page, "up to 256 sockets")
  })

  it("names only options that there are", () => {
    const options = ["socket/model.ts", "server/model.ts", "observability/options.ts"].map((path) =>
      source(`internal/${path}`)
    )
    const named = [
      ...page.matchAll(/`(max\w+|\w+Timeout|\w+BufferSize|trustedProxies|origins|http2|propagation|tracing)\b/g)
    ]
    assert.isAtLeast(named.length, 12)
    for (const [, name] of named) {
      if (name === "headersTimeout") continue
      assert.isTrue(
        options.some((text) => text.includes(`readonly ${name}?:`)),
        name
      )
    }
  })
})
