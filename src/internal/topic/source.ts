import { type Context, Effect, Exit, Fiber, Scope } from "effect"
import type { TopicError } from "./error.ts"
import type { BrokerService, Delivery } from "./model.ts"

/** What the broker delivers for one filter, as long as anybody in this process wants it. */
export class Source {
  /** Done when the broker delivers. */
  readonly ready: Effect.Effect<void, TopicError>
  private readonly scope = Scope.makeUnsafe()
  private readonly fiber: Fiber.Fiber<void, TopicError>

  constructor(
    broker: BrokerService,
    filter: string,
    deliver: (delivery: Delivery) => void,
    context: Context.Context<never>
  ) {
    this.fiber = Effect.runForkWith(context)(Scope.provide(broker.subscribe(filter, deliver), this.scope))
    this.ready = Fiber.join(this.fiber)
  }

  get stop(): Effect.Effect<void> {
    return Effect.andThen(Fiber.interrupt(this.fiber), Scope.close(this.scope, Exit.void))
  }
}
