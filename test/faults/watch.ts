// What a fault may leave behind, and who notices.
import { Context, Effect, type Fiber, Metric, Scheduler } from "effect"
import { clockTimers } from "../../src/internal/socket/clockTimers.ts"
import { systemTimers } from "../../src/internal/connection/timers.ts"

/** Fibers that were started by `fork` and `run`, or by one of them, and haven't ended. */
let fibers = 0

const fiberCount: Metric.FiberRuntimeMetricsService = {
  recordFiberStart: () => {
    fibers++
  },
  recordFiberEnd: () => {
    fibers--
  }
}

const context = Context.make(Metric.FiberRuntimeMetrics, fiberCount)

/** Runs an effect whose fibers are counted, those that it forks among them. */
export const fork = Effect.runForkWith(context)

/** As `fork`, by a scheduler of its own. */
export const forkWith = <A, E>(effect: Effect.Effect<A, E>, scheduler: Scheduler.Scheduler): Fiber.Fiber<A, E> =>
  Effect.runForkWith(Context.add(context, Scheduler.Scheduler, scheduler))(effect)

/** As `fork`, for its result. */
export const run = Effect.runPromiseWith(context)

// These are opened when they are first asked for, and stay.
void [process.stdin, process.stdout, process.stderr]

/** Tasks that wait on a wheel. */
const waitingOn = (wheel: unknown): number =>
  typeof wheel === "object" && wheel !== null ? Number(Reflect.get(wheel, "waiting")) : NaN

/** How many there are of each thing that may be left. */
export type Census = ReadonlyMap<string, number>

export const takeCensus = (): Census => {
  const census = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo()) {
    if (resource !== "Immediate") census.set(resource, (census.get(resource) ?? 0) + 1)
  }
  census.set("tasks on the system's wheel", waitingOn(systemTimers))
  census.set("tasks on the wheel of Effect's clock", waitingOn(clockTimers(Context.empty())))
  census.set("fibers", fibers)
  return census
}

/** Milliseconds in which what others began is over. */
const calm = 25

/** What there is for good: the least of each thing within some milliseconds, or the most. */
const lookAround = async (millis: number, pick: (a: number, b: number) => number): Promise<Census> => {
  const picked = new Map(takeCensus())
  for (const end = performance.now() + millis; performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const census = takeCensus()
    for (const what of new Set([...picked.keys(), ...census.keys()])) {
      picked.set(what, pick(census.get(what) ?? 0, picked.get(what) ?? 0))
    }
  }
  return picked
}

/** What there is more of than there was. */
const excess = (before: Census, after: Census): ReadonlyArray<string> =>
  [...after].flatMap(([what, count]) => {
    const earlier = before.get(what) ?? 0
    return count > earlier ? [`${what}: ${earlier}, then ${count}`] : []
  })

/** Waits for so many milliseconds until nothing is left, and says what is. */
const leftBehind = async (before: Census, patience: number): Promise<ReadonlyArray<string>> => {
  const deadline = performance.now() + patience
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    const left = excess(before, takeCensus())
    if (left.length === 0 || performance.now() > deadline) return left
  }
}

const events = ["uncaughtException", "unhandledRejection"] as const

/** What nobody caught, instead of the end of the process. */
export class Uncaught {
  private readonly errors: Array<unknown> = []
  private readonly restore: () => void

  constructor() {
    const note = (error: unknown): void => void this.errors.push(error)
    const others = events.map((event) => process.rawListeners(event))
    for (const event of events) process.removeAllListeners(event).on(event, note)
    this.restore = () => {
      for (const [index, event] of events.entries()) {
        process.off(event, note)
        for (const other of others[index] ?? []) process.on(event, other as (error: unknown) => void)
      }
    }
  }

  /** What there was so far, once. */
  take(): ReadonlyArray<unknown> {
    return this.errors.splice(0)
  }

  stop(): void {
    this.restore()
  }
}

export interface WatchOptions {
  /** Milliseconds in which to look how far things go up and down by themselves. Default 0. */
  readonly lookFor?: number | undefined
  /** Milliseconds in which what was begun must have ended. Default 60 000: what ends is found at once. */
  readonly patience?: number | undefined
}

/**
 * Runs what has a fault in it. Fails unless everything that began in it ends, and nothing is left that nobody caught; what
 * is to be uncaught, `use` takes away.
 */
export const watched = async (
  use: (uncaught: Uncaught) => Promise<void>,
  { lookFor = 0, patience = 60_000 }: WatchOptions = {}
): Promise<void> => {
  const uncaught = new Uncaught()
  try {
    const before = await (lookFor > 0 ? lookAround(lookFor, Math.max) : lookAround(calm, Math.min))
    const failure = await use(uncaught).then(
      () => undefined,
      (error: unknown) => ({ error })
    )
    // What failed may not have cleared up, and says why itself.
    const left = await leftBehind(before, failure === undefined ? patience : Math.min(patience, 1000))
    const errors = uncaught.take()
    if (errors.length > 0) {
      const first = errors[0]
      throw new Error(`uncaught: ${errors.map(String).join("; ")} ${first instanceof Error ? first.stack : ""}`)
    }
    if (failure !== undefined) throw failure.error
    if (left.length > 0) throw new Error(`left behind: ${left.join("; ")}`)
  } finally {
    uncaught.stop()
  }
}
