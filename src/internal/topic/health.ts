import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { TopicError } from "./error.ts"
import type { BrokerService, BrokerState } from "./model.ts"

const up: BrokerState = { _tag: "up" }

/** The state of a broker, then each change; always up for one that does not say. */
export const statesOf = ({ state }: BrokerService): Stream.Stream<BrokerState> => state ?? Stream.make(up)

/** The state of a broker now. */
const stateOf = (broker: BrokerService): Effect.Effect<BrokerState> =>
  Effect.map(
    Stream.runHead(statesOf(broker)),
    Option.getOrElse(() => up)
  )

/** Fails unless the broker is up. */
export const readinessOf = (broker: BrokerService): Effect.Effect<void, TopicError> =>
  Effect.flatMap(stateOf(broker), (state) => (state._tag === "up" ? Effect.void : Effect.fail(state.cause)))

/** Fails when the broker is down for good. */
export const livenessOf = (broker: BrokerService): Effect.Effect<void, TopicError> =>
  Effect.flatMap(stateOf(broker), (state) =>
    state._tag === "down" && state.final ? Effect.fail(state.cause) : Effect.void
  )
