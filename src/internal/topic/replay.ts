import * as Effect from "effect/Effect"
import type { TopicError } from "./error.ts"
import type { BrokerHistory, Delivered, Delivery, Gap, HistoryQuery, Subscribed } from "./model.ts"
import type { Subscription } from "./subscriber.ts"

/** Messages that are read at once, and that may wait while history is sent. */
const pageSize = 256

/** What is needed to send a subscription a part of its topic's history. */
export interface ReplayOptions {
  readonly subscription: Subscription
  readonly history: BrokerHistory
  readonly query: HistoryQuery
  /** Done when the broker delivers what is published. */
  readonly ready: Effect.Effect<void, TopicError>
  readonly send: (message: Delivered) => void
  readonly sendGap: (gap: Gap) => void
  /** Has the subscription sent what is published from now on. */
  readonly enter: () => void
}

/** What is published while history is sent. More than a page is read again from the history. */
class Live {
  deliveries: Array<Delivery> = []
  overflowed = false

  readonly take = (delivery: Delivery): void => {
    if (delivery._tag === "Message" && this.deliveries.length >= pageSize) this.overflowed = true
    else this.deliveries.push(delivery)
  }

  clear(): void {
    this.deliveries = this.deliveries.filter(({ _tag }) => _tag === "Gap")
    this.overflowed = false
  }
}

/**
 * Sends a part of a topic's history as fast as the socket takes it, then what was published meanwhile, then lets the subscription go
 * on with what is published: no message is missing and none comes twice.
 */
export const replay = (options: ReplayOptions): Effect.Effect<Subscribed, TopicError> =>
  Effect.suspend(() => {
    const { group } = options.subscription
    const live = new Live()
    group.flush()
    group.listeners.add(live.take)
    return sendHistory(options, live).pipe(Effect.ensuring(Effect.sync(() => group.listeners.delete(live.take))))
  })

const sendHistory = (options: ReplayOptions, live: Live): Effect.Effect<Subscribed, TopicError> =>
  Effect.gen(function* () {
    const { enter, history, query, send, sendGap, subscription } = options
    const { group, subscriber } = subscription
    const { filter } = group
    yield* options.ready
    let page = yield* history.read(filter, query.from === undefined ? query : { from: query.from, limit: pageSize })
    const { complete } = page
    let isLimited = query.from !== undefined
    while (true) {
      if (!page.complete) sendGap({ _tag: "Gap", filter, cause: "forgotten", missed: undefined })
      for (const message of page.messages) {
        yield* subscriber.idle
        send({ _tag: "Message", ...message })
      }
      const more = live.overflowed || (isLimited && page.messages.length >= pageSize)
      if (!more || !subscriber.outlet.isOpen) break
      live.clear()
      page = yield* history.read(filter, { from: page.position, limit: pageSize })
      isLimited = true
    }
    // From here to the end nothing else runs.
    group.flush()
    let { position } = page
    for (const delivery of live.deliveries) {
      if (delivery._tag === "Gap") {
        sendGap(delivery)
        if (delivery.error !== undefined) return yield* Effect.fail(delivery.error)
      } else if (delivery.position === undefined || history.isAfter(delivery.position, position)) {
        send(delivery)
        position = delivery.position ?? position
      }
    }
    enter()
    return { position, complete }
  })
