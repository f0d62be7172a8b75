/** Runs cases against a target, several at a time, and compares the verdicts with those that were committed. */
import type { Case } from "./case.ts"
import { type DriverOptions, playAsClient, playAsServer, type Result } from "./driver.ts"
import type { Behavior, BehaviorClose } from "./judge.ts"
import type { Target, TargetOptions } from "./targets/target.ts"

/** The part that the target plays. */
export type Role = "server" | "client"

export interface RunOptions extends DriverOptions {
  /** Cases at a time. */
  readonly concurrency: number
}

/** Behaviour and close of each case. */
export type Verdicts = Readonly<Record<string, readonly [Behavior, BehaviorClose]>>

export type Expected = Readonly<Record<Role, Verdicts>>

/** The largest message of section 9. */
const targetOptions: TargetOptions = { maxMessageSize: 16 * 1024 * 1024 }

const pooled = async <A, B>(
  items: ReadonlyArray<A>,
  concurrency: number,
  work: (item: A) => Promise<B>
): Promise<ReadonlyArray<B>> => {
  const results: Array<B> = []
  const queue = items.entries()
  const worker = async (): Promise<void> => {
    for (const [i, item] of queue) results[i] = await work(item)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return results
}

/** Results in the order of the cases. */
export const run = async (
  target: Target,
  role: Role,
  cases: ReadonlyArray<Case>,
  options: RunOptions
): Promise<ReadonlyArray<Result>> => {
  if (role === "client") {
    const client = (url: string): Promise<void> => target.runClient(url, targetOptions)
    return pooled(cases, options.concurrency, (test) => playAsServer(test, client, options))
  }
  const server = await target.startServer(targetOptions)
  try {
    return await pooled(cases, options.concurrency, (test) => playAsClient(test, server.port, options))
  } finally {
    await server.close()
  }
}

export const verdictsOf = (results: ReadonlyArray<Result>): Verdicts =>
  Object.fromEntries(results.map(({ id, behavior, close }) => [id, [behavior, close] as const]))

/** One line for each case whose verdict is not the expected one. */
export const differences = (
  cases: ReadonlyArray<Case>,
  results: ReadonlyArray<Result>,
  expected: Verdicts
): ReadonlyArray<string> =>
  cases.flatMap((test, i) => {
    const result = results[i]
    const wanted = expected[test.id]?.join(", close ") ?? "no verdict on record"
    const got = result === undefined ? "nothing" : `${result.behavior}, close ${result.close}`
    return wanted === got ? [] : [`${test.id} ${test.title}\n  expected ${wanted}\n  got      ${got}: ${result?.note}`]
  })
