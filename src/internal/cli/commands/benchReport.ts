/** The result of `wscat bench`: as text, as JSON, and as a page with pictures. */
import { performance } from "node:perf_hooks"
import type { Measurement, Plan } from "./benchLoad.ts"
import type { Histogram } from "./histogram.ts"

const quantiles = [
  ["p50", 0.5],
  ["p90", 0.9],
  ["p99", 0.99],
  ["p99.9", 0.999]
] as const

const rateOf = ({ latency, since }: Measurement): { readonly seconds: number; readonly rate: number } => {
  const seconds = since === undefined ? 0 : (performance.now() - since) / 1000
  return { seconds, rate: seconds === 0 ? 0 : latency.count / seconds }
}

const round = (value: number): number => Number(value.toFixed(3))

const distribution = (histogram: Histogram): Readonly<Record<string, number>> => ({
  min: round(histogram.least),
  mean: round(histogram.mean),
  ...Object.fromEntries(quantiles.map(([name, share]) => [name, round(histogram.quantile(share))])),
  max: round(histogram.most)
})

/** The result as a JSON object; durations are in milliseconds. */
export const summary = (plan: Plan, measurement: Measurement): Readonly<Record<string, unknown>> => {
  const { rate, seconds } = rateOf(measurement)
  const { connections, outstanding, rate: wanted, size, url } = plan
  return {
    url,
    connections,
    ...(wanted === undefined ? { outstanding } : { rate: wanted }),
    size,
    seconds: round(seconds),
    messages: measurement.latency.count,
    messagesPerSecond: round(rate),
    bytesPerSecond: round(rate * size),
    otherMessages: measurement.others,
    opening: distribution(measurement.opening),
    latency: distribution(measurement.latency),
    perSecond: measurement.seconds.map(({ messages, p50, p99 }) => ({ messages, p50: round(p50), p99: round(p99) }))
  }
}

/** A number without fraction, with commas. */
export const whole = (value: number): string => Math.round(value).toLocaleString("en-US")

export const milliseconds = (value: number): string => `${value < 10 ? value.toFixed(3) : value.toFixed(1)} ms`

const bytes = (value: number): string => {
  const units = ["B", "kB", "MB", "GB"]
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

const histogramRows = 16
const barWidth = 50

const loadText = ({ connections, outstanding, ramp, rate, size }: Plan, seconds: number): string =>
  [
    `${connections} connections`,
    rate === undefined ? `${outstanding} outstanding` : `${whole(rate)} messages/s`,
    `${size} bytes`,
    `${seconds.toFixed(1)} s`,
    ...(ramp === 0 ? [] : [`opened over ${ramp} s`])
  ].join(", ")

const latencyText = (histogram: Histogram): string =>
  [
    ...quantiles.map(([name, share]) => `${name} ${milliseconds(histogram.quantile(share))}`),
    `max ${milliseconds(histogram.most)}`
  ].join("  ")

/** What a reader of the figures must know about the server; `undefined` when all messages were echoes. */
const remarkOf = ({ any }: Plan, { others }: Measurement): string | undefined => {
  if (any) return "any message counted as an answer: the figures are not those of an echo"
  return others === 0 ? undefined : `${whole(others)} messages of the server were no echoes, and are not counted`
}

/** The result for a person. */
export const page = (plan: Plan, measurement: Measurement): string => {
  const { rate, seconds } = rateOf(measurement)
  const { latency, opening } = measurement
  const rows = latency.rows(histogramRows)
  const highest = Math.max(...rows.map(({ count }) => count))
  const remark = remarkOf(plan, measurement)
  return `${[
    plan.url,
    loadText(plan, seconds),
    "",
    `throughput  ${whole(rate)} messages/s, ${bytes(rate * plan.size)}/s each way`,
    `latency     ${latencyText(latency)}`,
    `opening     p50 ${milliseconds(opening.quantile(0.5))}  max ${milliseconds(opening.most)}`,
    ...(remark === undefined ? [] : [`note        ${remark}`]),
    "",
    ...rows.map(({ count, upTo }) => {
      const bar = "#".repeat(Math.ceil((count / highest) * barWidth))
      return `${`≤ ${milliseconds(upTo)}`.padStart(13)} ${whole(count).padStart(11)} ${bar}`.trimEnd()
    })
  ].join("\n")}\n`
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const chart = { width: 860, height: 220, left: 70, bottom: 24, top: 10 }

interface Series {
  readonly name: string
  readonly color: string
  readonly values: ReadonlyArray<number>
}

/** Lines over the seconds of the measurement. */
const lineChart = (series: ReadonlyArray<Series>, label: (value: number) => string): string => {
  const { bottom, height, left, top, width } = chart
  const highest = Math.max(...series.flatMap(({ values }) => values), Number.MIN_VALUE)
  const length = Math.max(...series.map(({ values }) => values.length))
  const x = (at: number): number => left + (length < 2 ? 0 : (at / (length - 1)) * (width - left - 10))
  const y = (value: number): number => height - bottom - (value / highest) * (height - bottom - top)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = y(share * highest).toFixed(1)
    return `<line x1="${left}" x2="${width - 10}" y1="${at}" y2="${at}" stroke="#ddd"/><text x="${left - 6}" y="${at}" text-anchor="end" dominant-baseline="middle">${escaped(label(share * highest))}</text>`
  })
  const lines = series.map(({ color, name, values }) => {
    const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ")
    return `<polyline points="${points}" fill="none" stroke="${color}" stroke-width="2"><title>${escaped(name)}</title></polyline>`
  })
  const times = [0, length - 1].map(
    (at) => `<text x="${x(at).toFixed(1)}" y="${height - 6}" text-anchor="middle">${at + 1} s</text>`
  )
  const legend = series.map(({ color, name }) => `<span style="color:${color}">■</span> ${escaped(name)}`).join(" ")
  return `<svg viewBox="0 0 ${width} ${height}" role="img">${[...grid, ...lines, ...times].join("")}</svg><p>${legend}</p>`
}

const barChart = (latency: Histogram): string => {
  const rows = latency.rows(40)
  const highest = Math.max(...rows.map(({ count }) => count), 1)
  const row = 14
  const bars = rows.map(({ count, upTo }, at) => {
    const length = ((count / highest) * (chart.width - 200)).toFixed(1)
    const y = at * row
    return `<text x="80" y="${y + 10}" text-anchor="end">≤ ${milliseconds(upTo)}</text><rect x="88" y="${y + 1}" width="${length}" height="${row - 3}" fill="#36c"/><text x="${88 + Number(length) + 6}" y="${y + 10}">${whole(count)}</text>`
  })
  return `<svg viewBox="0 0 ${chart.width} ${rows.length * row}" role="img">${bars.join("")}</svg>`
}

/** The result as a page that needs nothing else. */
export const htmlReport = (plan: Plan, measurement: Measurement, time: Date): string => {
  const { rate, seconds } = rateOf(measurement)
  const { latency, opening, seconds: perSecond } = measurement
  const remark = remarkOf(plan, measurement)
  const figures = [
    ["Throughput", `${whole(rate)} messages/s, ${bytes(rate * plan.size)}/s each way`],
    ["Messages", whole(latency.count)],
    ...quantiles.map(([name, share]) => [`Latency ${name}`, milliseconds(latency.quantile(share))] as const),
    ["Latency max", milliseconds(latency.most)],
    ["Opening p50", milliseconds(opening.quantile(0.5))],
    ["Opening max", milliseconds(opening.most)]
  ] as const
  const over = (name: string, color: string, key: "messages" | "p50" | "p99"): Series => ({
    name,
    color,
    values: perSecond.map((second) => second[key])
  })
  const overTime =
    perSecond.length < 2
      ? ""
      : `<h2>Messages a second</h2>${lineChart([over("messages", "#36c", "messages")], whole)}
<h2>Latency, second by second</h2>${lineChart([over("p50", "#283", "p50"), over("p99", "#c33", "p99")], milliseconds)}`
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>wscat bench ${escaped(plan.url)}</title>
<style>body{font:14px system-ui,sans-serif;max-width:900px;margin:2em auto}svg{width:100%}svg text{font-size:11px;fill:#555}td{padding:2px 16px 2px 0}</style>
<h1>${escaped(plan.url)}</h1>
<p>${escaped(loadText(plan, seconds))}; ${time.toISOString()}</p>
${remark === undefined ? "" : `<p><strong>${escaped(remark)}</strong></p>`}
<table>${figures.map(([name, value]) => `<tr><td>${name}</td><td>${escaped(value)}</td></tr>`).join("")}</table>
${overTime}
<h2>Latency</h2>${barChart(latency)}
</html>
`
}
