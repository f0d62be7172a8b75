// `node bench/startup.ts [runs]`, after `npm run build`: what it costs to start `wscat`, beside wscat 6.1. Fails when a
// goal is missed. The programs take turns, so that all have the same machine.
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { median } from "./report/statistics.ts"

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const ours = pathOf("../dist/wscat.cjs")
const original = pathOf("../node_modules/wscat/bin/wscat")

const runs = Number(process.argv[2] ?? 21)

/** CPU time of a refused connection, in multiples of that of wscat 6.1. */
const refusedLimit = 1.5

/** CPU time of `--help`, in multiples of that of wscat 6.1: half of it, as before there was a bundle. */
const helpLimit = 0.5

/** Bytes of the package with all that it needs. */
const sizeLimit = 1_000_000

/** What one run of a program used. */
interface Usage {
  /** Milliseconds of CPU time. */
  readonly cpu: number
  /** Milliseconds from the start to the end. */
  readonly wall: number
  /** Megabytes of memory at the most. */
  readonly memory: number
}

const folder = mkdtempSync(join(tmpdir(), "startup-"))
const meter = join(folder, "meter.cjs")
writeFileSync(
  meter,
  'process.on("exit", () => require("node:fs").writeSync(3, JSON.stringify(process.resourceUsage())))\n'
)

/** Runs a program with an input that stays open: at the end of its input, wscat 6.1 gives up before it connects. */
const run = async (args: ReadonlyArray<string>, exitCodes: ReadonlyArray<number>): Promise<Usage> => {
  const begun = performance.now()
  const child = spawn(process.execPath, ["--require", meter, ...args], { stdio: ["pipe", "ignore", "ignore", "pipe"] })
  let usage = ""
  child.stdio[3]?.on("data", (chunk: Buffer) => (usage += chunk.toString()))
  const [code] = await once(child, "close")
  const wall = performance.now() - begun
  if (!exitCodes.includes(code)) throw new Error(`${args.join(" ")} ended with ${code}`)
  const { maxRSS, systemCPUTime, userCPUTime }: NodeJS.ResourceUsage = JSON.parse(usage)
  return { cpu: (userCPUTime + systemCPUTime) / 1000, wall, memory: maxRSS / 1024 }
}

/** A server that echoes, and its port. */
const listen = async (): Promise<readonly [server: ChildProcess, port: string]> => {
  const server = spawn(process.execPath, [ours, "-l", "127.0.0.1:0", "--echo"], { stdio: ["ignore", "ignore", "pipe"] })
  if (server.stderr === null) throw new Error("the server has no standard error")
  const [announced] = await once(server.stderr, "data")
  return [server, /port (\d+)/.exec(String(announced))?.[1] ?? ""]
}

/** Bytes of a folder, links aside. */
const sizeOf = (path: string): number => {
  const stats = statSync(path)
  return stats.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : stats.size
}

/** What `npm install wscat` brings: the package, and the packages that it needs, of which some lie inside it. */
const originalSize = [
  "wscat",
  "ws",
  "commander",
  "https-proxy-agent",
  "agent-base",
  "debug",
  "ms",
  "read",
  "mute-stream"
]
  .map((name) => pathOf(`../node_modules/${name}`))
  .reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false }) === undefined ? 0 : sizeOf(path)), 0)

const ourSize = [
  ours,
  `${ours}.LICENSES.txt`,
  pathOf("../dist/wscat.1"),
  ...["LICENSE", "README.md", "package.json"].map((name) => pathOf(`../packages/wscat/${name}`))
].reduce((sum, path) => sum + sizeOf(path), 0)

const [server, port] = await listen()
const refused = ["-c", "127.0.0.1:1"]
const hello = ["-c", `127.0.0.1:${port}`, "-x", "hello", "-w"]
const programs = new Map<string, { readonly args: ReadonlyArray<string>; readonly exitCodes: ReadonlyArray<number> }>([
  ["node, and nothing else", { args: ["--eval", ""], exitCodes: [0] }],
  ["wscat --help", { args: [ours, "--help"], exitCodes: [0] }],
  ["wscat 6.1 --help", { args: [original, "--help"], exitCodes: [0] }],
  ["wscat, a refused connection", { args: [ours, ...refused], exitCodes: [3] }],
  ["wscat 6.1, a refused connection", { args: [original, ...refused], exitCodes: [255] }],
  ["wscat, a message and its echo", { args: [ours, ...hello, "0.2"], exitCodes: [0] }],
  ["wscat 6.1, a message and its echo", { args: [original, ...hello, "0.2"], exitCodes: [0] }]
])
const usages = new Map([...programs.keys()].map((name): [string, Array<Usage>] => [name, []]))
for (let count = 0; count < runs; count++) {
  for (const [name, { args, exitCodes }] of programs) usages.get(name)?.push(await run(args, exitCodes))
}
server.kill("SIGINT")
rmSync(folder, { recursive: true })

const medianOf = (name: string, key: keyof Usage): number => median((usages.get(name) ?? []).map((usage) => usage[key]))

console.log(`Medians of ${runs} runs, Node ${process.version}`)
console.log("   CPU ms   wall ms    RSS MB")
for (const name of usages.keys()) {
  const columns = (["cpu", "wall", "memory"] as const).map((key) => medianOf(name, key).toFixed(1).padStart(9))
  console.log(`${columns.join(" ")}  ${name}`)
}
console.log(
  `on disk: ${(ourSize / 1e6).toFixed(2)} MB, wscat 6.1 with its dependencies ${(originalSize / 1e6).toFixed(2)} MB`
)

const check = (what: string, figure: number, limit: number): void => {
  console.log(`${what}: ${figure.toFixed(2)}; ${limit} is allowed`)
  if (!(figure <= limit)) process.exitCode = 1
}
const ratio = (what: string): number => medianOf(`wscat${what}`, "cpu") / medianOf(`wscat 6.1${what}`, "cpu")
check("CPU of --help, in multiples of wscat 6.1", ratio(" --help"), helpLimit)
check("CPU of a refused connection, in multiples of wscat 6.1", ratio(", a refused connection"), refusedLimit)
check("bytes on disk", ourSize, sizeLimit)
