import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { builtinModules } from "node:module"
import { dirname, join, normalize } from "node:path"
import { fileURLToPath } from "node:url"
import { measure, written } from "../../scripts/browser-sizes.ts"
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

const connecting = `
  import { Effect, Stream } from "effect"
  import { Socket } from "effect-ws/browser"
  Effect.runFork(Effect.scoped(
    Effect.flatMap(Socket.connect("/ws"), ({ messages }) => Stream.runForEach(messages, Effect.log))
  ))
`

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
    const { modules } = await bundle({ code: connecting }, "source")
    assert.include(modules, "src/internal/browser/socket.ts")
    for (const unused of ["connectagain", "schema", "model", "frame", "connection"]) {
      assert.isFalse(
        modules.some((id) => id.toLowerCase().endsWith(`/${unused}.ts`)),
        unused
      )
    }
  })

  it("is as large as docs/browser.md says, and with esbuild at most 1.3 times as large as with rolldown", async () => {
    const tables = await measure()
    const figures = written()
    assert.strictEqual(figures.size, 8)
    for (const { bundler, rows } of tables) {
      for (const { modules, name, namespaces } of rows) {
        const found = figures.get(`${bundler}: ${name}`) ?? []
        const measured = [modules.minified, modules.gzip, namespaces.minified, namespaces.gzip]
        assert.strictEqual(found.length, 4, `${bundler}: ${name}`)
        for (const [at, bytes] of measured.entries()) {
          const said = `${bundler}: ${name}: ${measured.join(", ")}; run npm run docs:sizes`
          assert.approximately(found[at] ?? 0, bytes, bytes / 20, said)
        }
      }
    }
    const [rolldown, esbuild] = tables
    for (const [at, { modules, name }] of (esbuild?.rows ?? []).entries()) {
      assert.isAtMost(modules.minified, 1.3 * (rolldown?.rows[at]?.modules.minified ?? 0), name)
    }
  })
})
