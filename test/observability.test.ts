import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Metric, Option, Stream, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { Frame, type Handshake, Observability, Server, Socket } from "effect-ws"
import * as fc from "fast-check"
import { mostCodes } from "../src/internal/observability/meter.ts"
import { formatTraceparent, longest, parseTraceparent } from "../src/internal/observability/traceContext.ts"

/** Runs with metrics of its own, which no other test adds to. */
const alone = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

const count = (metric: Metric.Counter<number>) => Effect.map(Metric.value(metric), ({ count }) => count)
const level = (metric: Metric.Gauge<number>) => Effect.map(Metric.value(metric), ({ value }) => value)

const { buffered, closes, connections, handshakes, io, messages, pingDuration } = Observability

/** A pair that is closed in some way, and gone. */
const closing = (end: (client: Socket.Socket, server: Socket.Socket) => Effect.Effect<unknown, unknown>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ metrics: true, maxMessageSize: 10 })
      yield* Effect.ignore(end(client, server))
      yield* client.closed
      yield* server.closed
    })
  )

/** A server's connection that its client closes. */
const close = (code: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [client, server] = yield* Socket.makePair({ server: { metrics: true } })
      yield* client.close(code)
      yield* server.closed
    })
  )

describe("the metrics", () => {
  it.effect("count messages and bytes as they stand on the wire", () =>
    alone(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ metrics: true, keepAlive: false })
        yield* client.send("käse")
        yield* client.send(Uint8Array.of(1, 2))
        yield* client.send(Frame.text("one ", { fin: false }))
        yield* client.send(Frame.continuation("two"))
        assert.lengthOf(yield* Stream.runCollect(Stream.take(server.messages, 3)), 3)
        yield* server.sendAll(["a", "b"])
        yield* Socket.broadcast([server], ["c", "d"])
        assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 4)), ["a", "b", "c", "d"])
        // Headers of two bytes, and from the client a masking key of four: RFC 6455 §5.2.
        const [outward, back] = [6 * 4 + 5 + 2 + 4 + 3, 2 * 4 + 4]
        for (const [role, sent, received, bytesSent, bytesReceived] of [
          ["client", 3, 4, outward, back],
          ["server", 4, 3, back, outward]
        ] as const) {
          assert.strictEqual(yield* count(messages(role, "transmit")), sent)
          assert.strictEqual(yield* count(messages(role, "receive")), received)
          assert.strictEqual(yield* count(io(role, "transmit")), bytesSent)
          assert.strictEqual(yield* count(io(role, "receive")), bytesReceived)
        }
      })
    )
  )

  it.effect("count the messages of a reader of frames, and no control frames", () =>
    alone(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ metrics: true, keepAlive: false })
        yield* client.send(Frame.text("one ", { fin: false }))
        yield* client.send(Frame.ping("p"))
        yield* client.send(Frame.continuation("two"))
        yield* client.send("three")
        assert.lengthOf(yield* Stream.runCollect(Stream.take(server.frames, 4)), 4)
        assert.strictEqual(yield* count(messages("server", "receive")), 2)
        assert.strictEqual(yield* count(messages("client", "transmit")), 2)
        assert.strictEqual(yield* count(messages("server", "transmit")), 0)
      })
    )
  )

  it.effect("count compressed bytes", () =>
    alone(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({ metrics: true, compression: true })
        yield* client.send("a".repeat(10_000))
        yield* Socket.broadcast([server], "b".repeat(10_000))
        yield* Stream.runDrain(Stream.take(server.messages, 1))
        yield* Stream.runDrain(Stream.take(client.messages, 1))
        assert.strictEqual(yield* count(messages("client", "transmit")), 1)
        assert.strictEqual(yield* count(messages("server", "transmit")), 1)
        assert.isBelow(yield* count(io("server", "receive")), 200)
        assert.isBelow(yield* count(io("server", "transmit")), 200)
      })
    )
  )

  it.effect("follow connections and what they hold", () =>
    alone(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const [client, server] = yield* Socket.makePair({ metrics: true, keepAlive: false })
            yield* Socket.makePair({ metrics: true, keepAlive: false })
            assert.strictEqual(yield* level(connections("client")), 2)
            assert.strictEqual(yield* level(connections("server")), 2)
            assert.strictEqual(yield* count(handshakes("server", "accepted")), 2)
            assert.strictEqual(yield* level(buffered("server", "receive")), 0)
            yield* client.send("x".repeat(1000))
            yield* TestClock.adjust(0)
            assert.isAtLeast(yield* level(buffered("server", "receive")), 1000)
            yield* Stream.runDrain(Stream.take(server.messages, 1))
            assert.strictEqual(yield* level(buffered("server", "receive")), 0)
            // The server's reader is gone: what waits beyond its 64 KiB waits with the client.
            yield* Effect.forkScoped(
              Effect.ignore(client.sendAll(Array.from({ length: 40 }, () => "y".repeat(10_000))))
            )
            yield* TestClock.adjust(0)
            assert.isAbove(yield* level(buffered("client", "transmit")), 0)
          })
        )
        for (const role of ["client", "server"] as const) {
          assert.strictEqual(yield* level(connections(role)), 0)
          assert.strictEqual(yield* level(buffered(role, "receive")), 0)
          assert.strictEqual(yield* level(buffered(role, "transmit")), 0)
        }
      })
    )
  )

  it.effect("tell who closed, and with which code", () =>
    alone(
      Effect.gen(function* () {
        yield* closing((client) => client.close(4321, "bye"))
        yield* closing((_, server) => server.close())
        yield* closing((client) => client.send(Frame.close()))
        yield* closing((client, server) => Effect.andThen(client.send("longer than ten"), server.closed))
        assert.strictEqual(yield* count(closes("client", "4321", "local")), 1)
        assert.strictEqual(yield* count(closes("server", "4321", "remote")), 1)
        assert.strictEqual(yield* count(closes("server", "1000", "local")), 1)
        assert.strictEqual(yield* count(closes("client", "1000", "remote")), 1)
        assert.strictEqual(yield* count(closes("server", "1005", "remote")), 1)
        assert.strictEqual(yield* count(closes("server", "1009", "local")), 1)
      })
    )
  )

  it.effect("name so many of the codes that a peer may choose, and no more", () =>
    alone(
      Effect.gen(function* () {
        for (let code = 4000; code < 4000 + mostCodes + 1; code++) yield* close(code)
        yield* close(4000)
        yield* close(1003)
        assert.strictEqual(yield* count(closes("server", "4000", "remote")), 2)
        assert.strictEqual(yield* count(closes("server", String(4000 + mostCodes - 1), "remote")), 1)
        assert.strictEqual(yield* count(closes("server", "other", "remote")), 1)
        assert.strictEqual(yield* count(closes("server", "1003", "remote")), 1)
        const series = yield* Metric.snapshot
        assert.lengthOf(
          series.filter(({ id }) => id === "websocket.closes"),
          mostCodes + 2
        )
      })
    )
  )

  it.effect("time pings, keepalive's and the program's", () =>
    alone(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair({
          metrics: true,
          client: { keepAlive: { interval: "10 seconds", timeout: "5 seconds" } },
          server: { keepAlive: false }
        })
        // The pair in memory answers at once.
        yield* TestClock.adjust("25 seconds")
        const kept = yield* Metric.value(pingDuration("client"))
        assert.strictEqual(kept.count, 2)
        assert.strictEqual(kept.sum, 0)
        yield* client.ping()
        assert.strictEqual((yield* Metric.value(pingDuration("client"))).count, 3)
        yield* server.ping()
        assert.strictEqual((yield* Metric.value(pingDuration("server"))).count, 1)
        // An answer that nobody asked for tells nothing.
        yield* server.send(Frame.pong())
        yield* TestClock.adjust(0)
        assert.strictEqual((yield* Metric.value(pingDuration("client"))).count, 3)
      })
    )
  )

  it.effect("of connections with the same attributes count together, and apart from others'", () =>
    alone(
      Effect.gen(function* () {
        const pair = Socket.makePair({ metrics: true })
        yield* pair
        yield* Effect.provideService(pair, Metric.CurrentMetricAttributes, { pool: "a" })
        yield* Effect.provideService(pair, Metric.CurrentMetricAttributes, { pool: "a" })
        const gauge = connections("server")
        assert.strictEqual(yield* level(gauge), 1)
        assert.strictEqual(yield* level(Metric.withAttributes(gauge, { pool: "a" })), 2)
      })
    )
  )

  it.effect("are none unless asked for", () =>
    alone(
      Effect.gen(function* () {
        const [client, server] = yield* Socket.makePair()
        yield* client.send("hello")
        yield* Stream.runDrain(Stream.take(server.messages, 1))
        assert.deepStrictEqual(yield* Metric.snapshot, [])
        assert.isUndefined(Observability.spanOf(client))
      })
    )
  )

  it.live("of the event loop tell that it was held up", () =>
    alone(
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Observability.eventLoop({ interval: "100 millis", resolution: "5 millis" })
            yield* Effect.sleep("20 millis")
            const until = performance.now() + 60
            while (performance.now() < until);
            const max = yield* Effect.repeat(Effect.delay(level(Observability.eventLoopDelay.max), "10 millis"), {
              until: (max) => max > 0.04,
              times: 200
            })
            assert.isAbove(max, 0.04)
            assert.isBelow(max, 5)
          })
        )
        assert.isAbove(yield* level(Observability.eventLoopUtilization), 0)
        const series = (yield* Metric.snapshot).map(({ id }) => id)
        for (const name of ["delay.min", "delay.mean", "delay.p99", "delay.stddev", "utilization"]) {
          assert.include(series, `nodejs.eventloop.${name}`)
        }
      })
    )
  )
})

const digits = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: length, maxLength: length })

describe("traceparent", () => {
  const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

  it("is read as W3C Trace Context §3.2 says", () => {
    const span = parseTraceparent(valid)
    assert.deepStrictEqual(
      [span?.traceId, span?.spanId, span?.sampled],
      ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", true]
    )
    assert.isFalse(parseTraceparent(valid.replace(/01$/, "00"))?.sampled)
    assert.isTrue(parseTraceparent(valid.replace(/01$/, "ff"))?.sampled)
    // A later version may add something, behind a dash.
    const later = valid.replace(/^00/, "cc")
    assert.isDefined(parseTraceparent(later))
    assert.isDefined(parseTraceparent(`${later}-more`))
  })

  it("counts as none when it isn't one valid value", () => {
    for (const value of [
      undefined,
      "",
      [valid],
      `${valid}, ${valid}`,
      `${valid}-more`,
      ` ${valid}`,
      valid.toUpperCase(),
      valid.replace(/^00/, "ff"),
      valid.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0".repeat(32)),
      valid.replace("00f067aa0ba902b7", "0".repeat(16)),
      valid.slice(0, -1),
      valid.replace(/^00/, "cc") + "more"
    ]) {
      assert.isUndefined(parseTraceparent(value), String(value))
    }
    const later = `${valid.replace(/^00/, "cc")}-`
    assert.isDefined(parseTraceparent(later.padEnd(longest, "x")))
    assert.isUndefined(parseTraceparent(later.padEnd(longest + 1, "x")))
  })

  it("comes back as it was written, and is written for ids of its form alone", () => {
    fc.assert(
      fc.property(digits(32), digits(16), fc.boolean(), (traceId, spanId, sampled) => {
        const written = formatTraceparent(Tracer.externalSpan({ traceId, spanId, sampled }))
        if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return written === undefined
        const read = parseTraceparent(written)
        return read?.traceId === traceId && read.spanId === spanId && read.sampled === sampled
      })
    )
    assert.isUndefined(formatTraceparent(Tracer.externalSpan({ traceId: "noop", spanId: "noop" })))
    assert.isUndefined(formatTraceparent(Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b\r\nx: y" })))
  })
})

/** A tracer that keeps its spans. */
const keeping = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const named = (name: string, kind: Tracer.SpanKind): Tracer.NativeSpan => {
    const [span, ...others] = spans.filter((span) => span.name === `websocket.${name}` && span.kind === kind)
    assert.isDefined(span, `${name} of the ${kind}`)
    assert.lengthOf(others, 0)
    return span as Tracer.NativeSpan
  }
  return { spans, tracer, named }
}

const parentOf = (span: Tracer.Span): string | undefined => Option.getOrUndefined(span.parent)?.spanId

const attributesOf = (span: Tracer.Span): Record<string, unknown> => Object.fromEntries(span.attributes)

const exitOf = ({ status }: Tracer.Span): Exit.Exit<unknown, unknown> | undefined =>
  status._tag === "Ended" ? status.exit : undefined

const linked = (span: Tracer.Span) => span.links.map(({ span }) => span.spanId)

/** The header that a server is sent. */
const sent = (options: Socket.PairOptions) =>
  Effect.scoped(
    Effect.map(Socket.makePair(options), ([, server]) => (server.request as Handshake.Request).headers["traceparent"])
  )

describe("tracing", () => {
  it.effect("makes a span of each handshake and each connection, joined by traceparent", () =>
    Effect.gen(function* () {
      const { named, spans, tracer } = keeping()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [client] = yield* Socket.makePair({ tracing: true, compression: true, protocols: ["chat"] })
          yield* TestClock.adjust("3 seconds")
          yield* client.close(4000, "bye")
        })
      ).pipe(Effect.withSpan("program"), Effect.provideService(Tracer.Tracer, tracer))
      assert.lengthOf(spans, 5)
      const program = spans[0]
      assert.strictEqual(program?.name, "program")
      const asking = named("handshake", "client")
      const [answering, outward, inward] = [
        named("handshake", "server"),
        named("connection", "client"),
        named("connection", "server")
      ]
      assert.strictEqual(parentOf(asking), program?.spanId)
      assert.strictEqual(parentOf(outward), program?.spanId)
      assert.strictEqual(parentOf(answering), asking.spanId)
      assert.strictEqual(parentOf(inward), asking.spanId)
      assert.deepStrictEqual(new Set(spans.map(({ traceId }) => traceId)).size, 1)
      assert.deepStrictEqual(
        inward.links.map(({ span }) => span.spanId),
        [answering.spanId]
      )
      const agreed = {
        "network.protocol.name": "websocket",
        "network.protocol.version": "13",
        "websocket.draft": "rfc6455",
        "websocket.subprotocol": "chat",
        "websocket.extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
      }
      assert.deepStrictEqual(attributesOf(answering), { ...agreed, "http.response.status_code": 101 })
      assert.deepStrictEqual(attributesOf(inward), {
        ...agreed,
        "websocket.close.code": 4000,
        "websocket.close.initiator": "remote",
        "websocket.close.cause": "Handshake"
      })
      assert.strictEqual(outward.attributes.get("websocket.close.initiator"), "local")
      for (const span of spans) assert.isTrue(Exit.isSuccess(exitOf(span) ?? Exit.fail("not ended")), span.name)
      const { status } = inward
      const lasted = status._tag === "Ended" ? status.endTime - status.startTime : 0n
      assert.strictEqual(lasted, 3_000_000_000n)
    })
  )

  it.effect("marks what ended as neither side wanted", () =>
    Effect.gen(function* () {
      const { named, tracer } = keeping()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const [client, server] = yield* Socket.makePair({ tracing: true, maxMessageSize: 10 })
          yield* client.send("longer than ten")
          yield* server.closed
        })
      ).pipe(Effect.provideService(Tracer.Tracer, tracer))
      const inward = named("connection", "server")
      assert.strictEqual(inward.attributes.get("error.type"), "Violation")
      assert.strictEqual(inward.attributes.get("websocket.close.code"), 1009)
      const exit = exitOf(inward)
      assert.isTrue(exit !== undefined && Exit.isFailure(exit))
      const error = exit !== undefined && Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, Socket.SocketError)
    })
  )

  it.effect("links to the client's trace instead of continuing it, or takes no notice", () =>
    Effect.gen(function* () {
      for (const propagation of ["link", "off"] as const) {
        const { named, tracer } = keeping()
        yield* Effect.scoped(Socket.makePair({ tracing: true, server: { tracing: { propagation } } })).pipe(
          Effect.provideService(Tracer.Tracer, tracer)
        )
        const asking = named("handshake", "client")
        const answering = named("handshake", "server")
        const inward = named("connection", "server")
        assert.isUndefined(parentOf(answering))
        assert.isUndefined(parentOf(inward))
        assert.notStrictEqual(inward.traceId, asking.traceId)
        assert.deepStrictEqual(linked(answering), propagation === "link" ? [asking.spanId] : [])
        assert.deepStrictEqual(
          linked(inward),
          propagation === "link" ? [asking.spanId, answering.spanId] : [answering.spanId]
        )
      }
    })
  )

  it.effect("sends nothing when it is off, and nothing of spans that aren't traced", () =>
    Effect.gen(function* () {
      assert.isString(yield* sent({ tracing: true }))
      assert.isUndefined(yield* sent({}))
      assert.isUndefined(yield* sent({ tracing: { propagation: "off" } }))
      assert.isUndefined(yield* Effect.withTracerEnabled(sent({ tracing: true }), false))
    })
  )

  it.effect("follows the client's decision about sampling", () =>
    Effect.gen(function* () {
      const { named, tracer } = keeping()
      yield* Effect.scoped(Socket.makePair({ tracing: true })).pipe(
        Effect.withSpan("program", { sampled: false }),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      assert.isFalse(named("handshake", "client").sampled)
      assert.isFalse(named("connection", "server").sampled)
    })
  )

  it.effect("gives the span of a connection to whoever works with it", () =>
    Effect.gen(function* () {
      const { named, tracer } = keeping()
      yield* Effect.gen(function* () {
        const [client] = yield* Socket.makePair({ tracing: true })
        assert.strictEqual(Observability.spanOf(client)?.spanId, named("connection", "client").spanId)
      }).pipe(Effect.scoped, Effect.provideService(Tracer.Tracer, tracer))
    })
  )
})

/** A server on a port of its own, with handlers that run for as long as the scope does. */
const serving = (
  options: Server.ServeOptions,
  handler: (socket: Server.Connection) => Effect.Effect<unknown, unknown> = (socket) => socket.closed
) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", port: 0, metrics: true, tracing: true, ...options })
    yield* Effect.forkScoped(server.run(handler))
    return { server, url: `ws://127.0.0.1:${server.address.port}` }
  })

describe("a server and its clients", () => {
  it.live("tell of one another's addresses, and the handler runs within the span of its connection", () =>
    alone(
      Effect.gen(function* () {
        const { named, tracer } = keeping()
        const within: Array<string> = []
        const note = Effect.map(Effect.currentParentSpan, ({ spanId }) => void within.push(spanId))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { server, url } = yield* serving({ authorize: () => Effect.orDie(note) }, (socket) =>
              Effect.andThen(note, socket.closed)
            )
            const path = `/rooms/${"x".repeat(300)}?token=secret`
            const client = yield* Socket.connect(url + path, { metrics: true, tracing: true })
            yield* client.send("hello")
            yield* client.close()
            const local = { "url.scheme": "ws", "url.path": path.slice(0, 256), "network.peer.address": "127.0.0.1" }
            const agreed = {
              "network.protocol.name": "websocket",
              "network.protocol.version": "13",
              "websocket.draft": "rfc6455"
            }
            assert.deepStrictEqual(attributesOf(named("handshake", "client")), {
              ...local,
              ...agreed,
              "server.address": "127.0.0.1",
              "server.port": server.address.port,
              "network.peer.port": server.address.port,
              "http.response.status_code": 101
            })
            const { "network.peer.port": port, ...inward } = attributesOf(named("handshake", "server"))
            assert.isNumber(port)
            assert.deepStrictEqual(inward, {
              ...local,
              ...agreed,
              "client.address": "127.0.0.1",
              "http.response.status_code": 101
            })
          })
        ).pipe(Effect.withSpan("program"), Effect.provideService(Tracer.Tracer, tracer))
        const connection = named("connection", "server")
        assert.deepStrictEqual(within, [named("handshake", "server").spanId, connection.spanId])
        assert.strictEqual(connection.attributes.get("client.address"), "127.0.0.1")
        assert.strictEqual(parentOf(connection), named("handshake", "client").spanId)
        for (const role of ["client", "server"] as const) {
          assert.strictEqual(yield* count(handshakes(role, "accepted")), 1)
          assert.strictEqual(yield* level(connections(role)), 0)
        }
        assert.strictEqual(yield* count(closes("server", "1000", "remote")), 1)
      })
    )
  )

  it.live("tell the same over HTTP/2, where the answer is 200", () =>
    alone(
      Effect.gen(function* () {
        const { named, tracer } = keeping()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* serving({ http2: true }, (socket) => Socket.run(socket, socket.send))
            const client = yield* Socket.connect(url, { http2: true, metrics: true, tracing: true })
            yield* client.send("hello")
            assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(client.messages, 1)), ["hello"])
          })
        ).pipe(Effect.provideService(Tracer.Tracer, tracer))
        const [asking, answering] = [named("handshake", "client"), named("handshake", "server")]
        assert.strictEqual(parentOf(answering), asking.spanId)
        for (const span of [asking, answering]) {
          assert.strictEqual(span.attributes.get("http.response.status_code"), 200)
        }
        assert.strictEqual(answering.attributes.get("network.peer.address"), "127.0.0.1")
        assert.strictEqual(yield* count(messages("server", "receive")), 1)
        assert.strictEqual(yield* count(closes("server", "1000", "remote")), 1)
      })
    )
  )

  it.live("tell why a handshake failed", () =>
    alone(
      Effect.gen(function* () {
        const { spans, tracer } = keeping()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* serving({
              authorize: ({ url }) => (url === "/slow" ? Effect.never : Effect.fail(Server.reject(403))),
              origins: "same"
            })
            const connect = (path: string, options?: Socket.ConnectOptions) =>
              Effect.flip(Socket.connect(url + path, { metrics: true, tracing: true, ...options }))
            yield* connect("/")
            yield* connect("/", { origin: "http://elsewhere.example" })
            yield* connect("/slow", { openTimeout: "50 millis" })
            yield* Effect.delay(count(handshakes("server", "ClientLeft")), "5 millis").pipe(
              Effect.repeat({ until: (left) => left === 1 })
            )
            yield* Effect.flip(Socket.connect("ws://127.0.0.1:1/", { metrics: true, tracing: true }))
          })
        ).pipe(Effect.provideService(Tracer.Tracer, tracer))
        assert.strictEqual(yield* count(handshakes("client", "UnexpectedStatus")), 2)
        assert.strictEqual(yield* count(handshakes("client", "OpenTimeout")), 1)
        assert.strictEqual(yield* count(handshakes("client", "OpenFailed")), 1)
        assert.strictEqual(yield* count(handshakes("client", "Interrupted")), 0)
        assert.strictEqual(yield* count(handshakes("server", "Rejected")), 1)
        assert.strictEqual(yield* count(handshakes("server", "OriginRefused")), 1)
        const told = spans.map(
          ({ attributes, kind }) =>
            `${kind} ${attributes.get("error.type")} ${attributes.get("http.response.status_code")}`
        )
        assert.deepStrictEqual(told.toSorted(), [
          "client OpenFailed undefined",
          "client UnexpectedStatus 403",
          "client UnexpectedStatus 403",
          "client undefined undefined",
          "server ClientLeft undefined",
          "server OriginRefused 403",
          "server Rejected 403"
        ])
        for (const span of spans) assert.isTrue(Exit.isFailure(exitOf(span) ?? Exit.void), span.name)
      })
    )
  )

  it.live("make a span of each attempt where a client is redirected, and tell each place another span", () =>
    alone(
      Effect.gen(function* () {
        const { spans, tracer } = keeping()
        const parents: Array<string | undefined> = []
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* serving({
              tracing: false,
              authorize: (request) => {
                parents.push(parseTraceparent(request.headers["traceparent"])?.spanId)
                return request.url === "/new"
                  ? Effect.succeed(undefined)
                  : Effect.fail(Server.reject(307, { headers: [["location", "/new"]] }))
              }
            })
            yield* Socket.connect(`${url}/old`, { metrics: true, tracing: true, maxRedirects: 1 })
          })
        ).pipe(Effect.provideService(Tracer.Tracer, tracer))
        const attempts = spans.filter(({ name }) => name === "websocket.handshake")
        assert.deepStrictEqual(
          attempts.map((span) => [span.spanId, span.attributes.get("http.response.status_code")]),
          [
            [parents[0], 307],
            [parents[1], 101]
          ]
        )
      })
    )
  )

  it.live("leave a header that the caller sets as it is, and begin their own trace after one that is broken", () =>
    alone(
      Effect.gen(function* () {
        const { spans, tracer } = keeping()
        const seen: Array<string | undefined> = []
        const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { url } = yield* serving({}, (socket) => {
              seen.push(Observability.spanOf(socket)?.traceId)
              return socket.closed
            })
            for (const traceparent of [`00-${traceId}-00f067aa0ba902b7-01`, "00-broken-01"]) {
              yield* Effect.scoped(Socket.connect(url, { tracing: true, headers: { TraceParent: traceparent } }))
            }
          })
        ).pipe(Effect.provideService(Tracer.Tracer, tracer))
        assert.strictEqual(seen[0], traceId)
        assert.notStrictEqual(seen[1], traceId)
        assert.isUndefined(
          parentOf(
            spans.findLast(({ kind, name }) => kind === "server" && name === "websocket.handshake") as Tracer.Span
          )
        )
      })
    )
  )
})
