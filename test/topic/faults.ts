// Counts messages that are lost, doubled and reordered when brokers and processes are killed, frozen and cut off.
//
//   npm run faults:topics                    all runs, as the table of docs/topics.md
//   npm run faults:topics -- --only nats     those of one broker
//   npm run faults:topics -- --subscribers 800
import { Console, Effect, type Scope } from "effect"
import { parseArgs } from "node:util"
import type { BrokerOptions } from "./brokerLayer.ts"
import { type BrokerServer, startNats, startRedis } from "./brokers.ts"
import { type Client, connectClient, type Program, publishNumbers, startProgram, until } from "./processes.ts"
import { TcpProxy } from "./tcpProxy.ts"

const { values } = parseArgs({
  options: { only: { type: "string" }, subscribers: { type: "string", default: "200" } }
})

/** What a run breaks: it is broken for three seconds, and then mended where that can be. */
interface Setting {
  readonly server: BrokerServer | undefined
  /** Between the last process and the broker. */
  readonly proxy: TcpProxy | undefined
  readonly programs: ReadonlyArray<Program>
}

interface Fault {
  readonly title: string
  readonly break: (setting: Setting) => Effect.Effect<void>
  readonly mend?: (setting: Setting) => Effect.Effect<void>
}

const onBroker: ReadonlyArray<Fault> = [
  {
    title: "broker killed",
    break: ({ server }) => Effect.promise(async () => server?.kill()),
    mend: ({ server }) => Effect.promise(async () => server?.start())
  },
  {
    title: "broker frozen",
    break: ({ server }) => Effect.sync(() => server?.freeze()),
    mend: ({ server }) => Effect.sync(() => server?.thaw())
  },
  {
    title: "process cut off",
    break: ({ proxy }) => Effect.sync(() => proxy?.cut()),
    mend: ({ proxy }) => Effect.sync(() => proxy?.mend())
  },
  { title: "process killed", break: ({ programs }) => Effect.sync(() => programs.at(-1)?.signal("SIGKILL")) },
  {
    title: "process frozen",
    break: ({ programs }) => Effect.sync(() => programs.at(-1)?.signal("SIGSTOP")),
    mend: ({ programs }) => Effect.sync(() => programs.at(-1)?.signal("SIGCONT"))
  }
]

const onCluster: ReadonlyArray<Fault> = [
  { title: "worker killed", break: ({ programs }) => Effect.sync(() => programs[0]?.order("SIGKILL")) },
  {
    title: "worker frozen",
    break: ({ programs }) => Effect.sync(() => programs[0]?.order("SIGSTOP")),
    mend: ({ programs }) => Effect.sync(() => programs[0]?.order("SIGCONT"))
  },
  {
    title: "primary frozen",
    break: ({ programs }) => Effect.sync(() => programs[0]?.signal("SIGSTOP")),
    mend: ({ programs }) => Effect.sync(() => programs[0]?.signal("SIGCONT"))
  }
]

const brokers: ReadonlyArray<{
  readonly kind: BrokerOptions["kind"]
  readonly title: string
  readonly start?: () => Promise<BrokerServer>
  readonly faults: ReadonlyArray<Fault>
}> = [
  { kind: "redis", title: "Redis", start: () => startRedis(), faults: onBroker },
  { kind: "streams", title: "Redis streams", start: () => startRedis({ durable: true }), faults: onBroker },
  { kind: "nats", title: "NATS", start: () => startNats(), faults: onBroker },
  { kind: "jetstream", title: "JetStream", start: () => startNats({ jetStream: true }), faults: onBroker },
  { kind: "cluster", title: "node:cluster", faults: onCluster }
]

/** The faults of one client, of the numbers that the broker took. */
interface Counts {
  lost: number
  announced: number
  doubled: number
  reordered: number
}

/** Counts up to the last number that the client heard, when it was cut off, or to the last of all. */
const count = ({ heard }: Client, taken: ReadonlyArray<number>, isConnected: boolean, counts: Counts): void => {
  const lastTaken = taken.at(-1) ?? 0
  const lines = isConnected ? [...heard, String(lastTaken + 1)] : heard
  const seen = new Set<number>()
  let last = 0
  let gap = false
  const expected = new Set(taken)
  for (const line of lines) {
    if (line.startsWith("!gap")) gap = true
    if (!/^\d+$/.test(line)) continue
    const number = Number(line)
    if (seen.has(number)) counts.doubled++
    else if (number < last) counts.reordered++
    seen.add(number)
    if (number <= last) continue
    let missing = 0
    for (let one = last + 1; one < number; one++) if (expected.has(one)) missing++
    counts.lost += missing
    if (gap) counts.announced += missing
    last = number
    gap = false
  }
}

const startSetting = (
  kind: BrokerOptions["kind"],
  start: (() => Promise<BrokerServer>) | undefined
): Effect.Effect<Setting, never, Scope.Scope> =>
  Effect.gen(function* () {
    if (start === undefined) {
      return { server: undefined, proxy: undefined, programs: [yield* startProgram("cluster.ts", {})] }
    }
    const server = yield* Effect.acquireRelease(Effect.promise(start), (server) => Effect.promise(() => server.stop()))
    const proxy = yield* Effect.acquireRelease(
      Effect.sync(() => new TcpProxy(server.port)),
      (proxy) => Effect.sync(() => proxy.close())
    )
    const port = yield* Effect.promise(() => proxy.listen())
    const programs = yield* Effect.all(
      [server.port, server.port, server.port, port].map((port) => startProgram("program.ts", { kind, port })),
      { concurrency: "unbounded" }
    )
    return { server, proxy, programs }
  })

const run = (broker: (typeof brokers)[number], fault: Fault) =>
  Effect.gen(function* () {
    const setting = yield* startSetting(broker.kind, broker.start)
    const subscribers = Number(values.subscribers)
    const portOf = (at: number): number => setting.programs[at % setting.programs.length]?.port ?? 0
    const clients = yield* Effect.forEach(
      Array.from({ length: subscribers }, (_, at) => at),
      (at) => connectClient(portOf(at), [["n.a", "n.*", "n.>"][at % 3] ?? ""]),
      { concurrency: 20 }
    )
    const gone = new Set<Client>()
    for (const client of clients) {
      yield* Effect.forkChild(
        Effect.andThen(
          client.socket.closed,
          Effect.sync(() => gone.add(client))
        )
      )
    }
    const publisher = yield* connectClient(portOf(0), [])
    let wanted = true
    const taken: Array<number> = []
    const publishing = yield* Effect.forkChild(Effect.exit(publishNumbers(publisher, "n.a", () => wanted, taken)))
    yield* until(() => taken.length > 200)
    yield* fault.break(setting)
    yield* Effect.sleep(3000)
    yield* fault.mend?.(setting) ?? Effect.void
    const before = taken.length
    // The publisher itself may have been on the worker that was killed.
    yield* Effect.race(
      until(() => taken.length > before + 200 || gone.has(publisher)),
      Effect.sleep(15_000)
    )
    wanted = false
    yield* Effect.race(
      until(() => publishing.pollUnsafe() !== undefined),
      Effect.sleep(12_000)
    )
    yield* Effect.race(
      until(() => clients.every((client) => gone.has(client) || client.heard.includes(String(taken.at(-1))))),
      Effect.sleep(10_000)
    )
    const counts: Counts = { lost: 0, announced: 0, doubled: 0, reordered: 0 }
    for (const client of clients) count(client, taken, !gone.has(client), counts)
    const { doubled, lost, reordered, announced } = counts
    const cells = [
      broker.title,
      fault.title,
      taken.length,
      taken.length * (subscribers - gone.size),
      lost,
      announced,
      lost - announced,
      doubled,
      reordered
    ]
    yield* Console.log(`| ${cells.join(" | ")} |`)
    return lost - announced + doubled + reordered
  }).pipe(Effect.scoped)

const program = Effect.gen(function* () {
  yield* Console.log(
    "| broker | fault | published | deliveries | lost | of these, with a gap | lost without a gap | doubled | reordered |"
  )
  yield* Console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
  let faults = 0
  for (const broker of brokers) {
    if (values.only !== undefined && values.only !== broker.kind) continue
    for (const fault of broker.faults) faults += yield* run(broker, fault)
  }
  if (faults > 0) process.exitCode = 1
})

await Effect.runPromise(program)
