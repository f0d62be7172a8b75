import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { program } from "./support/program.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8"))

/** The bundle that the tests of the command line run. */
const bundle = join(dirname(program()), "..", "dist", "wscat.cjs")

const licenses = `${bundle}.LICENSES.txt`

describe("@effect-ws/wscat", () => {
  const manifest = read("packages/wscat/package.json")

  it("has the version of effect-ws, two names for one file, and no dependencies", () => {
    assert.strictEqual(manifest.version, read("package.json").version)
    assert.deepStrictEqual(manifest.bin, { wsc: "./dist/wscat.cjs", wscat: "./dist/wscat.cjs" })
    for (const kind of ["dependencies", "optionalDependencies", "peerDependencies"]) {
      assert.notProperty(manifest, kind)
    }
    assert.strictEqual(manifest.engines.node, ">=20")
  })

  it("is one file that needs no other, with the licences of what it contains", () => {
    const output = execFileSync(process.execPath, [bundle, "--version"], { cwd: "/", encoding: "utf8" })
    assert.strictEqual(output, `${manifest.version}\n`)
    const code = readFileSync(bundle, "utf8")
    assert.match(code, /^#!\/usr\/bin\/env node\n/)
    for (const [, name] of code.matchAll(/\brequire\((["'`])(?!node:)[\w@./-]*\1\)/g)) assert.fail(`requires ${name}`)
    assert.match(readFileSync(licenses, "utf8"), /^effect \d+\.\d+\.\d+ \(MIT\)\n\nMIT License\n/)
  })

  it("takes less than 1 MB on disk", () => {
    const files = [
      bundle,
      licenses,
      join(dirname(bundle), "wscat.1"),
      ...["package.json", "README.md", "LICENSE"].map((name) => join(root, "packages/wscat", name))
    ]
    const size = files.reduce((sum, file) => sum + statSync(file).size, 0)
    assert.isBelow(size, 1_000_000)
  })
})
