import * as fc from "fast-check"
import { fuzzGuided } from "./guided.ts"
import type { Target } from "./target.ts"

export interface Outcome {
  readonly executions: number
  /** What was found, shrunk as far as it goes. */
  readonly finding: string | undefined
}

export interface Limits {
  readonly seed: number
  /** Milliseconds. */
  readonly time?: number | undefined
  readonly executions?: number | undefined
}

const messageOf = ({ errorInstance }: fc.RunDetails<unknown>): string =>
  errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance)

/** Fuzzes one target for a while. The same seed gives the same inputs. */
export const fuzz = async (target: Target, { executions = 1e9, seed, time }: Limits): Promise<Outcome> => {
  if ("guided" in target) return fuzzGuided(target.guided, { executions, seed, time })
  const details = await fc.check(target.property as fc.IAsyncProperty<unknown>, {
    seed,
    numRuns: executions,
    ...(time === undefined ? {} : { interruptAfterTimeLimit: time })
  })
  return {
    executions: details.numRuns,
    finding: details.counterexample === null ? undefined : `${fc.defaultReportMessage(details)}\n${messageOf(details)}`
  }
}
