import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { Socket } from "effect-ws"
import { execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../", import.meta.url))

/** Where the code of the pages is written: inside the project, so that it finds what a user's code would. */
const folder = join(root, "test", ".pages")

const pages = ["README.md", ...readdirSync(join(root, "docs")).map((page) => join("docs", page))].filter((page) =>
  page.endsWith(".md")
)

/** The TypeScript of a page, block by block. */
const blocksOf = (page: string): ReadonlyArray<string> =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code = ""]) => code)

const write = (): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const config = { extends: "../../tsconfig.json", include: ["*.ts"] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  for (const page of pages) {
    for (const [at, code] of blocksOf(page).entries()) {
      writeFileSync(join(folder, `${page.replaceAll(/\W/g, "-")}-${at}.ts`), `${code}\nexport {}\n`)
    }
  }
}

describe("the pages", () => {
  it("hold code that compiles", { timeout: 60_000 }, () => {
    write()
    const tsc = join(root, "node_modules", ".bin", "tsc")
    const output = execFileSync(tsc, ["-p", folder, "--noEmit"], { encoding: "utf8" })
    assert.strictEqual(output, "")
  })

  it("link to files that exist", () => {
    for (const page of pages) {
      for (const [, target = ""] of readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
        assert.isTrue(existsSync(join(root, page, "..", target)), `${page} links to ${target}`)
      }
    }
  })

  it.live("open with a server that runs as it stands", () =>
    Effect.gen(function* () {
      const [code = ""] = blocksOf("README.md")
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const hook = join(root, "test", "support", "resolve-src.mjs")
          const args = ["--import", hook, "--input-type=module-typescript", "--eval", code]
          return spawn(process.execPath, args, { cwd: root, stdio: "inherit" })
        }),
        (child) =>
          Effect.callback<void>((resume) => {
            child.once("exit", () => resume(Effect.void))
            child.kill("SIGINT")
          })
      )
      const socket = yield* Effect.retry(Socket.connect("ws://localhost:8080/"), Schedule.spaced(100))
      yield* socket.send("hello")
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(socket.messages, 1)), ["hello"])
    })
  )
})
