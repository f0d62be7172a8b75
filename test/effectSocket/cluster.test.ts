import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option, Ref, References, Schedule, Schema, Scope } from "effect"
import {
  Entity,
  MessageStorage,
  RunnerAddress,
  RunnerHealth,
  Runners,
  RunnerStorage,
  ShardingConfig
} from "effect/cluster"
import { Rpc, RpcSerialization } from "effect/rpc"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Server, Socket } from "effect-ws"
import * as https from "node:https"
import * as net from "node:net"
import { makeCertificate } from "../support/certificate.ts"

/** Ports that are free: runners are told of each other's address before any of them listens. */
const freePorts = (count: number) =>
  Effect.forEach(
    Array.from({ length: count }),
    () =>
      Effect.acquireRelease(
        Effect.callback<net.Server>((resume) => {
          const server = net.createServer().listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
      ),
    { concurrency: "unbounded" }
  ).pipe(
    Effect.map((servers) =>
      servers.map((server) => {
        const address = server.address()
        return typeof address === "object" && address !== null ? address.port : 0
      })
    ),
    Effect.scoped
  )

const Counter = Entity.make("Counter", [
  Rpc.make("Add", {
    payload: { amount: Schema.Int },
    success: Schema.Struct({ runner: Schema.Int, sum: Schema.Int })
  }),
  Rpc.make("Echo", { payload: { text: Schema.String }, success: Schema.String })
])

const counterOn = (runner: number) =>
  Counter.toLayer(
    Effect.gen(function* () {
      const sum = yield* Ref.make(0)
      return Counter.of({
        Add: ({ payload }) =>
          Effect.map(
            Ref.updateAndGet(sum, (before) => before + payload.amount),
            (sum) => ({ runner, sum })
          ),
        Echo: ({ payload }) => Effect.succeed(payload.text)
      })
    }).pipe(quiet)
  )

const configOf = (port: number | undefined) =>
  ShardingConfig.layer({
    runnerAddress: port === undefined ? Option.none() : Option.some(RunnerAddress.make("127.0.0.1", port)),
    shardsPerGroup: 20,
    refreshAssignmentsInterval: "50 millis",
    sendRetryInterval: "20 millis",
    entityReplyPollInterval: "20 millis"
  })

/** What all runners share, and what each has for itself. */
const cluster = Effect.fnUntraced(function* (options: EffectSocket.RunnerOptions = {}) {
  const storage = yield* Layer.build(RunnerStorage.layerMemory)
  const services = (port: number | undefined) =>
    Layer.mergeAll(
      configOf(port),
      MessageStorage.layerNoop,
      Layer.succeedContext(storage),
      RpcSerialization.layerSchemaBinary(),
      RunnerHealth.layerNoop
    )
  return {
    runner: (port: number) =>
      Layer.build(
        counterOn(port).pipe(Layer.provideMerge(EffectSocket.layerRunner(options)), Layer.provide(services(port)))
      ),
    client: Layer.build(Layer.provide(EffectSocket.layerRunnerClientOnly(options), services(undefined)))
  }
})

/** Waits until both runners have shards: an entity whose runner isn't known yet is one that must be asked for again. */
const settled = Effect.fnUntraced(function* (clientFor: (id: string) => Effect.Effect<{ readonly runner: number }>) {
  const runners = yield* Effect.repeat(
    Effect.map(
      Effect.forEach(
        Array.from({ length: 20 }, (_, at) => `probe-${at}`),
        clientFor,
        { concurrency: "unbounded" }
      ),
      (answers) => new Set(answers.map(({ runner }) => runner))
    ),
    { until: (runners) => runners.size === 2, schedule: Schedule.spaced("50 millis") }
  )
  return [...runners].toSorted()
})

/** Builds a runner with nothing to run. */
const build = (port: number | undefined) =>
  Effect.scoped(
    Layer.build(
      Layer.provide(EffectSocket.layerRunner(), [
        configOf(port),
        MessageStorage.layerNoop,
        RunnerStorage.layerMemory,
        RpcSerialization.layerNdjson,
        RunnerHealth.layerNoop
      ])
    )
  )

/** Effect's HTTP server logs each upgrade. */
const quiet = Effect.provideService(References.MinimumLogLevel, "Warn")

describe("effect/cluster", () => {
  it.live("runs entities on two runners that call each other, and from a process that is no runner", () =>
    Effect.gen(function* () {
      const [first = 0, second = 0] = yield* freePorts(2)
      const { client, runner } = yield* cluster()
      const one = yield* runner(first)
      yield* runner(second)
      const outside = yield* client

      const fromRunner = yield* Effect.provideContext(Counter.client, one)
      const fromOutside = yield* Effect.provideContext(Counter.client, outside)
      const add = (id: string) => Effect.orDie(fromRunner(id).Add({ amount: 0 }))
      assert.deepStrictEqual(yield* settled(add), [first, second].toSorted())

      for (const id of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
        const before = yield* fromRunner(id).Add({ amount: 1 })
        const after = yield* fromOutside(id).Add({ amount: 2 })
        assert.deepStrictEqual({ ...after, before: before.sum }, { runner: before.runner, before: 1, sum: 3 })
      }
    }).pipe(quiet)
  )

  it.live("moves the entities of a runner that shuts down to the other", () =>
    Effect.gen(function* () {
      const [first = 0, second = 0] = yield* freePorts(2)
      const { runner } = yield* cluster()
      const one = yield* runner(first)
      const leaving = yield* Scope.make()
      yield* Scope.provide(runner(second), leaving)
      const clientFor = yield* Effect.provideContext(Counter.client, one)
      yield* settled((id) => Effect.orDie(clientFor(id).Add({ amount: 0 })))
      yield* Scope.close(leaving, Exit.void)
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, at) => `probe-${at}`),
        (id) => clientFor(id).Add({ amount: 1 }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...new Set(answers.map(({ runner }) => runner))], [first])
    }).pipe(quiet)
  )

  it.live("accepts a batch as large as maxMessageSize says", () =>
    Effect.gen(function* () {
      const [port = 0] = yield* freePorts(1)
      const size = 3 * 1024 * 1024
      const limits = { maxMessageSize: 4 * 1024 * 1024 }
      const { client, runner } = yield* cluster({ websocket: limits, connect: limits })
      yield* runner(port)
      const clientFor = yield* Effect.provideContext(Counter.client, yield* client)
      const text = "x".repeat(size)
      assert.strictEqual((yield* clientFor("large").Echo({ text })).length, size)
    }).pipe(quiet)
  )

  it.live("calls runners at their path and over TLS, and tells which are healthy", () =>
    Effect.gen(function* () {
      const [port = 0, other = 0] = yield* freePorts(2)
      const { cert, key } = makeCertificate()
      const options: EffectSocket.RunnerOptions = {
        path: "/runners",
        secure: true,
        createServer: () => https.createServer({ cert, key }),
        connect: { tls: { ca: cert } }
      }
      const { runner } = yield* cluster(options)
      yield* runner(port)
      const refused = yield* Effect.flip(Socket.connect(`wss://127.0.0.1:${port}/`, options.connect))
      assert.strictEqual(refused.reason._tag, "HandshakeFailed")
      const health = yield* Layer.build(
        RunnerHealth.layerPing.pipe(
          Layer.provide(Runners.layerRpc),
          Layer.provide(EffectSocket.layerRunnerClientProtocol(options)),
          Layer.provide([configOf(undefined), MessageStorage.layerNoop, RpcSerialization.layerSchemaBinary()])
        )
      )
      const isAlive = (port: number) =>
        Effect.flatMap(Effect.provideContext(RunnerHealth.RunnerHealth, health), ({ isAlive }) =>
          isAlive(RunnerAddress.make("127.0.0.1", port))
        )
      assert.isTrue(yield* isAlive(port))
      assert.isFalse(yield* isAlive(other))
    }).pipe(quiet)
  )

  it.live("fails when there is no address to listen at, or when it is taken", () =>
    Effect.gen(function* () {
      const nowhere = yield* Effect.flip(build(undefined))
      assert.match(String(nowhere.cause), /no runnerAddress/)
      const { address } = yield* Server.make({ host: "127.0.0.1", port: 0 })
      const taken = yield* Effect.flip(build(address.port))
      assert.match(String(taken.cause), /EADDRINUSE/)
    }).pipe(quiet)
  )
})
