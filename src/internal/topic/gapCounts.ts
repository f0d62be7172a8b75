import type { TopicError } from "./error.ts"
import type { Gap } from "./model.ts"

/** What is missing at one place in what a subscription gets: for each cause, how many messages, where that is known. */
export class GapCounts {
  private readonly causes = new Map<Gap["cause"], number | undefined>()
  private error: TopicError | undefined = undefined

  /** Adds to what is missing. Of a number that is known and one that isn't, the sum isn't known. */
  add(cause: Gap["cause"], missed: number | undefined, error?: TopicError): void {
    const before = this.causes.has(cause) ? this.causes.get(cause) : 0
    this.causes.set(cause, before === undefined || missed === undefined ? undefined : before + missed)
    this.error ??= error
  }

  /** Adds all that another one counted. */
  merge(other: GapCounts): void {
    for (const [cause, missed] of other.causes) this.add(cause, missed, other.error)
  }

  /** One gap for each cause. */
  gaps(filter: string): ReadonlyArray<Gap> {
    const { error } = this
    return Array.from(this.causes, ([cause, missed]) => ({
      _tag: "Gap",
      filter,
      cause,
      missed,
      ...(cause === "refused" && error !== undefined ? { error } : {})
    }))
  }
}
