import { FetchHttpClient } from "effect/http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { Otlp } from "effect/observability"
import { Observability, Server, Socket } from "effect-ws"
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { attributesOf, type CollectedSpan, type Collector, collect, valueOf } from "./telemetry/collector.ts"

const root = fileURLToPath(new URL("../", import.meta.url))

/** Starts the example on a free port. Answers with its address; the end of the scope interrupts it, and waits for its end. */
const example = (collector: Collector) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = ["--import", "./test/support/resolve-src.mjs", "examples/opentelemetry/server.ts"]
      const env = { ...process.env, PORT: "0", OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
      return spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "pipe", "inherit"] })
    }),
    (child) =>
      Effect.callback<void>((resume) => {
        if (child.exitCode !== null) return resume(Effect.void)
        child.once("exit", () => resume(Effect.void))
        child.kill("SIGINT")
      })
  ).pipe(
    Effect.flatMap((child) =>
      Effect.callback<string, string>((resume) => {
        createInterface(child.stdout).on("line", (line) => {
          const found = /http:(\/\/localhost:\d+\/)/.exec(line)
          if (found !== null) resume(Effect.succeed(`ws:${found[1]}`))
        })
        child.once("exit", (code) => resume(Effect.fail(`the example ended with ${code}`)))
      })
    )
  )

const named = ({ spans }: Collector, name: string): CollectedSpan => {
  const [span, ...others] = spans.filter((span) => span.name === name)
  assert.isDefined(span, name)
  assert.lengthOf(others, 0, name)
  return span as CollectedSpan
}

/** OpenTelemetry's numbers: of kinds of spans, and of the status of one that failed. */
const [serverKind, failed] = [2, 2]

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

describe("OpenTelemetry", () => {
  it.live("gets the example's spans and metrics, joined to the client's trace", () =>
    Effect.gen(function* () {
      const collector = yield* collect
      yield* Effect.scoped(
        Effect.gen(function* () {
          const url = yield* example(collector)
          const socket = yield* Socket.connect(url, { headers: { traceparent: `00-${traceId}-${spanId}-01` } })
          yield* socket.sendAll(["hello", "again"])
          yield* Effect.scoped(Effect.flip(Socket.connect(url, { headers: { origin: "http://elsewhere.example" } })))
          yield* socket.ping()
          yield* socket.close(4001, "enough")
        })
      )
      assert.deepStrictEqual(collector.broken, [])
      assert.deepStrictEqual([...collector.services], ["echo"])

      const handshakes = collector.spans.filter(({ name }) => name === "websocket.handshake")
      const accepted = handshakes.find((span) => span.traceId === traceId)
      const refused = handshakes.find((span) => span.traceId !== traceId)
      assert.strictEqual(accepted?.parentSpanId, spanId)
      assert.strictEqual(attributesOf(accepted?.attributes ?? [])["http.response.status_code"], 101)
      assert.strictEqual(attributesOf(refused?.attributes ?? [])["error.type"], "OriginRefused")
      assert.strictEqual(refused?.status.code, failed)

      const connection = named(collector, "websocket.connection")
      assert.strictEqual(connection.traceId, traceId)
      assert.strictEqual(connection.parentSpanId, spanId)
      assert.strictEqual(connection.kind, serverKind)
      assert.deepStrictEqual(
        connection.links?.map((link) => link.spanId),
        [accepted?.spanId]
      )
      const attributes = attributesOf(connection.attributes)
      assert.strictEqual(attributes["websocket.draft"], "rfc6455")
      assert.strictEqual(attributes["websocket.close.code"], 4001)
      assert.strictEqual(attributes["websocket.close.initiator"], "remote")
      const answers = collector.spans.filter(({ name }) => name === "answer")
      assert.lengthOf(answers, 2)
      for (const answer of answers) assert.strictEqual(answer.parentSpanId, connection.spanId)

      const { metrics } = collector
      const at = (name: string, attributes: Record<string, string> = {}) =>
        valueOf(metrics.get(name), { "websocket.role": "server", ...attributes })
      assert.strictEqual(at("websocket.connections"), 0)
      assert.strictEqual(at("websocket.handshakes", { "websocket.handshake.outcome": "accepted" }), 1)
      assert.strictEqual(at("websocket.handshakes", { "websocket.handshake.outcome": "OriginRefused" }), 1)
      assert.strictEqual(at("websocket.messages", { "network.io.direction": "receive" }), 2)
      assert.strictEqual(at("websocket.messages", { "network.io.direction": "transmit" }), 2)
      assert.isAtLeast(at("websocket.io", { "network.io.direction": "receive" }) ?? 0, 2 * 6 + 10)
      assert.strictEqual(at("websocket.closes", { "websocket.close.code": "4001" }), 1)
      assert.strictEqual(metrics.get("websocket.io")?.unit, "By")
      assert.isTrue(metrics.get("websocket.messages")?.sum?.isMonotonic)
      assert.isAbove(valueOf(metrics.get("nodejs.eventloop.utilization")) ?? 0, 0)
    })
  )

  it.live("gets them from Effect's own exporter too", () =>
    Effect.gen(function* () {
      const collector = yield* collect
      const telemetry = Otlp.layerJson({ baseUrl: collector.endpoint, resource: { serviceName: "pair" } }).pipe(
        Layer.provide(FetchHttpClient.layer)
      )
      yield* Effect.gen(function* () {
        const server = yield* Server.make({ host: "127.0.0.1", port: 0, metrics: true, tracing: true })
        yield* Effect.forkScoped(server.run((socket) => Socket.run(socket, socket.send)))
        const url = `ws://127.0.0.1:${server.address.port}/`
        const client = yield* Socket.connect(url, { metrics: true, tracing: true })
        yield* client.send("hello")
        yield* client.ping()
        yield* client.close()
      }).pipe(
        Effect.withSpan("program"),
        Effect.scoped,
        Effect.provide(telemetry),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      assert.deepStrictEqual(collector.broken, [])
      const program = named(collector, "program")
      const of = (name: string, kind: number) =>
        collector.spans.find((span) => span.name === `websocket.${name}` && span.kind === kind)
      const [clientHandshake, connection] = [of("handshake", 3), of("connection", serverKind)]
      assert.strictEqual(clientHandshake?.parentSpanId, program.spanId)
      assert.strictEqual(connection?.parentSpanId, clientHandshake?.spanId)
      assert.strictEqual(connection?.traceId, program.traceId)
      for (const role of ["client", "server"]) {
        const metrics = collector.metrics.get("websocket.handshakes")
        assert.strictEqual(valueOf(metrics, { "websocket.role": role }), 1)
      }
      const pings = collector.metrics.get("websocket.ping.duration")
      assert.strictEqual(valueOf(pings, { "websocket.role": "client" }), 1)
      assert.strictEqual(pings?.unit, "s")
    })
  )

  it("is told the names that the page has", () => {
    const page = readFileSync(join(root, "docs", "observability.md"), "utf8")
    const metrics = [
      Observability.connections("server"),
      Observability.handshakes("server", "accepted"),
      Observability.messages("server", "receive"),
      Observability.io("server", "receive"),
      Observability.buffered("server", "receive"),
      Observability.closes("server", "1000", "local"),
      Observability.pingDuration("server"),
      ...Object.values(Observability.eventLoopDelay),
      Observability.eventLoopUtilization
    ]
    for (const { attributes, description, id } of metrics) {
      assert.match(id, /^[a-z]+(?:\.[a-z0-9]+)+$/)
      assert.isString(description)
      assert.isString(attributes?.["unit"])
      assert.include(page, `\`${id}\``)
    }
  })
})
