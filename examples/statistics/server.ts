/**
 * What the server does, live: it takes a sample every second while anybody watches, and sends it to everyone who does.
 * Who comes later gets the last minute first.
 *
 * `node examples/statistics/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Stream } from "effect"
import { Server } from "effect-ws"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { readPage } from "../page.ts"

/** How long the charts reach back, in seconds. */
const window = 60

/** What is told of one second. */
interface Sample {
  /** When, in ms since 1970. */
  readonly time: number
  /** Processor time spent, in per cent of one core. */
  readonly processor: number
  /** Bytes. */
  readonly resident: number
  readonly heap: number
  /** How late timers ran, in ms: the mean of the second. */
  readonly delay: number
  readonly watchers: number
}

/** Measures the process once a second. */
const samples = (watchers: () => number): Stream.Stream<Sample> =>
  Stream.suspend(() => {
    const delays = monitorEventLoopDelay({ resolution: 10 })
    delays.enable()
    // The first sample is of all the time since the process began
    let usage: NodeJS.CpuUsage | undefined
    let last = 0
    const take = (): Sample => {
      const { heapUsed, rss } = process.memoryUsage()
      const spent = process.cpuUsage(usage)
      const now = performance.now()
      const delay = Number.isNaN(delays.mean) ? 0 : delays.mean / 1e6 - 10
      const processor = (spent.user + spent.system) / 10 / Math.max(1, now - last)
      usage = process.cpuUsage()
      last = now
      delays.reset()
      return {
        time: Date.now(),
        processor,
        resident: rss,
        heap: heapUsed,
        delay: Math.max(0, delay),
        watchers: watchers()
      }
    }
    return Stream.tick("1 second").pipe(Stream.map(take), Stream.ensuring(Effect.sync(() => delays.disable())))
  })

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const page = readPage(import.meta.url)
  let watchers = 0
  const shared = yield* samples(() => watchers).pipe(
    Stream.share({ capacity: window, replay: window, strategy: "sliding" })
  )

  const watch = Effect.fnUntraced(function* (socket: Server.Connection) {
    yield* Effect.acquireRelease(
      Effect.sync(() => void watchers++),
      () => Effect.sync(() => void watchers--)
    )
    const tell = Stream.runForEach(shared, (sample) => socket.send(JSON.stringify(sample)))
    yield* Effect.raceFirst(tell, socket.closed)
  })

  const server = yield* Server.make({
    host: "localhost",
    port,
    path: "/samples",
    // Pages have nothing to say here
    maxMessageSize: 0,
    compression: true,
    onRequest: (request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
      else response.writeHead(404).end()
    }
  })
  yield* Effect.log(`http://localhost:${server.address.port}/ shows what this server does`)
  return yield* server.run(watch)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
