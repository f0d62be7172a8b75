// `node bench/report/goals.ts`: the goals, and how far the last complete run came, into docs/performance.md.
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Row, ScenarioResult } from "./statistics.ts"

/** What one face is to reach in one scenario. */
interface Goal {
  readonly scenario: string
  readonly peer: string
  /** Whom it is measured against. */
  readonly against: string
  readonly least?: number | undefined
  readonly most?: number | undefined
}

const faces = { callback: ["effect-ws/ws"], stream: ["effect-ws"], run: ["effect-ws run", "effect-ws batch"] } as const

type Face = keyof typeof faces

const atLeast = (scenario: string, least: Partial<Record<Face, number>>, against = "ws"): ReadonlyArray<Goal> =>
  (["callback", "stream", "run"] as const).flatMap((face) =>
    least[face] === undefined ? [] : faces[face].map((peer) => ({ scenario, peer, against, least: least[face] }))
  )

const atMost = (scenario: string, most: Partial<Record<Face, number>>, against = "ws"): ReadonlyArray<Goal> =>
  atLeast(scenario, most, against).map(({ least, ...goal }) => ({ ...goal, most: least }))

const small = { callback: 1.25, stream: 1.05, run: 1.15 }
const large = { callback: 2, stream: 1.7, run: 1.8 }

/** One line of the table. */
interface Line {
  readonly title: string
  readonly goals: ReadonlyArray<Goal>
}

const lines: ReadonlyArray<Line> = [
  { title: "echo 32 B, 100 × 1", goals: atLeast("echo-32", small) },
  { title: "echo 125 B text, 100 × 1", goals: atLeast("echo-125-text", small) },
  { title: "echo 1 KiB, 100 × 1", goals: atLeast("echo-1k", small) },
  { title: "echo 32 B, 10 × 100", goals: atLeast("pipe-32", { callback: 18, stream: 12, run: 16 }) },
  { title: "echo 32 B, 10 × 100, against Bun", goals: atLeast("pipe-32", { callback: 1 }, "bun") },
  { title: "echo 1 KiB, 10 × 100", goals: atLeast("pipe-1k", { callback: 7, stream: 4, run: 6 }) },
  { title: "echo 64 KiB, 100 × 1", goals: atLeast("echo-64k", large) },
  { title: "echo 1 MiB, 20 × 1", goals: atLeast("echo-1m", large) },
  { title: "broadcast, one in flight", goals: atLeast("broadcast-1", { callback: 1.2, stream: 1.2 }) },
  { title: "broadcast, eight in flight", goals: atLeast("broadcast-8", { callback: 6, stream: 6 }) },
  { title: "handshakes", goals: atLeast("handshakes", { callback: 1.4, stream: 1.1 }) },
  { title: "deflate 2 KiB, no takeover", goals: atLeast("deflate-reset", { callback: 3, stream: 2.5 }) },
  { title: "idle memory, 5 000 connections", goals: atMost("idle-5000", { callback: 0.8, stream: 1.1 }) },
  { title: "idle memory, 19 000 connections", goals: atMost("idle-19000", { callback: 0.8, stream: 1.1 }) },
  { title: "client, 32 B, 50 × 100", goals: atLeast("client-pipe-32", { callback: 15, stream: 10 }) },
  { title: "client, 32 B, 50 × 1", goals: atLeast("client-32", { callback: 1.1, stream: 1 }) },
  { title: "against Effect's own, 32 B, 100 × 1", goals: atLeast("echo-32", { stream: 1.6 }, "effect") },
  { title: "against Effect's own, 32 B, 10 × 100", goals: atLeast("pipe-32", { stream: 18 }, "effect") },
  { title: "against Effect's own, idle memory", goals: atMost("idle-5000", { stream: 0.5 }, "effect") }
]

interface Results {
  readonly machine: {
    readonly date: string
    readonly node: string
    readonly system: string
    readonly processor: string
  }
  readonly unit: string
  readonly results: ReadonlyArray<ScenarioResult>
}

interface Ratio {
  readonly median: number
  /** The lowest and the highest of the rounds, where both took part in them. */
  readonly spread?: readonly [number, number] | undefined
}

const short = (value: number): string => (value >= 10 ? value.toFixed(1) : value.toFixed(2))

const ratioOf = ({ results, unit }: Results, { against, peer, scenario }: Goal): Ratio | undefined => {
  const rows = results.find(({ name }) => name === scenario)?.rows ?? []
  const find = (name: string): Row | undefined => rows.find((row) => row.peer === name)
  const mine = find(peer)
  if (against === unit) {
    const ratio = mine?.ratio
    return ratio === undefined ? undefined : { median: ratio.median, spread: [ratio.min, ratio.max] }
  }
  const theirs = find(against)?.rate
  if (mine?.rate === undefined || theirs === undefined) return undefined
  return { median: mine.rate.median / theirs.median }
}

const limitOf = ({ least, most }: Goal): string => (least === undefined ? `≤ ${most}` : `≥ ${least}`)

const isMet = ({ least, most }: Goal, { median }: Ratio): boolean =>
  median >= (least ?? -Infinity) && median <= (most ?? Infinity)

const cell = (results: Results, goals: ReadonlyArray<Goal>): string => {
  const [first] = goals
  if (first === undefined) return "–"
  const figures = goals.map((goal) => {
    const ratio = ratioOf(results, goal)
    if (ratio === undefined) return "not measured"
    const spread = ratio.spread === undefined ? "" : ` (${ratio.spread.map(short).join("–")})`
    const text = `${short(ratio.median)}${spread}`
    return isMet(goal, ratio) ? `**${text}**` : text
  })
  return `${limitOf(first)}: ${figures.join(", ")}`
}

const columns = ["callback", "stream", "run"] as const

const goalsOf = (face: Face, line: Line): ReadonlyArray<Goal> =>
  line.goals.filter(({ peer }) => faces[face].some((name) => name === peer))

const renderTable = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? "").length)))
  const render = (row: ReadonlyArray<string>): string =>
    `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`
  const [head = [], ...body] = rows
  return [render(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...body.map(render)].join("\n")
}

const render = (results: Results): string => {
  const { date, node, processor, system } = results.machine
  const all = lines.flatMap(({ goals }) => goals)
  const met = all.filter((goal) => {
    const ratio = ratioOf(results, goal)
    return ratio !== undefined && isMet(goal, ratio)
  })
  const table = renderTable([
    ["scenario", "callback face", "`Stream.runForEach`", "`Socket.run`, `Socket.runBatch`"],
    ...lines.map((line) => [line.title, ...columns.map((face) => cell(results, goalsOf(face, line)))])
  ])
  return [
    `Measured ${date} on Node ${node}, ${system}, ${processor}: ${met.length} of ${all.length} goals are met, in bold.`,
    "",
    table
  ].join("\n")
}

const begin = "<!-- goals: written by bench/report/goals.ts -->"
const end = "<!-- end of goals -->"

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const page = here("../../docs/performance.md")
const results: Results = JSON.parse(readFileSync(process.argv[2] ?? here("../results.json"), "utf8"))
const text = readFileSync(page, "utf8")
const [from, to] = [text.indexOf(begin), text.indexOf(end)]
if (from < 0 || to < from) throw new Error(`${page} has no place for the goals`)
writeFileSync(page, `${text.slice(0, from + begin.length)}\n\n${render(results)}\n\n${text.slice(to)}`)
