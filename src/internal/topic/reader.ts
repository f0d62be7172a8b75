import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import { TopicError } from "./error.ts"
import { GapCounts } from "./gapCounts.ts"
import type { Delivery, Gap } from "./model.ts"

/** How many deliveries may wait for the program that listens. */
export const maxWaiting = 1024

/** What waits for a program that listens. When too much does, the newest messages are left out and counted; gaps never are. */
export class Reader {
  private readonly filter: string
  private items: Array<Delivery> = []
  /** What is missing after the last item. */
  private missing: GapCounts | undefined = undefined
  private waiter: (() => void) | undefined = undefined
  /** Set when the broker refused the filter: the stream fails after what waits. */
  private ended: TopicError | undefined = undefined

  constructor(filter: string) {
    this.filter = filter
  }

  readonly take = (delivery: Delivery): void => {
    if (delivery._tag === "Gap" && delivery.cause === "refused") this.ended = endOf(delivery)
    if (this.items.length < maxWaiting) {
      this.items.push(delivery)
    } else {
      this.missing ??= new GapCounts()
      if (delivery._tag === "Message") this.missing.add("slow", 1)
      else this.missing.add(delivery.cause, delivery.missed, delivery.error)
    }
    const { waiter } = this
    this.waiter = undefined
    waiter?.()
  }

  /** All that waits; waits for something when there is nothing. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Delivery>, TopicError> = Effect.suspend(() => {
    const ready = this.drain()
    if (ready !== undefined) return Effect.succeed(ready)
    if (this.ended !== undefined) return Effect.fail(this.ended)
    return Effect.callback<NonEmptyReadonlyArray<Delivery>, TopicError>((resume) => {
      this.waiter = () => resume(this.pull)
      return Effect.sync(() => {
        this.waiter = undefined
      })
    })
  })

  private drain(): NonEmptyReadonlyArray<Delivery> | undefined {
    const [first, ...rest] = this.items
    if (first === undefined) return undefined
    if (this.missing !== undefined) rest.push(...this.missing.gaps(this.filter))
    this.items = []
    this.missing = undefined
    return [first, ...rest]
  }
}

const endOf = ({ error, filter }: Gap): TopicError =>
  error ??
  new TopicError({ reason: { _tag: "BrokerRefused", message: `the broker refused ${filter}`, cause: undefined } })
