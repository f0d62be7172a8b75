// What topics cost in memory and over each broker: `npm run bench:topics` needs `redis-server` and `nats-server`. One process publishes and
// is subscribed, over a connection in memory; the broker is a process of its own. A figure is the median of the rounds: processor time
// of this process, `+` that of the broker's, and wall time, for one operation. On a machine that does other work, too, the
// processor times are the ones to compare. Options: `--rounds 5`, `--only streams`, `--filters 10000`, `--members 1000`.
import { Effect, Exit, Scope, Stream } from "effect"
import { Socket, Topic } from "effect-ws"
import * as TopicJetStream from "effect-ws/TopicJetStream"
import * as TopicNats from "effect-ws/TopicNats"
import * as TopicRedis from "effect-ws/TopicRedis"
import { parseArgs } from "node:util"
import { type BrokerServer, startNats, startRedis } from "../test/topic/brokers.ts"
import { median } from "./report/statistics.ts"
import { cpuSeconds } from "./workload/accounting.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    filters: { type: "string", default: "10000" },
    members: { type: "string", default: "1000" },
    only: { type: "string" }
  }
})
const rounds = Number(values.rounds)
const manyFilters = Number(values.filters)
const members = Number(values.members)

interface Carrier {
  readonly name: string
  readonly server: (() => Promise<BrokerServer>) | undefined
  readonly connect: (port: number) => Effect.Effect<Topic.BrokerService, Topic.TopicError, Scope.Scope>
  readonly keeps: boolean
}

const carriers: ReadonlyArray<Carrier> = [
  { name: "memory", server: undefined, connect: () => Effect.die("there is no broker"), keeps: true },
  {
    name: "Redis",
    server: startRedis,
    connect: (port) => TopicRedis.make({ client: { url: `redis://127.0.0.1:${port}` } }),
    keeps: false
  },
  {
    name: "Redis streams",
    server: startRedis,
    connect: (port) => TopicRedis.makeStreams({ client: { url: `redis://127.0.0.1:${port}` } }),
    keeps: true
  },
  {
    name: "NATS",
    server: startNats,
    connect: (port) => TopicNats.make({ client: { servers: `127.0.0.1:${port}` } }),
    keeps: false
  },
  {
    name: "JetStream",
    server: () => startNats({ jetStream: true }),
    connect: (port) => TopicJetStream.make({ client: { servers: `127.0.0.1:${port}` } }),
    keeps: true
  }
]

/** What one operation cost in a round, in microseconds. */
interface Sample {
  readonly own: number
  readonly broker: number
  readonly wall: number
}

type Operation = Effect.Effect<unknown, Topic.TopicError, Scope.Scope>

const message = "x".repeat(64)

/** Runs an operation so many times in each round. */
const measure = (operation: Operation, count: number, pid: number | undefined) =>
  Effect.gen(function* () {
    const samples: Array<Sample> = []
    const once = Effect.scoped(operation)
    const all = Effect.repeat(once, { times: count - 1 })
    // Compiled, and with connections that are warm.
    yield* Effect.repeat(once, { times: 2 * count })
    for (let round = 0; round < rounds; round++) {
      const [cpu, server, wall] = [process.cpuUsage(), pid === undefined ? 0 : cpuSeconds(pid), performance.now()]
      yield* all
      const { system, user } = process.cpuUsage(cpu)
      samples.push({
        own: (system + user) / count,
        broker: pid === undefined ? 0 : ((cpuSeconds(pid) - server) * 1e6) / count,
        wall: ((performance.now() - wall) * 1000) / count
      })
    }
    return samples
  })

const shown = (microseconds: number): string =>
  microseconds < 1000 ? microseconds.toPrecision(3) : `${(microseconds / 1000).toPrecision(3)} ms`

const cell = (samples: ReadonlyArray<Sample>, hasBroker: boolean): string => {
  const [own, broker, wall] = [
    median(samples.map((sample) => sample.own)),
    median(samples.map((sample) => sample.broker)),
    median(samples.map((sample) => sample.wall))
  ]
  return `${shown(own)}${hasBroker ? ` + ${shown(broker)}` : ""} (${shown(wall)})`
}

/** A socket of a server whose peer reads everything, and keeps nothing. */
const drained = Effect.gen(function* () {
  const [client, server] = yield* Socket.makePair()
  yield* Effect.forkScoped(Stream.runDrain(client.messages))
  return server
})

/** Topics that end with the scope, over the broker at this port. */
const topicsOn = ({ connect, server }: Carrier, port: number, options: Topic.Options = {}) => {
  const all = { maxSubscriptions: Infinity, ...options }
  return server === undefined
    ? Topic.make(all)
    : Effect.flatMap(connect(port), (broker) => Effect.provideService(Topic.makeOnBroker(all), Topic.Broker, broker))
}

const table = new Map<string, Map<string, string>>()

const note = (row: string, carrier: Carrier, text: string): void => {
  console.error(`${carrier.name}: ${row}: ${text}`)
  const cells = table.get(row) ?? new Map<string, string>()
  table.set(row, cells.set(carrier.name, text))
}

const publishing = (carrier: Carrier, port: number, pid: number | undefined) =>
  Effect.gen(function* () {
    for (const [kind, filterOf, topic] of [
      ["names", (at: number) => `f.${at}`, "f.0"],
      ["patterns", (at: number) => `f.${at}.*`, "f.0.a"]
    ] as const) {
      for (const filters of [1, 100, manyFilters]) {
        const samples = yield* Effect.scoped(
          Effect.gen(function* () {
            const topics = yield* topicsOn(carrier, port)
            const socket = yield* drained
            yield* Effect.forEach(Array.from({ length: filters }), (_, at) => topics.join(socket, filterOf(at)), {
              concurrency: 100,
              discard: true
            })
            return yield* measure(topics.publish(topic, message), 500, pid)
          })
        )
        note(`publish, ${filters} ${kind}`, carrier, cell(samples, pid !== undefined))
      }
    }
    const authorized = yield* Effect.scoped(
      Effect.gen(function* () {
        const topics = yield* topicsOn(carrier, port, { authorize: () => Effect.succeed(true) })
        const socket = yield* drained
        yield* topics.join(socket, "f.0")
        return yield* measure(topics.publish("f.0", message, { from: socket }), 500, pid)
      })
    )
    note("publish, 1 name, with `authorize`", carrier, cell(authorized, pid !== undefined))
  })

const keeping = (carrier: Carrier, port: number, pid: number | undefined) =>
  Effect.scoped(
    Effect.gen(function* () {
      const topics = yield* topicsOn(carrier, port)
      const [reader, socket] = [yield* drained, yield* drained]
      yield* topics.join(reader, "h")
      for (let at = 0; at < 100; at++) yield* topics.publish("h", message)
      const show = (row: string, operation: Operation, count: number) =>
        Effect.map(measure(operation, count, pid), (samples) => note(row, carrier, cell(samples, pid !== undefined)))
      let key = 0
      const withKey = Effect.suspend(() => topics.publish("h", message, { key: `${process.pid}-${++key}` }))
      yield* show("publish, 1 name, with a key", withKey, 500)
      const again = topics.publish("h", message, { key: `${process.pid}-again` })
      yield* show("the same key again", again, 500)
      yield* show("`subscribe` with `last: 50`", topics.subscribe(socket, "h", { last: 50 }), 40)
      yield* show("`history` with `last: 50`", topics.history("h", { last: 50 }), 40)

      // Listing an empty topic waits until what changed is put.
      const settled = topics.presence("empty")
      yield* show("`presence`, no member", settled, 40)
      const present = (at: number) =>
        Effect.flatMap(drained, (member) => topics.join(member, "p", { presence: `member ${at}` }))
      yield* Effect.forEach(Array.from({ length: members }), (_, at) => present(at), { discard: true })
      yield* settled
      yield* show(
        `join and leave among ${members} members`,
        Effect.gen(function* () {
          yield* topics.join(socket, "p", { presence: "one more" })
          yield* settled
          yield* topics.leave(socket, "p")
          yield* settled
        }),
        20
      )
      yield* show(`\`presence\`, ${members} members`, topics.presence("p"), 10)
    })
  )

for (const carrier of carriers) {
  if (values.only !== undefined && !carrier.name.toLowerCase().includes(values.only.toLowerCase())) continue
  const server = await carrier.server?.()
  const scope = Effect.runSync(Scope.make())
  try {
    const port = server?.port ?? 0
    await Effect.runPromise(Scope.provide(publishing(carrier, port, server?.pid), scope))
    if (carrier.keeps) await Effect.runPromise(Scope.provide(keeping(carrier, port, server?.pid), scope))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await server?.stop()
  }
}

const columns = carriers.map(({ name }) => name)
console.log(`| one operation, in µs | ${columns.join(" | ")} |`)
console.log(`| --- | ${columns.map(() => "---").join(" | ")} |`)
for (const [row, cells] of table) {
  console.log(`| ${row} | ${columns.map((name) => cells.get(name) ?? "-").join(" | ")} |`)
}
process.exit()
