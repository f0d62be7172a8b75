import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schedule, Stream } from "effect"
import { Socket } from "effect-ws"
import { execFile, execFileSync, spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { parse } from "yaml"

const root = fileURLToPath(new URL("../", import.meta.url))

/** Where the code of the pages is written: inside the project, so that it finds what a user's code would. */
const folder = join(root, "test", ".pages")

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).map((page) => join("docs", page)),
  ...readdirSync(join(root, "packages")).map((name) => join("packages", name, "README.md"))
].filter((page) => page.endsWith(".md"))

const read = (page: string): string => readFileSync(join(root, page), "utf8")

/** How a block in another language is checked. Configurations of proxies run in `test/proxies/`. */
const checks: Readonly<Record<string, (code: string) => void>> = {
  json: (code) => void JSON.parse(code),
  yaml: (code) => void parse(code),
  js: (code) => void execFileSync(process.execPath, ["--check", "--input-type=module", "-"], { input: code }),
  sh: (code) => void execFileSync("bash", ["-n"], { input: code }),
  ini: (code) => assert.match(code, /^\[\w+\]$/m)
}

/** Languages whose blocks are checked elsewhere, or are output. */
const unchecked = /^(?:ts|typescript|tsx|html|http|text|console|diff|nginx|haproxy|apache|caddyfile|vcl)?(?: .*)?$/

/** GitHub's anchors of a page. */
const anchorsOf = (page: string): ReadonlySet<string> => {
  const text = read(page).replaceAll(/^```[^]*?^```$/gm, "")
  const seen = new Map<string, number>()
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => {
      const slug = heading
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
        .replaceAll(" ", "-")
      const count = seen.get(slug) ?? 0
      seen.set(slug, count + 1)
      return count === 0 ? slug : `${slug}-${count}`
    })
  )
}

/** The address of the repository's files: on npm's page relative links lead nowhere. */
const repository = "https://github.com/effect-ws/effect-ws/blob/main/"

/**
 * What a block's info string asks for, beside being compiled as all are: plain `ts` is compiled alone, `ts run` is a
 * program that must end by itself and without an error, and `ts run=vitest` a file of tests that must pass.
 */
type Use = "compile" | "run" | "vitest"

interface Block {
  readonly file: string
  readonly code: string
  readonly use: Use
}

const uses: Readonly<Record<string, Use>> = { ts: "compile", "ts run": "run", "ts run=vitest": "vitest" }

/** The TypeScript of a page, block by block. */
const blocksOf = (page: string): ReadonlyArray<Block> =>
  [...read(page).matchAll(/^```((?:ts|typescript|tsx)\b.*)\n([^]*?)^```$/gm)].map(([, info = "", code = ""], at) => {
    const use = uses[info]
    if (use === undefined) throw new Error(`${page}: a block can't be \`${info}\``)
    return { file: `${page.replaceAll(/\W/g, "-")}-${at}${use === "vitest" ? ".test" : ""}.ts`, code, use }
  })

const blocks = pages.flatMap(blocksOf)

/** The examples of the docstrings, file by file. */
const examplesOf = (file: string): ReadonlyArray<Block> =>
  [...readFileSync(join(root, "src", file), "utf8").matchAll(/^ *\* ```(.*)\n([^]*?)^ *\* ```$/gm)].map(
    ([, info = "", code = ""], at) => {
      if (info !== "ts") throw new Error(`${file}: an example can't be \`${info}\``)
      const lines = code.split("\n").map((line) => line.replace(/^ *\* ?/, ""))
      return { file: `src-${file.replaceAll(/\W/g, "-")}-${at}.ts`, code: lines.join("\n"), use: "run" }
    }
  )

const examples = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .flatMap(examplesOf)

const write = (): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const config = { extends: "../../tsconfig.json", include: ["*.ts"] }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
  for (const { code, file } of [...blocks, ...examples]) writeFileSync(join(folder, file), `${code}\nexport {}\n`)
  const imports = examples.map(({ file }) => `console.log("${file}")\nawait import("./${file}")\n`)
  writeFileSync(join(folder, "examples.mjs"), imports.join(""))
}

const run = promisify(execFile)

const hook = join(root, "test", "support", "resolve-src.mjs")

beforeAll(write)

describe("the pages and the docstrings", () => {
  it("hold code that compiles", async () => {
    const tsc = join(root, "node_modules", ".bin", "tsc")
    const { stdout } = await run(tsc, ["-p", folder, "--noEmit"]).catch((failure) => failure)
    assert.strictEqual(stdout, "")
  })

  for (const { file } of blocks.filter(({ use }) => use === "run")) {
    it(`hold a program that runs: ${file}`, async () => {
      await run(process.execPath, ["--import", hook, join(folder, file)], { cwd: root, timeout: 300_000 })
    })
  }

  it("are joined by docstrings whose examples run", async () => {
    assert.isAbove(examples.length, 0)
    const program = join(folder, "examples.mjs")
    // The last line that it prints names the example that failed, or didn't end.
    const { stderr, stdout } = await run(process.execPath, ["--import", hook, program], { timeout: 500_000 }).catch(
      (failure) => failure
    )
    assert.strictEqual(stderr, "", stdout)
    const printed = new Set(stdout.split("\n"))
    for (const { file } of examples) assert.isTrue(printed.has(file), `${file} didn't run: ${stdout}`)
  })

  it("hold tests that pass", async () => {
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs")
    const files = blocks.filter(({ use }) => use === "vitest").map(({ file }) => join(folder, file))
    assert.isAbove(files.length, 0)
    await run(process.execPath, [vitest, "run", ...files], { cwd: root, timeout: 500_000 })
  })

  it("hold no program that swallows its error", () => {
    // `NodeRuntime.runMain` shows it, and so does a rejection that is awaited.
    for (const { code, file } of blocks) {
      assert.notMatch(code, /^Effect\.run(?:Fork\((?!Effect\.tapCause)|Promise\()/m, file)
    }
  })

  it("hold blocks in other languages that parse", () => {
    for (const page of pages) {
      for (const [, language = "", code = ""] of read(page).matchAll(/^```(.*)\n([^]*?)^```$/gm)) {
        const check = checks[language]
        if (check === undefined) assert.match(language, unchecked, page)
        else assert.doesNotThrow(() => check(code), undefined, undefined, `${page}: ${code}`)
      }
    }
  })

  it("link to files and headings that exist", () => {
    const link = /\]\((?!(?!https:\/\/github\.com\/effect-ws\/)[a-z]+:)([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm
    for (const page of pages) {
      for (const [, inline = "", reference = ""] of read(page).matchAll(link)) {
        const own = `${inline}${reference}`.startsWith(repository)
        const [path = "", anchor] = `${inline}${reference}`.replace(repository, "").split("#")
        if (/^https?:/.test(path)) continue
        const file = path === "" ? page : own ? path : join(page, "..", path)
        assert.isTrue(existsSync(join(root, file)), `${page} links to ${path}`)
        if (anchor === undefined || !file.endsWith(".md")) continue
        assert.include([...anchorsOf(file)], anchor, `${page} links to ${path}#${anchor}`)
      }
    }
  })

  it("work on npm's page: those of packages have absolute links, and the first one is short", () => {
    for (const page of pages.filter((page) => page.endsWith("README.md"))) {
      for (const [, target = ""] of read(page).matchAll(/\]\(([^)]+)\)/g)) assert.match(target, /^(?:https:|#)/, page)
    }
    assert.isBelow(read("README.md").split("\n").length, 151)
  })

  it.live("open with a server that runs as it stands", () =>
    Effect.gen(function* () {
      const [first] = blocksOf("README.md")
      const code = first?.code ?? ""
      yield* Effect.acquireRelease(
        Effect.sync(() => {
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
