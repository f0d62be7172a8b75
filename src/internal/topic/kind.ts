import type { Outbound } from "../connection/outbound.ts"
import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import type { Gap } from "./model.ts"
import type { Subscription } from "./subscriber.ts"

/** Subscriptions of sockets to which a message is the same bytes; or of those to which it is bytes of their own. */
export class Kind {
  private readonly subscriptions: Array<Subscription> = []
  /**
   * Their send queues, in the same places. Most messages need nothing else: what is looked at for each of many thousand
   * subscribers costs a miss of the processor's caches.
   */
  private readonly queues: Array<Outbound | undefined> = []

  get isEmpty(): boolean {
    return this.subscriptions.length === 0
  }

  add(subscription: Subscription): void {
    subscription.moveTo(this.subscriptions.length)
    this.subscriptions.push(subscription)
    this.queues.push(subscription.subscriber.outlet.outbound)
  }

  /** Answers whether it was one of them. */
  delete(subscription: Subscription): boolean {
    const { queues, subscriptions } = this
    const { place } = subscription
    if (subscriptions[place] !== subscription) return false
    const last = subscriptions.pop()
    const queue = queues.pop()
    if (last === undefined || last === subscription) return true
    subscriptions[place] = last
    queues[place] = queue
    last.moveTo(place)
    return true
  }

  /** Sends messages to all of them; `shared` says whether as the same bytes. */
  send(encodings: Encodings, shared: boolean): void {
    const { messages } = encodings
    const outlet = shared ? this.subscriptions[0]?.subscriber.outlet : undefined
    const sayable = messages.every((message) => outlet?.takes(message) !== false)
    const encoded = sayable ? outlet?.encode(encodings) : undefined
    if (encoded === undefined) this.sendApart(messages)
    else this.sendTogether(messages, encoded.joined, encoded.frames)
  }

  /** Sends all of them a gap of the broker as this message. */
  gap(gap: Gap, message: Message): void {
    const outlet = this.subscriptions[0]?.subscriber.outlet
    const bytes = outlet?.takes(message) === true ? outlet.encode(new Encodings([message]))?.joined : undefined
    for (let place = this.subscriptions.length - 1; place >= 0; place--) {
      const subscription = this.subscriptions[place]
      if (subscription?.subscriber.outlet.takes(message) === true) {
        subscription.subscriber.offerGap(subscription, gap, message, bytes)
      }
    }
  }

  /** The subscriptions, as they are now. */
  get all(): ReadonlyArray<Subscription> {
    return [...this.subscriptions]
  }

  // From the last to the first, since one that is closed meanwhile leaves its place to the last.

  private sendTogether(messages: ReadonlyArray<Message>, joined: Uint8Array, frames: ReadonlyArray<Uint8Array>): void {
    const { queues } = this
    const count = messages.length
    for (let place = queues.length - 1; place >= 0; place--) {
      if (queues[place]?.encodedAtOnce(joined, count) === true) continue
      const subscription = this.subscriptions[place]
      if (subscription === undefined) continue
      const { subscriber } = subscription
      for (const [at, message] of messages.entries()) subscriber.offer(subscription, message, frames[at])
    }
  }

  private sendApart(messages: ReadonlyArray<Message>): void {
    for (let place = this.subscriptions.length - 1; place >= 0; place--) {
      const subscription = this.subscriptions[place]
      if (subscription === undefined) continue
      const { outlet } = subscription.subscriber
      for (const message of messages) {
        if (outlet.takes(message)) subscription.subscriber.offer(subscription, message, undefined)
      }
    }
  }
}
