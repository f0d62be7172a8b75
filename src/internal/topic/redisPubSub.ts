import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./error.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"
import { decodePayload, encodePayload, type PayloadFormat } from "./payload.ts"
import { RedisChannels } from "./redisChannels.ts"
import { type ClientSource, open, redisName, request } from "./redisClient.ts"

/** How topics are Redis channels. */
export interface PubSubOptions {
  readonly client: ClientSource
  readonly prefix: string
  readonly format: PayloadFormat
}

/** Redis' own publish and subscribe: a name is a channel, and a filter that is a pattern the narrowest glob around it. */
export const pubSubDriver = (options: PubSubOptions): Driver => ({
  name: redisName,
  connect: (arrivals) => connect(options, arrivals)
})

const connect = (
  { client, format, prefix }: PubSubOptions,
  arrivals: Arrivals
): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const publisher = yield* open(client)
    const subscriber = yield* open(client)
    const channels = new RedisChannels(subscriber.client, prefix, (filter, topic, payload) => {
      const message = decodePayload(payload, format)
      if (message !== undefined) arrivals.message(filter, topic, message)
    })
    return {
      away: "disconnected",
      publish: (messages) =>
        Effect.asVoid(
          request(() =>
            Promise.all(
              messages.map(({ message, topic }) =>
                publisher.client.publish(prefix + topic, encodePayload(message, format))
              )
            )
          )
        ),
      subscribe: (filters) => request(() => channels.add(filters)),
      unsubscribe: (filter) => Effect.ignore(request(() => channels.remove(filter))),
      lost: Effect.raceFirst(publisher.lost, subscriber.lost)
    }
  })
