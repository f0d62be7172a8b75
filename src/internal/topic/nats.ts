import type { NatsConnection, Subscription } from "@nats-io/transport-node"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { TopicError } from "./error.ts"
import { refused, unavailable } from "./failure.ts"
import type { Arrivals, Driver, Refusal, Wire } from "./link.ts"
import { NatsCluster } from "./natsCluster.ts"
import { nameViolation } from "./name.ts"
import { closed, natsName, type NatsSource, openNats, request } from "./natsClient.ts"
import { decodePayload, encodePayload, type PayloadFormat } from "./payload.ts"

/** How topics are NATS subjects. */
export interface NatsOptions extends NatsSource {
  readonly prefix: string
  readonly format: PayloadFormat
}

/** A name is a subject, and a filter is one: the grammar is NATS' own, with fewer characters. */
export const natsDriver = (options: NatsOptions): Driver => ({
  name: natsName,
  connect: (arrivals) => connect(options, arrivals)
})

const connect = (options: NatsOptions, arrivals: Arrivals): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const { client, format, prefix } = options
    const { connection, lost } = yield* openNats(options)
    const cluster =
      client === undefined
        ? undefined
        : yield* Effect.acquireRelease(
            Effect.sync(() => new NatsCluster(connection, client)),
            (cluster) => Effect.promise(() => cluster.close())
          )
    const flush = sharedFlush(connection)
    const subscriptions = yield* Effect.acquireRelease(
      Effect.sync(() => new Map<string, Subscription>()),
      // A connection that was given goes on, and subscribes again by itself to what is left.
      (all) => Effect.sync(() => all.forEach((subscription) => subscription.unsubscribe()))
    )
    /** Filters that wait for the server's confirmation, and the errors that came instead. */
    const pending = new Map<string, Error | undefined>()

    const subscribe = (filter: string): void => {
      const subscription = connection.subscribe(prefix + filter, {
        callback: (error, { data, subject }) => {
          if (error !== null) {
            subscriptions.delete(filter)
            if (pending.has(filter)) pending.set(filter, error)
            else arrivals.refused({ filter, error: refused(natsName, error) })
            return
          }
          const topic = subject.slice(prefix.length)
          // Other programs may use subjects that are no names here.
          if (nameViolation(topic) !== undefined) return
          const message = decodePayload(data, format)
          if (message !== undefined) arrivals.message(filter, topic, message)
        }
      })
      subscriptions.set(filter, subscription)
    }

    return {
      away: "disconnected",
      publish: (messages) =>
        Effect.suspend(() => {
          const payloads = messages.map(({ message }) => encodePayload(message, format))
          const size = payloads.reduce((largest, { length }) => Math.max(largest, length), 0)
          const limit = connection.info?.max_payload ?? Infinity
          if (size > limit) return Effect.fail(tooLarge(size, limit))
          if (connection.isClosed() || connection.isDraining())
            return Effect.fail(unavailable(natsName, "not sent", closed))
          return request(() => {
            for (const [at, { topic }] of messages.entries()) connection.publish(prefix + topic, payloads[at])
            return flush()
          })
        }),
      subscribe: (filters) =>
        request(async () => {
          for (const filter of filters) {
            pending.set(filter, undefined)
            subscribe(filter)
          }
          await flush()
          const refusals: Array<Refusal> = []
          for (const filter of filters) {
            const error = pending.get(filter)
            pending.delete(filter)
            if (error !== undefined) refusals.push({ filter, error: refused(natsName, error) })
          }
          await cluster?.confirm()
          return refusals
        }),
      unsubscribe: (filter) =>
        Effect.sync(() => {
          subscriptions.get(filter)?.unsubscribe()
          subscriptions.delete(filter)
        }),
      lost
    }
  })

/** A round trip behind everything that was sent; those who ask in one turn share it. Fails when the connection is lost. */
const sharedFlush = (connection: NatsConnection): (() => Promise<void>) => {
  const waiting = new Set<(error: Error) => void>()
  const lost = (): void => {
    for (const reject of waiting) reject(closed)
    waiting.clear()
  }
  connection.closed().then(lost, lost)
  const flush = (): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.add(reject)
      connection.flush().then(
        () => {
          waiting.delete(reject)
          resolve()
        },
        (error: unknown) => {
          waiting.delete(reject)
          reject(error)
        }
      )
    })
  let next: Promise<void> | undefined
  return () =>
    (next ??= Promise.resolve().then(() => {
      next = undefined
      return flush()
    }))
}

const tooLarge = (size: number, limit: number): TopicError =>
  new TopicError({
    reason: { _tag: "MessageTooLarge", message: `${natsName} takes ${limit} bytes, not ${size}`, size, limit }
  })
