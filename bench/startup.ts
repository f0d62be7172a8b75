// `node bench/startup.ts [runs]`, after `npm run build`: how long `wscat` takes to start, beside wscat 6.1. Fails when
// `wscat --help` takes more than 1.5 times as long. The programs take turns, so that all have the same machine.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { performance } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import { median } from "./report/statistics.ts"

const pathOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const ours = pathOf("../bin/wscat.js")
const original = pathOf("../node_modules/wscat/bin/wscat")

const runs = Number(process.argv[2] ?? 21)
const limit = 1.5

/** A server that echoes, and its port. */
const listen = async (): Promise<readonly [server: ChildProcess, port: string]> => {
  const server = spawn(process.execPath, [ours, "-l", "127.0.0.1:0", "--echo"], { stdio: ["ignore", "ignore", "pipe"] })
  if (server.stderr === null) throw new Error("the server has no standard error")
  const [announced] = await once(server.stderr, "data")
  return [server, /port (\d+)/.exec(String(announced))?.[1] ?? ""]
}

/** Milliseconds from the start to the end of a program. */
const time = (args: ReadonlyArray<string>): number => {
  const begun = performance.now()
  const { status } = spawnSync(process.execPath, args, { stdio: "ignore" })
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`)
  return performance.now() - begun
}

const [server, port] = await listen()
const programs = new Map([
  ["node, and nothing else", ["--eval", ""]],
  ["wscat --help", [ours, "--help"]],
  ["wscat 6.1 --help", [original, "--help"]],
  ["wscat, one message and its echo", [ours, "-c", `127.0.0.1:${port}`, "-x", "a", "--count", "1", "-w", "-1"]]
])
const times = new Map([...programs.keys()].map((name): [string, Array<number>] => [name, []]))
for (let run = 0; run < runs; run++) {
  for (const [name, args] of programs) times.get(name)?.push(time(args))
}
server.kill("SIGINT")

for (const [name, measured] of times) console.log(`${median(measured).toFixed(1).padStart(7)} ms  ${name}`)
const ratio = median(times.get("wscat --help") ?? []) / median(times.get("wscat 6.1 --help") ?? [])
console.log(`wscat --help takes ${ratio.toFixed(2)} times as long as wscat 6.1 --help; ${limit} is allowed`)
if (!(ratio <= limit)) process.exitCode = 1
