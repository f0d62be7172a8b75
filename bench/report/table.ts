// The table on the terminal.
import type { Row, ScenarioResult } from "./statistics.ts"

const trim = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

/** A number in a few characters: 531, 12.3k, 4.56M. */
export const short = (value: number): string =>
  value >= 1e6 ? `${trim(value / 1e6)}M` : value >= 1000 ? `${trim(value / 1000)}k` : trim(value)

const cell = (row: Row | undefined, isUnit: boolean): string => {
  if (row === undefined) return ""
  if (row.status !== "measured" || row.rate === undefined) return row.status === "failed" ? "FAILED" : "–"
  if (isUnit || row.ratio === undefined) return short(row.rate.median)
  return `${row.tie === true ? "≈" : "×"}${trim(row.ratio.median)}${row.generatorBound === true ? "*" : ""}`
}

const alignRight = (text: string, width: number): string => " ".repeat(Math.max(0, width - text.length)) + text

/** One line per scenario, one column per peer: the unit's rate, and everyone else's as a multiple of it. */
export const renderTable = (
  results: ReadonlyArray<ScenarioResult>,
  columns: ReadonlyArray<string>,
  unit: string
): string => {
  const body = results.map(({ title, rows }) => [
    title,
    ...columns.map((peer) =>
      cell(
        rows.find((row) => row.peer === peer),
        peer === unit
      )
    )
  ])
  const lines = [["per CPU-second", ...columns], ...body]
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)))
  return lines
    .map((line) =>
      line
        .map((text, column) => (column === 0 ? text.padEnd(widths[0] ?? 0) : alignRight(text, widths[column] ?? 0)))
        .join("  ")
    )
    .join("\n")
}

const time = (microseconds: number): string =>
  microseconds < 1000 ? `${trim(microseconds)} µs` : `${trim(microseconds / 1000)} ms`

/** Why cells have no figure: one line for each peer and reason. */
export const renderReasons = (results: ReadonlyArray<ScenarioResult>): string => {
  const reasons = new Map<string, Array<string>>()
  for (const { name, rows } of results) {
    for (const { peer, status, reason } of rows) {
      if (status === "measured") continue
      const key = `${peer} ${status === "failed" ? "FAILED" : status}: ${reason ?? ""}`
      reasons.set(key, [...(reasons.get(key) ?? []), name])
    }
  }
  return [...reasons]
    .map(([reason, names]) => `  ${reason} (${names.length === results.length ? "all" : names.join(", ")})`)
    .join("\n")
}

const spread = (
  figure: { readonly median: number; readonly min: number; readonly max: number },
  render: (value: number) => string
): string => `${render(figure.median)} (${render(figure.min)}–${render(figure.max)})`

/** Every figure of one scenario with its spread. */
export const renderDetails = ({ title, unit, rows }: ScenarioResult): string => {
  const lines = rows.flatMap((row) => {
    if (row.rate === undefined) return []
    const parts = [
      `    ${row.peer.padEnd(16)}`,
      unit === "bytes" ? `${spread(row.rate, short)} B/connection` : `${spread(row.rate, short)}/CPU-s`,
      ...(row.ratio === undefined ? [] : [`×${spread(row.ratio, trim)}${row.tie === true ? " tie" : ""}`]),
      ...(row.throughput === undefined ? [] : [`${spread(row.throughput, short)}/s`]),
      ...(row.p50 === undefined || row.p99 === undefined
        ? []
        : [`p50 ${time(row.p50.median)}, p99 ${time(row.p99.median)}`]),
      ...(row.resident === undefined ? [] : [`RSS ${(row.resident.median / 1_048_576).toFixed(0)} MiB`]),
      ...(row.generatorBound === true ? ["generator-bound"] : [])
    ]
    return [parts.join("  ")]
  })
  return [`  ${title} (${unit})`, ...lines].join("\n")
}
