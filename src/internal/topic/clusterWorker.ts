import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import cluster from "node:cluster"
import { asAnswer, pack, type Request, unpack } from "./clusterMessages.ts"
import type { TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import { Filters } from "./filters.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"

const primaryName = "the cluster's primary"

/** How long the primary may take to answer. */
const patience = "10 seconds"

/** Through the primary of the cluster that this process is a worker of. */
export const clusterDriver: Driver = { name: primaryName, connect: (arrivals) => connect(arrivals) }

const connect = (arrivals: Arrivals): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    if (!cluster.isWorker || !process.connected) {
      return yield* Effect.fail(unavailable(primaryName, "not sent", "this process is no worker of a cluster"))
    }
    const lost = yield* Deferred.make<TopicError>()
    const filters = new Filters<{ readonly filter: string }>()
    const waiting = new Map<number, (done: Effect.Effect<void, TopicError>) => void>()
    let count = 0

    const onMessage = (message: unknown): void => {
      const answer = asAnswer(message)
      switch (answer?._tag) {
        case "effect-ws/Done":
          waiting.get(answer.id)?.(Effect.void)
          break
        case "effect-ws/Messages":
          for (const { message, topic } of answer.messages.map(unpack)) {
            for (const { filter } of filters.matching(topic)) arrivals.message(filter, topic, message)
          }
          break
        case "effect-ws/Missed":
          arrivals.gap("forgotten", answer.count)
      }
    }
    const onDisconnect = (): void => {
      const error = unavailable(primaryName, "unknown", "it is gone")
      for (const resume of waiting.values()) resume(Effect.fail(error))
      Deferred.doneUnsafe(lost, Exit.succeed(error))
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        process.on("message", onMessage)
        process.on("disconnect", onDisconnect)
      }),
      () =>
        Effect.sync(() => {
          process.off("message", onMessage)
          process.off("disconnect", onDisconnect)
        })
    )

    /** Tells the primary something, and waits for its answer. */
    const ask = (make: (id: number) => Request): Effect.Effect<void, TopicError> =>
      Effect.callback<void, TopicError>((resume) => {
        if (!process.connected) return resume(Effect.fail(unavailable(primaryName, "not sent", "it is gone")))
        const id = ++count
        waiting.set(id, (done) => {
          waiting.delete(id)
          resume(done)
        })
        process.send?.(make(id))
        return Effect.sync(() => waiting.delete(id))
      }).pipe(
        Effect.timeoutOrElse({
          duration: patience,
          orElse: () => Effect.fail(unavailable(primaryName, "unknown", "it doesn't answer"))
        })
      )

    yield* ask((id) => ({ _tag: "effect-ws/Hello", id }))
    return {
      away: "disconnected",
      publish: (messages) => ask((id) => ({ _tag: "effect-ws/Publish", id, messages: messages.map(pack) })),
      subscribe: (added) =>
        Effect.suspend(() => {
          for (const filter of added) filters.add({ filter })
          return ask((id) => ({ _tag: "effect-ws/Subscribe", id, filters: added }))
        }),
      unsubscribe: (filter) =>
        Effect.suspend(() => {
          const known = filters.get(filter)
          if (known !== undefined) filters.delete(known)
          return Effect.ignore(ask((id) => ({ _tag: "effect-ws/Unsubscribe", id, filter })))
        }),
      lost: Deferred.await(lost)
    }
  })
