import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import cluster from "node:cluster"
import { asAnswer, pack, type Request, unpack } from "./clusterMessages.ts"
import type { BrokerUnavailable, TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import { Filters } from "./filters.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"

const primaryName = "the cluster's primary"

/** Requests of this process, whichever connection they are of: a late answer must not be taken for another one's. */
let requests = 0

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
      const error = unavailable(primaryName, "unknown", gone)
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

    /** Sends the primary a request, and waits for its answer. */
    const request = (make: (id: number) => Request): Effect.Effect<void, TopicError> =>
      Effect.callback<void, TopicError>((resume) => {
        if (!process.connected) return resume(Effect.fail(unavailable(primaryName, "not sent", gone)))
        const id = ++requests
        const settle = (done: Effect.Effect<void, TopicError>): void => {
          waiting.delete(id)
          resume(done)
        }
        waiting.set(id, settle)
        // Without a callback Node throws what goes wrong with the write, such as EPIPE when the primary is killed, as an uncaught exception.
        process.send?.(make(id), undefined, undefined, (cause) => {
          if (cause !== null) settle(Effect.fail(unavailable(primaryName, outcomeOf(cause), cause)))
        })
        return Effect.sync(() => waiting.delete(id))
      })

    yield* request((id) => ({ _tag: "effect-ws/Hello", id }))
    return {
      away: "disconnected",
      publish: (messages) => request((id) => ({ _tag: "effect-ws/Publish", id, messages: messages.map(pack) })),
      subscribe: (added) =>
        Effect.suspend(() => {
          for (const filter of added) filters.add({ filter })
          return Effect.as(
            request((id) => ({ _tag: "effect-ws/Subscribe", id, filters: added })),
            []
          )
        }),
      unsubscribe: (filter) =>
        Effect.suspend(() => {
          const known = filters.get(filter)
          if (known !== undefined) filters.delete(known)
          return Effect.ignore(request((id) => ({ _tag: "effect-ws/Unsubscribe", id, filter })))
        }),
      lost: Deferred.await(lost)
    }
  })

const gone = new Error("it is gone")

/** A channel that was closed already took nothing. */
const outcomeOf = (cause: Error): BrokerUnavailable["outcome"] =>
  "code" in cause && cause.code === "ERR_IPC_CHANNEL_CLOSED" ? "not sent" : "unknown"
