import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
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
