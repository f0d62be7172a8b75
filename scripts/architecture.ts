/**
 * Draws the folders of src and what they import, types too, into docs/architecture.svg: run it after adding an import between
 * folders. An arrow that others imply is left out; folders that import each other stand in one row, joined by a dashed line.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../src/", import.meta.url))

/** The folder that a file belongs to. Small modules beside the folders of the engine are part of none. */
const folderOf = (file: string): string | undefined => {
  const [first = "", second = "", third] = file.split("/")
  if (first !== "internal") return first === "ws" ? "ws" : "public modules"
  return third === undefined ? undefined : second
}

type Graph = ReadonlyMap<string, ReadonlySet<string>>

const readGraph = (): Graph => {
  const graph = new Map<string, Set<string>>()
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"))
  for (const file of files.filter((file) => file.endsWith(".ts"))) {
    const from = folderOf(file)
    if (from === undefined) continue
    const targets = graph.get(from) ?? new Set()
    graph.set(from, targets)
    const source = readFileSync(join(root, file), "utf8")
    for (const [, to = ""] of source.matchAll(/^(?:import|export)\s+(?:type\s)?(?:[^"';]*?\sfrom\s+)?"(\.[^"]+)"/gm)) {
      const target = folderOf(relative(root, normalize(join(root, dirname(file), to))).replaceAll("\\", "/"))
      if (target !== undefined && target !== from) targets.add(target)
    }
  }
  return graph
}

const reachableFrom = (graph: Graph, start: string): ReadonlySet<string> => {
  const found = new Set<string>()
  const visit = (name: string): void => {
    for (const next of graph.get(name) ?? []) {
      if (found.has(next)) continue
      found.add(next)
      visit(next)
    }
  }
  visit(start)
  return found
}

interface Edge {
  readonly from: string
  readonly to: string
  readonly mutual: boolean
}

interface Layout {
  /** The rows from the bottom to the top. */
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  readonly edges: ReadonlyArray<Edge>
}

/** Rows in which every arrow points down, and the arrows that are needed to see what imports what. */
export const layoutOf = (graph: Graph): Layout => {
  const names = [...graph.keys()].toSorted()
  const reach = new Map(names.map((name) => [name, reachableFrom(graph, name)]))
  const reaches = (from: string, to: string): boolean => reach.get(from)?.has(to) === true
  const mutual = (a: string, b: string): boolean => reaches(a, b) && reaches(b, a)
  const levels = new Map<string, number>()
  const levelOf = (name: string): number => {
    const known = levels.get(name)
    if (known !== undefined) return known
    const group = names.filter((other) => other === name || mutual(name, other))
    const lower = group.flatMap((member) => [...(graph.get(member) ?? [])]).filter((target) => !group.includes(target))
    const level = Math.max(-1, ...lower.map(levelOf)) + 1
    for (const member of group) levels.set(member, level)
    return level
  }
  for (const name of names) levelOf(name)
  const rows = Array.from({ length: Math.max(...levels.values()) + 1 }, (_, level) =>
    names.filter((name) => levels.get(name) === level)
  )
  const edges = names.flatMap((from) =>
    [...(graph.get(from) ?? [])].toSorted().flatMap((to): ReadonlyArray<Edge> => {
      if (mutual(from, to)) return from < to ? [{ from, mutual: true, to }] : []
      const implied = [...(graph.get(from) ?? [])].some(
        (between) => between !== to && !mutual(between, from) && !mutual(between, to) && reaches(between, to)
      )
      return implied ? [] : [{ from, mutual: false, to }]
    })
  )
  return { edges, rows }
}

const width = 900
const boxWidth = 132
const boxHeight = 34
const rowHeight = 92

const style = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; text-anchor: middle }
  .page { fill: #ffffff } .box { fill: #f6f8fa; stroke: #8250df; stroke-width: 1.2 }
  path { stroke: #6e7781; stroke-width: 1.2; fill: none } .mutual { stroke-dasharray: 4 3 } .head { fill: #6e7781; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .page { fill: #0d1117 } .box { fill: #161b22; stroke: #a371f7 }
    path { stroke: #8b949e } .head { fill: #8b949e; stroke: none }
  }`

export const draw = (): string => {
  const { edges, rows } = layoutOf(readGraph())
  const height = rows.length * rowHeight
  const places = new Map(
    rows.flatMap((row, level) =>
      row.map((name, at) => {
        const place = { x: ((at + 0.5) * width) / row.length, y: height - (level + 0.5) * rowHeight }
        return [name, place] as const
      })
    )
  )
  const lines = edges.flatMap(({ from, mutual, to }) => {
    const [a, b] = [places.get(from), places.get(to)]
    if (a === undefined || b === undefined) return []
    if (mutual) {
      const bow = a.y - boxHeight / 2
      return [`<path class="mutual" d="M${a.x} ${bow} C${a.x} ${bow - 28} ${b.x} ${bow - 28} ${b.x} ${bow}"/>`]
    }
    const [top, bottom] = [a.y + boxHeight / 2, b.y - boxHeight / 2]
    return [
      `<path marker-end="url(#head)" d="M${a.x} ${top} C${a.x} ${top + 34} ${b.x} ${bottom - 40} ${b.x} ${bottom - 3}"/>`
    ]
  })
  const boxes = [...places].map(
    ([name, { x, y }]) =>
      `<rect class="box" x="${x - boxWidth / 2}" y="${y - boxHeight / 2}" width="${boxWidth}" height="${boxHeight}" rx="5"/><text x="${x}" y="${y + 4}">${name}</text>`
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="The folders of src and what they import">
<style>${style}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>
<rect class="page" width="${width}" height="${height}"/>
${[...lines, ...boxes].join("\n")}
</svg>
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL("../docs/architecture.svg", import.meta.url), draw())
}
