// Pictures of the results as SVG: bars against the unit, readable on light and on dark pages.
import type { Row, ScenarioResult } from "./statistics.ts"
import { short } from "./table.ts"

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const style = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f }
  .title { font-size: 15px; font-weight: 600 }
  .panel { font-weight: 600 }
  .note { fill: #57606a; font-size: 11px }
  .page { fill: #ffffff }
  .axis { stroke: #d0d7de; stroke-width: 1 }
  .unit { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 3 3 }
  .ours { fill: #8250df } .node { fill: #6e7781 } .other { fill: #bf8700 } .limit { fill: #d0d7de }
  .whisker { stroke: #24292f; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9198a1 } .page { fill: #0d1117 } .axis { stroke: #30363d } .unit { stroke: #6e7681 }
    .ours { fill: #a371f7 } .node { fill: #8b949e } .other { fill: #d29922 } .limit { fill: #484f58 } .whisker { stroke: #e6edf3 }
  }`

const left = 130
const right = 64
const barHeight = 13
const barStep = 18
const panelWidth = 460
const panelGap = 24
const top = 58

interface Bar {
  readonly row: Row
  readonly family: string
}

const panelHeight = (bars: number): number => 30 + bars * barStep + 14

const renderPanel = (result: ScenarioResult, bars: ReadonlyArray<Bar>, x: number, y: number): string => {
  const span = panelWidth - left - right
  const most = Math.max(...bars.map(({ row }) => row.ratio?.max ?? 0), 1)
  const scale = (ratio: number): number => (ratio / most) * span
  const unitX = x + left + scale(1)
  const base = y + 26
  const lines = bars.map(({ row, family }, index) => {
    const ratio = row.ratio ?? { median: 0, min: 0, max: 0 }
    const at = base + index * barStep
    const middle = at + barHeight / 2
    const label =
      row.peer === "ws"
        ? `${short(row.rate?.median ?? 0)}`
        : `${row.tie === true ? "≈" : "×"}${ratio.median.toFixed(ratio.median < 10 ? 2 : 1)}`
    return [
      `<text x="${x + left - 8}" y="${middle + 4}" text-anchor="end">${escape(row.peer)}</text>`,
      `<rect class="${family}" x="${x + left}" y="${at}" width="${Math.max(1, scale(ratio.median)).toFixed(1)}" height="${barHeight}" rx="2"/>`,
      `<line class="whisker" x1="${(x + left + scale(ratio.min)).toFixed(1)}" x2="${(x + left + scale(ratio.max)).toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
      `<text x="${(x + left + scale(ratio.max) + 6).toFixed(1)}" y="${middle + 4}">${label}</text>`
    ].join("\n")
  })
  const bottom = base + bars.length * barStep
  return [
    `<text class="panel" x="${x}" y="${y + 12}">${escape(result.title)}</text>`,
    `<line class="axis" x1="${x + left}" x2="${x + left}" y1="${base - 4}" y2="${bottom}"/>`,
    `<line class="unit" x1="${unitX.toFixed(1)}" x2="${unitX.toFixed(1)}" y1="${base - 4}" y2="${bottom}"/>`,
    ...lines
  ].join("\n")
}

/** What a picture shows. */
export interface Picture {
  readonly title: string
  readonly note: string
  readonly results: ReadonlyArray<ScenarioResult>
}

/** Draws one panel per scenario, two in a row; undefined when no scenario has figures. `families` names the colour of each peer. */
export const renderPicture = (picture: Picture, families: ReadonlyMap<string, string>): string | undefined => {
  const panels = picture.results
    .map((result) => ({
      result,
      bars: result.rows
        .filter((row) => row.ratio !== undefined)
        .map((row) => ({ row, family: families.get(row.peer) ?? "node" }))
    }))
    .filter(({ bars }) => bars.length > 0)
  if (panels.length === 0) return undefined
  const parts: Array<string> = []
  let y = top
  for (let index = 0; index < panels.length; index += 2) {
    const line = panels.slice(index, index + 2)
    line.forEach(({ result, bars }, column) =>
      parts.push(renderPanel(result, bars, 20 + column * (panelWidth + panelGap), y))
    )
    y += Math.max(...line.map(({ bars }) => panelHeight(bars.length)))
  }
  const width = panels.length === 1 ? panelWidth + 40 : 2 * panelWidth + panelGap + 40
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="${escape(picture.title)}">`,
    `<style>${style}\n</style>`,
    `<rect class="page" width="${width}" height="${y}"/>`,
    `<text class="title" x="20" y="26">${escape(picture.title)}</text>`,
    `<text class="note" x="20" y="43">${escape(picture.note)}</text>`,
    ...parts,
    "</svg>",
    ""
  ].join("\n")
}
