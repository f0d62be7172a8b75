/** The command line as it is installed: built from the sources as they are, and run as a process. */
import { Effect, type Scope } from "effect"
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync
} from "node:fs"
import { join } from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../../", import.meta.url))

/** Inside `node_modules`, so that the package finds what it depends on. */
const builds = join(root, "node_modules", ".cache", "wscat")

const sourcesHash = (): string => {
  const hash = createHash("sha256")
  const files = ["src", "bin", "packages", "scripts"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) => join(folder, file))
  )
  for (const file of [...files, "package.json"].toSorted()) {
    if (/\.(?:ts|js|json)$/.test(file)) hash.update(file).update(readFileSync(join(root, file)))
  }
  return hash.digest("hex").slice(0, 16)
}

const day = 24 * 60 * 60 * 1000

/** Removes builds of earlier days; those of today may be in use. */
const forgetOld = (): void => {
  for (const name of readdirSync(builds)) {
    const path = join(builds, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity
    if (Date.now() - changed > day) rmSync(path, { recursive: true, force: true })
  }
}

/** The folder of the built package: what `npm pack` would put into it. */
const build = (): string => {
  const folder = join(builds, sourcesHash())
  if (existsSync(folder)) return folder
  mkdirSync(builds, { recursive: true })
  forgetOld()
  // Another worker may be building: the first to be done is taken.
  const unfinished = mkdtempSync(join(builds, "build-"))
  const script = join(root, "packages", "wscat", "build.ts")
  execFileSync(process.execPath, [script, join(unfinished, "dist", "wscat.cjs")])
  cpSync(join(root, "bin"), join(unfinished, "bin"), { recursive: true })
  cpSync(join(root, "package.json"), join(unfinished, "package.json"))
  try {
    renameSync(unfinished, folder)
  } catch {
    rmSync(unfinished, { recursive: true })
  }
  return folder
}

let built: string | undefined

/** The path of the program. */
export const program = (): string => join((built ??= build()), "bin", "wscat.js")

/** The path of wscat 6.1. */
export const original = join(root, "node_modules", "wscat", "bin", "wscat")

/** How a program ended, and what it wrote. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
  /** The output as it is. */
  readonly bytes: Buffer
  readonly errors: string
}

/** A program under way. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams
  /** What it wrote so far. */
  readonly output: () => string
  readonly errors: () => string
  /** Waits until the output or the errors match. */
  readonly until: (pattern: RegExp) => Effect.Effect<RegExpMatchArray>
  readonly ended: Effect.Effect<Outcome>
}

export interface RunOptions {
  /** Written to the input, which then ends. Without it the input stays open. */
  readonly input?: string | Buffer | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Which program; default: ours. */
  readonly file?: string | undefined
}

/** Starts the program; the end of the scope kills it. */
export const start = (
  args: ReadonlyArray<string>,
  options: RunOptions = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(process.execPath, [options.file ?? program(), ...args], {
          env: { ...process.env, NO_COLOR: undefined, ...options.env }
        })
        child.stdin.on("error", () => {})
        if (options.input !== undefined) child.stdin.end(options.input)
        return child
      }),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    watch
  )

/** What came so far, as bytes and as text. */
const collect = (stream: Readable) => {
  const chunks: Array<Buffer> = []
  stream.on("data", (chunk: Buffer) => chunks.push(chunk))
  const bytes = (): Buffer => Buffer.concat(chunks)
  return { bytes, text: () => bytes().toString("utf8") }
}

const watch = (child: ChildProcessWithoutNullStreams): Running => {
  const [output, errors] = [collect(child.stdout), collect(child.stderr)]
  return {
    process: child,
    output: output.text,
    errors: errors.text,
    until: (pattern) =>
      Effect.callback((resume) => {
        const check = (): void => {
          const found = output.text().match(pattern) ?? errors.text().match(pattern)
          if (found === null) return
          child.stdout.off("data", check)
          child.stderr.off("data", check)
          resume(Effect.succeed(found))
        }
        child.stdout.on("data", check)
        child.stderr.on("data", check)
        check()
      }),
    ended: Effect.callback((resume) => {
      const done = (): void =>
        resume(
          Effect.sync(() => ({
            code: child.exitCode,
            output: output.text(),
            bytes: output.bytes(),
            errors: errors.text()
          }))
        )
      if (child.stdout.closed && child.stderr.closed && child.exitCode !== null) done()
      else child.once("close", done)
    })
  }
}

/** Runs the program to its end. */
export const wscat = (args: ReadonlyArray<string>, options: RunOptions = {}): Effect.Effect<Outcome> =>
  Effect.scoped(Effect.flatMap(start(args, { input: "", ...options }), ({ ended }) => ended))
