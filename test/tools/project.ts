/** Projects in temporary folders that have @effect-ws/ws in the place of `ws`, and what is run in them. */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

const programs = fileURLToPath(new URL("programs/", import.meta.url))

const tools = fileURLToPath(new URL("node_modules/", import.meta.url))

/** Everything that a run of the script writes. */
export const workspace = mkdtempSync(join(tmpdir(), "effect-ws-tools-"))

/** Milliseconds that one command may take: many times what it does on a machine that has other things to do. */
const limit = 180_000

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a command to its end, and gives what it wrote; fails with all that it wrote when it doesn't end with 0. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  { cwd = root, env = {} }: RunOptions = {}
): Promise<{ readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve, reject) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: limit, maxBuffer: 1 << 26 }
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr })
      else reject(new Error(`${basename(command)} ${args.join(" ")}\n${stdout}${stderr}${error.signal ?? ""}`))
    })
  })

/** Runs a program under the Node of this project. */
export const node = (args: ReadonlyArray<string>, options?: RunOptions) => run(process.execPath, args, options)

/** The folder of a tool. */
export const toolFolder = (name: string): string => join(tools, name)

/** The program that a tool installs, by its name or the only one. */
export const tool = (name: string, bin?: string): string => {
  const manifest: { readonly bin: string | Readonly<Record<string, string>> } = manifestOf(name)
  const path = typeof manifest.bin === "string" ? manifest.bin : manifest.bin[bin ?? name]
  if (path === undefined) throw new Error(`${name} has no program ${bin ?? name}`)
  return join(tools, name, path)
}

const manifestOf = (name: string) => JSON.parse(readFileSync(join(tools, name, "package.json"), "utf8"))

/** The version of a tool. */
export const versionOf = (name: string): string => manifestOf(name).version

/** Packs @effect-ws/ws, once, and gives the path of the archive. */
export const packed: Promise<string> = run(
  "npm",
  ["pack", "-w", "packages/ws", "--pack-destination", workspace, "--silent"],
  {}
).then(({ stdout }) => join(workspace, stdout.trim().split("\n").at(-1) ?? ""))

/** The package as npm installs it: that it comes alone is a part of what is tried. */
const installed: Promise<string> = packed.then(async (archive) => {
  const folder = join(workspace, "installed")
  mkdirSync(folder)
  writeFileSync(join(folder, "package.json"), "{}")
  const { stdout } = await run("npm", ["install", archive, "--no-audit", "--no-fund"], { cwd: folder })
  if (!/^added 1 package\b/m.test(stdout)) throw new Error(`npm installed more than one package: ${stdout}`)
  return join(folder, "node_modules/@effect-ws/ws")
})

let count = 0

export interface ProjectOptions {
  /** What package.json has besides a name. */
  readonly manifest?: object
  /** Packages of the tools that the project has, too, by the names that they have there. */
  readonly links?: Readonly<Record<string, string>>
  /** Further files, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** The names under which the package is there. Default: `ws`. */
  readonly names?: ReadonlyArray<string>
}

/** Makes a project with all programs, and gives its folder. */
export const project = async ({
  files = {},
  links = {},
  manifest = {},
  names = ["ws"]
}: ProjectOptions = {}): Promise<string> => {
  const folder = join(workspace, `project-${++count}`)
  cpSync(programs, folder, { recursive: true })
  for (const name of names) cpSync(await installed, join(folder, "node_modules", name), { recursive: true })
  for (const [name, target] of Object.entries(links)) {
    const link = join(folder, "node_modules", name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(toolFolder(target), link)
  }
  const all = { "package.json": JSON.stringify({ name: "project", version: "1.0.0", ...manifest }), ...files }
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

/** Removes everything that was written. */
export const cleanUp = (): void => rmSync(workspace, { recursive: true, force: true })

const { expected } = createRequire(import.meta.url)("./programs/exchange.cjs")

/** Fails unless a program wrote the value, as JSON on a line of its own. */
export const expectOutput = (stdout: string, value: unknown = expected): void => {
  const line = JSON.stringify(value)
  if (!stdout.split("\n").includes(line)) throw new Error(`expected ${line}, got\n${stdout}`)
}

/** Fails unless `promise` fails with a message that matches. */
export const expectFailure = async (promise: Promise<unknown>, pattern: RegExp): Promise<void> => {
  const message = await promise.then(
    () => "nothing failed",
    (error: Error) => error.message
  )
  if (!pattern.test(message)) throw new Error(`expected a failure with ${pattern}, got\n${message}`)
}
