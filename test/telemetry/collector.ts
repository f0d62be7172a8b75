/** A collector for tests: takes OTLP over HTTP as JSON, and keeps what it got. */
import { Effect, Schema } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

/** What an attribute may hold, of what the programs here write. */
const Value = Schema.Struct({
  stringValue: Schema.optional(Schema.String),
  intValue: Schema.optional(Schema.Union([Schema.Number, Schema.String])),
  doubleValue: Schema.optional(Schema.Number)
})

const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Value }))

const Resource = Schema.Struct({ attributes: Attributes })

const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  name: Schema.String,
  kind: Schema.Number,
  attributes: Attributes,
  links: Schema.optional(Schema.Array(Schema.Struct({ spanId: Schema.String }))),
  status: Schema.Struct({ code: Schema.optional(Schema.Number) })
})

const Point = Schema.Struct({
  attributes: Attributes,
  asInt: Schema.optional(Schema.Union([Schema.Number, Schema.String])),
  asDouble: Schema.optional(Schema.Number),
  count: Schema.optional(Schema.Union([Schema.Number, Schema.String]))
})

const Points = Schema.Struct({ dataPoints: Schema.Array(Point), isMonotonic: Schema.optional(Schema.Boolean) })

const Metric = Schema.Struct({
  name: Schema.String,
  unit: Schema.optional(Schema.String),
  sum: Schema.optional(Points),
  gauge: Schema.optional(Points),
  histogram: Schema.optional(Points)
})

const Traces = Schema.fromJsonString(
  Schema.Struct({
    resourceSpans: Schema.Array(
      Schema.Struct({ resource: Resource, scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })
    )
  })
)

const Metrics = Schema.fromJsonString(
  Schema.Struct({
    resourceMetrics: Schema.Array(
      Schema.Struct({
        resource: Resource,
        scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Metric) }))
      })
    )
  })
)

export type CollectedSpan = typeof Span.Type
export type CollectedMetric = typeof Metric.Type

export interface Collector {
  readonly endpoint: string
  readonly services: Set<string>
  readonly spans: Array<CollectedSpan>
  /** The metrics as they came last, by name. */
  readonly metrics: Map<string, CollectedMetric>
  /** What could not be read. */
  readonly broken: Array<string>
}

/** The attributes of a span or a point, as they are meant. */
export const attributesOf = (told: typeof Attributes.Type): Record<string, string | number | undefined> =>
  Object.fromEntries(
    told.map(({ key, value: { doubleValue, intValue, stringValue } }) => [
      key,
      stringValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))
    ])
  )

/** The one point of a metric that has these attributes among others. */
export const valueOf = (
  metric: CollectedMetric | undefined,
  attributes: Record<string, string> = {}
): number | undefined => {
  const points = (metric?.sum ?? metric?.gauge ?? metric?.histogram)?.dataPoints ?? []
  const [point, ...others] = points.filter((point) => {
    const told = attributesOf(point.attributes)
    return Object.entries(attributes).every(([key, value]) => told[key] === value)
  })
  if (point === undefined || others.length > 0) return undefined
  return Number(point.asInt ?? point.asDouble ?? point.count)
}

/** Listens on a free port until the scope ends. */
export const collect = Effect.gen(function* () {
  const services = new Set<string>()
  const spans: Array<CollectedSpan> = []
  const metrics = new Map<string, CollectedMetric>()
  const broken: Array<string> = []
  const serve = ({ attributes }: typeof Resource.Type): void => {
    services.add(String(attributesOf(attributes)["service.name"]))
  }
  const take = (path: string, body: string): void => {
    if (path === "/v1/traces") {
      for (const { resource, scopeSpans } of Schema.decodeUnknownSync(Traces)(body).resourceSpans) {
        serve(resource)
        spans.push(...scopeSpans.flatMap((scope) => scope.spans))
      }
    } else if (path === "/v1/metrics") {
      for (const { resource, scopeMetrics } of Schema.decodeUnknownSync(Metrics)(body).resourceMetrics) {
        serve(resource)
        for (const metric of scopeMetrics.flatMap((scope) => scope.metrics)) metrics.set(metric.name, metric)
      }
    } else if (path !== "/v1/logs") {
      broken.push(path)
    }
  }
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          try {
            take(request.url ?? "", Buffer.concat(chunks).toString())
          } catch (cause) {
            broken.push(String(cause))
          }
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { endpoint, services, spans, metrics, broken } satisfies Collector
})
