/**
 * An echo that exports its traces and metrics with OpenTelemetry's own SDK, to any collector that takes OTLP over HTTP. A
 * span of the program's own, `answer`, stands below the span of the connection, and that below the client's where the
 * client sends `traceparent`.
 *
 * `node examples/opentelemetry/server.ts`; PORT comes from the environment, and OTEL_EXPORTER_OTLP_ENDPOINT, which is
 * http://localhost:4318 unless it says something else.
 */
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { NodeRuntime } from "@effect/platform-node"
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Config, Effect, Layer } from "effect"
import { Observability, Server, Socket } from "effect-ws"
import { readPage } from "../page.ts"

const Telemetry = NodeSdk.layer(() => ({
  resource: { serviceName: "echo" },
  spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter()),
  metricReader: new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(), exportIntervalMillis: 10_000 })
}))

/** Spans cost: a program makes one where it asks a database, not one for each message as here. */
const answer = (socket: Server.Connection) =>
  Socket.run(socket, (message) => Effect.withSpan(socket.send(message), "answer"))

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const page = readPage(import.meta.url)
  const server = yield* Server.make({
    host: "localhost",
    port,
    metrics: true,
    tracing: true,
    onRequest: (request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
      else response.writeHead(404).end()
    }
  })
  yield* Effect.log(`http://localhost:${server.address.port}/ sends messages to be traced`)
  return yield* server.run(answer)
})

program.pipe(
  Effect.scoped,
  Effect.provide(Layer.mergeAll(Observability.layerEventLoop(), Telemetry)),
  NodeRuntime.runMain
)
