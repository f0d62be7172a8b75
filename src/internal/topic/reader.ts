import * as Effect from "effect/Effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import type { Delivery, Gap } from "./model.ts"

/** How many deliveries may wait for the program that listens. */
export const maxWaiting = 1024

/** What waits for a program that listens. When too much does, the newest are left out and counted. */
export class Reader {
  private readonly filter: string
  private items: Array<Delivery> = []
  /** How many were left out behind the last one. */
  private missed = 0
  private waiter: (() => void) | undefined = undefined

  constructor(filter: string) {
    this.filter = filter
  }

  readonly take = (delivery: Delivery): void => {
    if (this.items.length >= maxWaiting) {
      this.missed += delivery._tag === "Message" ? 1 : (delivery.missed ?? 0)
      return
    }
    this.items.push(delivery)
    const { waiter } = this
    this.waiter = undefined
    waiter?.()
  }

  /** All that waits; waits for something when there is nothing. */
  readonly pull: Effect.Effect<NonEmptyReadonlyArray<Delivery>> = Effect.suspend(() => {
    const ready = this.drain()
    if (ready !== undefined) return Effect.succeed(ready)
    return Effect.callback<NonEmptyReadonlyArray<Delivery>>((resume) => {
      this.waiter = () => resume(this.pull)
      return Effect.sync(() => {
        this.waiter = undefined
      })
    })
  })

  private drain(): NonEmptyReadonlyArray<Delivery> | undefined {
    const [first, ...rest] = this.items
    if (first === undefined) return undefined
    if (this.missed > 0) rest.push(this.gap())
    this.items = []
    return [first, ...rest]
  }

  private gap(): Gap {
    const { filter, missed } = this
    this.missed = 0
    return { _tag: "Gap", filter, cause: "slow", missed }
  }
}
