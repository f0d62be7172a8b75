import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { bundle } from "./bundle.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** What a file of the sources imports when it runs. */
const importsOf = (file: string): ReadonlyArray<string> => {
  const source = readFileSync(join(root, "src", file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "")
  const statements = source.matchAll(/^(?:import|export)\s+(?!type\s)(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm)
  return [...statements].map(([, to = ""]) => (to.startsWith(".") ? normalize(join(dirname(file), to)) : to))
}

/** All that is imported from a file on. */
const reach = (file: string, found = new Set<string>()): ReadonlySet<string> => {
  for (const to of importsOf(file)) {
    if (found.has(to)) continue
    found.add(to)
    if (to.endsWith(".ts")) reach(to, found)
  }
  return found
}

const program = (code: string): string => `
  import { Effect, Schema, Stream } from "effect"
  import { Socket } from "effect-ws/browser"
  Effect.runFork(Effect.scoped(${code}))
`

/** The programs of docs/browser.md. */
const programs: Readonly<Record<string, string>> = {
  "Effect and Stream alone": `
    import { Effect, Stream } from "effect"
    Effect.runFork(Effect.scoped(Effect.flatMap(
      Effect.acquireRelease(Effect.callback((resume) => { globalThis.open = resume }), () => Effect.void),
      (pull) => Stream.runForEach(Stream.fromPull(pull), Effect.log)
    )))`,
  "`Socket.connect`": program(
    `Effect.flatMap(Socket.connect("/ws"), ({ messages }) => Stream.runForEach(messages, Effect.log))`
  ),
  "`Socket.reconnecting`": program(
    `Effect.flatMap(Socket.reconnecting("/ws"), ({ messages }) => Stream.runForEach(messages, Effect.log))`
  ),
  "`Socket.connect` and `Socket.withSchema`": program(
    `Effect.flatMap(Socket.connect("/ws"), (socket) =>
      Stream.runForEach(Socket.withSchema(socket, Schema.Struct({ count: Schema.Int })).messages, Effect.log))`
  )
}

describe("effect-ws/browser", () => {
  it("imports nothing of Node, and of Effect what is stable", () => {
    const outside = [...reach("browser.ts")].filter((to) => !to.endsWith(".ts"))
    assert.isNotEmpty(outside)
    for (const module of outside) assert.match(module, /^effect\/[A-Z]/)
  })

  it("is bundled for a page, without what it doesn't use", async () => {
    const all = await bundle({ code: `export * from "effect-ws/browser"` }, "source")
    assert.deepStrictEqual(all.imports, [])
    for (const name of builtinModules) assert.notInclude(all.code, `"node:${name}"`)
    const { modules } = await bundle({ code: programs["`Socket.connect`"] ?? "" }, "source")
    assert.include(modules, "src/internal/browser/socket.ts")
    for (const unused of ["connectagain", "schema", "model", "frame", "connection"]) {
      assert.isFalse(
        modules.some((id) => id.toLowerCase().endsWith(`/${unused}.ts`)),
        unused
      )
    }
  })

  it("is as large as docs/browser.md says", async () => {
    const page = readFileSync(join(root, "docs/browser.md"), "utf8")
    for (const [name, code] of Object.entries(programs)) {
      const { code: minified, gzip } = await bundle({ code }, "source")
      const row = page.split("\n").find((line) => line.startsWith(`| ${name} `))
      const [raw = 0, compressed = 0] = [...(row ?? "").matchAll(/([\d.]+) kB/g)].map(([, kB]) => Number(kB))
      const told = `${name}: ${(minified.length / 1000).toFixed(1)} kB, ${(gzip / 1000).toFixed(1)} kB`
      assert.approximately(raw * 1000, minified.length, minified.length / 20, told)
      assert.approximately(compressed * 1000, gzip, gzip / 20, told)
    }
  })
})
