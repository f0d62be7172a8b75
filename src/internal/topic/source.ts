import { type Context, Effect, Exit, Fiber, Scope } from "effect"
import type { TopicError } from "./error.ts"

/** What the broker delivers for one filter, as long as anybody in this process wants it. */
export class Source {
  /** Done when the broker delivers. */
  readonly ready: Effect.Effect<void, TopicError>
  private readonly scope = Scope.makeUnsafe()
  private readonly fiber: Fiber.Fiber<void, TopicError>

  /** `subscribe` is a broker's, for one filter. */
  constructor(subscribe: Effect.Effect<void, TopicError, Scope.Scope>, context: Context.Context<never>) {
    this.fiber = Effect.runForkWith(context)(Scope.provide(subscribe, this.scope))
    this.ready = Fiber.join(this.fiber)
  }

  get stop(): Effect.Effect<void> {
    return Effect.andThen(Fiber.interrupt(this.fiber), Scope.close(this.scope, Exit.void))
  }
}
