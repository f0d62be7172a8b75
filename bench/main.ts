// `npm run bench`: every peer, every scenario, one table. `-- --help` lists the options.
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { cpus, loadavg, release } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { commandFor, type Peer, peers, unit } from "./peers.ts"
import { pinned } from "./process.ts"
import { type Picture, renderPicture } from "./report/pictures.ts"
import { type ScenarioResult, summarise } from "./report/statistics.ts"
import { renderDetails, renderReasons, renderTable } from "./report/table.ts"
import { runScenario, type Settings } from "./rounds.ts"
import { type Scenario, scenarios } from "./scenarios.ts"

const help = `npm run bench -- [options]

  --quick            a few scenarios and peers, three short rounds
  --only a,b         the scenarios whose names start so (works with --quick too)
  --peers a,b        these peers, and ${unit}, which the ratios are taken against
  --rounds n         rounds of a scenario with a goal; the figure is their median (5, quick 3). Scenarios beside the goals
                     get two or three fifths of them, and peers beside ws and this library, unless named, two
                     fifths of that
  --seconds n        measured CPU time of each round (0.4, quick 0.3)
  --no-build         take dist/ as it is
  --list             names of scenarios and peers
`

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    peers: { type: "string" },
    rounds: { type: "string" },
    seconds: { type: "string" },
    "no-build": { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const complain = (message: string): never => {
  console.error(message)
  process.exit(2)
}

const positive = (text: string | undefined, fallback: number, name: string): number => {
  const value = text === undefined ? fallback : Number(text)
  return value > 0 && Number.isFinite(value) ? value : complain(`--${name} wants a number above 0`)
}

const chooseScenarios = (): ReadonlyArray<Scenario> => {
  const wanted = options.only?.split(",")
  if (wanted === undefined) return scenarios.filter(({ quick }) => quick || !options.quick)
  for (const name of wanted) {
    if (!scenarios.some((scenario) => scenario.name.startsWith(name)))
      complain(`no scenario starts with ${name}; see --list`)
  }
  return scenarios.filter((scenario) => wanted.some((name) => scenario.name.startsWith(name)))
}

const choosePeers = (): ReadonlyArray<Peer> => {
  const wanted = options.peers?.split(",")
  if (wanted === undefined) return peers.filter(({ quick }) => quick || !options.quick)
  for (const name of wanted) if (!peers.some((peer) => peer.name === name)) complain(`no peer ${name}; see --list`)
  return peers.filter(({ name }) => name === unit || wanted.includes(name))
}

/** The rounds of one peer in one scenario, when one with a goal gets `rounds`. */
const roundsOf = (scenario: Scenario, rounds: number) => (peer: Peer) => {
  const every = peer.everyRound || options.peers !== undefined || scenario.rivals.includes(peer.name)
  return Math.max(1, Math.round(((rounds * scenario.rounds) / 5) * (every ? 1 : 0.4)))
}

const newestUnder = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((newest, entry) => Math.max(newest, statSync(join(entry.parentPath, entry.name)).mtimeMs), 0)

/** Users run what `npm run build` makes, so that is what is measured. */
const buildLibrary = (): void => {
  const dist = here("../dist")
  if (options["no-build"] || (existsSync(dist) && newestUnder(dist) > newestUnder(here("../src")))) return
  console.error("building the library: npm run build")
  const { status } = spawnSync("npm", ["run", "build"], { cwd: here(".."), stdio: ["ignore", "inherit", "inherit"] })
  if (status !== 0) complain("the library does not build")
}

const isMissing = (peer: Peer): boolean =>
  peer.runtime !== "node" && "missing" in commandFor(peer, peer.server === undefined ? "client" : "server")

/** Bun and Deno are large, so they are installed only for those who run this. */
const installRuntimes = (chosen: ReadonlyArray<Peer>): void => {
  if (!chosen.some(isMissing)) return
  console.error("installing Bun and Deno: npm --prefix bench/runtimes ci")
  spawnSync("npm", ["--prefix", here("runtimes"), "ci", "--no-audit", "--no-fund"], { stdio: ["ignore", 2, 2] })
  for (const peer of chosen.filter(isMissing)) console.error(`!! ${peer.name} is left out: it could not be installed`)
}

const pictures: ReadonlyArray<{
  readonly file: string
  readonly title: string
  readonly pick: (scenario: ScenarioResult) => boolean
}> = [
  {
    file: "summary",
    title: "Server: messages, deliveries or handshakes per CPU-second against ws",
    pick: ({ name }) => ["echo-1k", "echo-64k", "pipe-32", "pipe-1k", "broadcast-8", "handshakes"].includes(name)
  },
  {
    file: "echo",
    title: "Server, one message at a time: messages per CPU-second against ws",
    pick: ({ name }) => name.startsWith("echo-") || name === "fragments"
  },
  {
    file: "load",
    title: "Server under load: messages, deliveries or handshakes per CPU-second against ws",
    pick: ({ name }) => /^(pipe|broadcast|handshakes|deflate)/.test(name)
  },
  {
    file: "tls",
    title: "Server over TLS: messages per CPU-second against ws",
    pick: ({ name }) => name.startsWith("tls-")
  },
  {
    file: "memory",
    title: "Resident bytes per idle connection against ws (less is better)",
    pick: ({ unit }) => unit === "bytes"
  },
  {
    file: "client",
    title: "Client: messages per CPU-second against ws",
    pick: ({ side, unit }) => side === "client" && unit !== "bytes"
  }
]

const runtimeVersion = (peer: Peer): string | undefined => {
  const command = commandFor(peer, peer.server === undefined ? "client" : "server")
  if ("missing" in command) return undefined
  return spawnSync(command.command, ["--version"], { encoding: "utf8" }).stdout.split("\n", 1)[0]
}

const environment = (chosen: ReadonlyArray<Peer>): object => ({
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  ...Object.fromEntries(
    chosen.flatMap((peer) => (peer.runtime === "node" ? [] : [[peer.runtime, runtimeVersion(peer)]]))
  ),
  system: `${process.platform} ${release()} ${process.arch}`,
  processor: cpus()[0]?.model ?? "",
  cores: cpus().length,
  pinned,
  loadBefore: Number((loadavg()[0] ?? 0).toFixed(2))
})

const progressLine = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[2K${text}`)
}

const minutes = (milliseconds: number): string => {
  const seconds = Math.round(milliseconds / 1000)
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

const run = async (): Promise<number> => {
  const chosenScenarios = chooseScenarios()
  const chosenPeers = choosePeers()
  buildLibrary()
  installRuntimes(chosenPeers)

  const rounds = positive(options.rounds, options.quick ? 3 : 5, "rounds")
  const seconds = positive(options.seconds, options.quick ? 0.3 : 0.4, "seconds")
  const interrupted = new AbortController()
  process.once("SIGINT", () => interrupted.abort())

  const machine = environment(chosenPeers)
  console.log(JSON.stringify(machine))
  if (!pinned) console.log("taskset is not here: load and peer may share a core, and figures are less steady")

  const results: Array<ScenarioResult> = []
  const started = performance.now()
  for (const [index, scenario] of chosenScenarios.entries()) {
    const left =
      index === 0 ? "" : `, ${minutes(((performance.now() - started) / index) * (chosenScenarios.length - index))} left`
    const head = `[${index + 1}/${chosenScenarios.length}${left}] ${scenario.title}`
    if (!process.stderr.isTTY) console.error(head)
    const settings: Settings = {
      rounds: roundsOf(scenario, rounds),
      window: { warmUp: 150, measured: seconds * 1000 },
      signal: interrupted.signal,
      onProgress: (peer, round) => progressLine(`${head}: round ${round + 1}, ${peer.name}`)
    }
    const outcomes = await runScenario(scenario, chosenPeers, settings)
    if (interrupted.signal.aborted) break
    progressLine("")
    const unitOutcome = [...outcomes].find(([peer]) => peer.name === unit)?.[1]
    const unitSamples = unitOutcome?.status === "measured" ? unitOutcome.samples : undefined
    const result: ScenarioResult = {
      name: scenario.name,
      title: scenario.title,
      side: scenario.side,
      unit: scenario.unit,
      rows: chosenPeers.flatMap((peer) => {
        const outcome = outcomes.get(peer)
        return outcome === undefined ? [] : [summarise(scenario, peer.name, outcome, unitSamples)]
      })
    }
    results.push(result)
    console.log(renderDetails(result))
  }
  if (results.length === 0) return 1

  console.log(
    `\n${renderTable(
      results,
      chosenPeers.map(({ name }) => name),
      unit
    )}`
  )
  console.log(
    [
      "",
      `First column: ${unit}'s messages per CPU-second of the side measured (bytes per connection for memory). Others: × that, the median`,
      `of up to ${rounds} interleaved rounds. ≈ a tie: not every round agrees on which is better. * the load generator was the busier side. – not measured:`
    ].join("\n")
  )
  console.log(renderReasons(results))

  // A partial run must not pass for the whole.
  const complete =
    !options.quick && options.only === undefined && options.peers === undefined && !interrupted.signal.aborted
  const folder = complete ? here("results") : here("out")
  mkdirSync(folder, { recursive: true })
  const json = complete ? here("results.json") : here("out/results.json")
  writeFileSync(json, `${JSON.stringify({ machine, rounds, seconds, unit, results }, undefined, 2)}\n`)
  const families = new Map(chosenPeers.map(({ name, family }) => [name, family]))
  for (const { file, title, pick } of pictures) {
    const picture: Picture = {
      title,
      note: `Node ${process.version}, one core; median of interleaved rounds, the line shows the spread; the number beside ${unit} is its own figure`,
      results: results.filter(pick)
    }
    const svg = renderPicture(picture, families)
    if (svg !== undefined) writeFileSync(join(folder, `${file}.svg`), svg)
  }
  console.log(`\nwrote ${json} and pictures in ${folder} after ${minutes(performance.now() - started)}`)
  return results.some(({ rows }) => rows.some(({ status }) => status === "failed")) ? 1 : 0
}

if (options.help) console.log(help)
else if (options.list) {
  console.log("scenarios:")
  for (const { name, title } of scenarios) console.log(`  ${name.padEnd(22)} ${title}`)
  console.log("peers:")
  for (const { name } of peers) console.log(`  ${name}`)
} else process.exitCode = await run()
