import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./error.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"
import { isPattern, matches, nameViolation } from "./name.ts"
import { decodePayload, encodePayload, type PayloadFormat } from "./payload.ts"
import { type Client, type ClientOptions, open, redisName, request } from "./redisClient.ts"

/** How topics are Redis channels. */
export interface PubSubOptions {
  readonly client: ClientOptions
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
    const subscriptions = new Subscriptions(subscriber.client, prefix, (filter, topic, payload) => {
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
      subscribe: (filters) => Effect.asVoid(request(() => subscriptions.add(filters))),
      unsubscribe: (filter) => Effect.ignore(request(() => subscriptions.remove(filter))),
      lost: Effect.raceFirst(publisher.lost, subscriber.lost)
    }
  })

/** The filters that one glob stands in for. */
interface Glob {
  readonly filters: Set<string>
  readonly ready: Promise<void>
}

/** What one connection is subscribed to. */
class Subscriptions {
  private readonly client: Client
  private readonly prefix: string
  private readonly heard: (filter: string, topic: string, payload: Buffer) => void
  private readonly globs = new Map<string, Glob>()

  constructor(client: Client, prefix: string, heard: (filter: string, topic: string, payload: Buffer) => void) {
    this.client = client
    this.prefix = prefix
    this.heard = heard
  }

  add(filters: ReadonlyArray<string>): Promise<unknown> {
    const names = filters.filter((filter) => !isPattern(filter))
    const pending: Array<Promise<void>> = []
    if (names.length > 0) {
      const channels = names.map((name) => this.prefix + name)
      pending.push(this.client.subscribe(channels, this.onMessage, true))
    }
    for (const filter of filters) if (isPattern(filter)) pending.push(this.addPattern(filter))
    return Promise.all(pending)
  }

  remove(filter: string): Promise<void> {
    if (!isPattern(filter)) return this.client.unsubscribe(this.prefix + filter)
    const pattern = globOf(this.prefix, filter)
    const glob = this.globs.get(pattern)
    if (glob === undefined || !glob.filters.delete(filter) || glob.filters.size > 0) return Promise.resolve()
    this.globs.delete(pattern)
    return this.client.pUnsubscribe(pattern)
  }

  private readonly onMessage = (payload: Buffer, channel: Buffer): void => {
    const topic = this.topicOf(channel)
    this.heard(topic, topic, payload)
  }

  private topicOf(channel: Buffer): string {
    return channel.toString().slice(this.prefix.length)
  }

  private addPattern(filter: string): Promise<void> {
    const pattern = globOf(this.prefix, filter)
    const known = this.globs.get(pattern)
    if (known !== undefined) {
      known.filters.add(filter)
      return known.ready
    }
    const filters = new Set([filter])
    const listener = (payload: Buffer, channel: Buffer): void => {
      const topic = this.topicOf(channel)
      // Other programs may use names that are none here.
      if (nameViolation(topic) !== undefined) return
      for (const filter of filters) if (matches(filter, topic)) this.heard(filter, topic, payload)
    }
    const ready = this.client.pSubscribe(pattern, listener, true)
    this.globs.set(pattern, { filters, ready })
    return ready
  }
}

/** A glob that stands for everything that the filter does, and more: its `*` goes on over dots. */
const globOf = (prefix: string, filter: string): string =>
  prefix.replaceAll(/[*?[\]\\]/g, "\\$&") + filter.replace(/>$/, "*")
