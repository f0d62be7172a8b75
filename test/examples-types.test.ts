/** The examples as a user's compiler checks them: against the declarations that are published, and those too. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const root = fileURLToPath(new URL("../", import.meta.url))

/** Where the declarations are written: inside the project, so that they find what a user's would. */
const folder = join(root, "test", ".examples")

const tsc = join(root, "node_modules", ".bin", "tsc")

const run = promisify(execFile)

const options = {
  noEmit: true,
  target: "es2023",
  // Effect's own declarations need those of the DOM.
  lib: ["es2024", "dom", "dom.iterable"],
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  allowImportingTsExtensions: true,
  paths: {
    "effect-ws": ["./types/index.d.ts"],
    "effect-ws/ws": ["./types/ws/index.d.ts"],
    "effect-ws/ws/legacy": ["./types/ws/legacy/index.d.ts"],
    "effect-ws/*": ["./types/*.d.ts"]
  }
}

const resolutions = [
  { moduleResolution: "nodenext", module: "nodenext" },
  { moduleResolution: "bundler", module: "esnext" }
]

/** The client of NATS has classes that aren't what they say they implement, under `exactOptionalPropertyTypes`. */
const others = /^node_modules\/@nats-io\/nats-core\/lib\/(?:nats|msg)\.d\.ts\(.*error TS2420/

beforeAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const emit = ["--noCheck", "--emitDeclarationOnly", "--declarationMap", "false", "--outDir", join(folder, "types")]
  await run(tsc, ["-p", join(root, "tsconfig.build.json"), ...emit])
})

describe("the examples", () => {
  for (const resolution of resolutions) {
    it(`compile under ${resolution.moduleResolution}, declarations included`, async () => {
      const config = join(folder, `tsconfig.${resolution.moduleResolution}.json`)
      const include = ["../../examples/**/*.ts", "types"]
      writeFileSync(config, JSON.stringify({ compilerOptions: { ...options, ...resolution }, include }))
      const { stdout } = await run(tsc, ["-p", config], { cwd: root }).catch((failure) => failure)
      const errors = String(stdout)
        .split("\n")
        .filter((line) => /^\S/.test(line) && !others.test(line))
      assert.deepStrictEqual(errors, [])
    })
  }

  it("need no cast", () => {
    const files = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" })
    const programs = files.filter((file) => file.endsWith(".ts"))
    assert.isAbove(programs.length, 10)
    for (const file of programs) {
      const code = readFileSync(join(root, "examples", file), "utf8").replaceAll(/\/\*[^]*?\*\/|\/\/.*$/gm, "")
      const casts = code.split("\n").filter((line) => / as (?!const\b)/.test(line) && !/\bimport\b/.test(line))
      assert.deepStrictEqual(casts, [], file)
    }
  })
})
