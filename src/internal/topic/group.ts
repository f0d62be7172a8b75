import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/inbox.ts"
import type { Delivery, Gap } from "./model.ts"
import type { Outlet } from "./outlet.ts"
import type { Subscriber, Subscription } from "./subscriber.ts"

/** Who hears a group beside sockets. */
export type Listener = (delivery: Delivery) => void

/** Everybody in this process who is subscribed to one filter. */
export class Group {
  readonly filter: string
  readonly listeners = new Set<Listener>()
  /** Subscribers for which so much waits that publishers are to wait. */
  readonly crowded = new Set<Subscriber>()
  /** Those for whom a message is the same bytes, and under `undefined` those for whom it is bytes of their own. */
  private readonly kinds = new Map<string | undefined, Set<Subscription>>()
  private count = 0

  constructor(filter: string) {
    this.filter = filter
  }

  /** How many sockets are subscribed. */
  get size(): number {
    return this.count
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.listeners.size === 0
  }

  add(subscription: Subscription): void {
    const { kind } = subscription.subscriber.outlet
    let subscriptions = this.kinds.get(kind)
    if (subscriptions === undefined) this.kinds.set(kind, (subscriptions = new Set()))
    subscriptions.add(subscription)
    this.count++
  }

  delete(subscription: Subscription): void {
    const { subscriber } = subscription
    const { kind } = subscriber.outlet
    const subscriptions = this.kinds.get(kind)
    if (subscriptions?.delete(subscription) !== true) return
    this.count--
    this.crowded.delete(subscriber)
    if (subscriptions.size === 0) this.kinds.delete(kind)
  }

  /** Gives everybody a message that was published on a name. */
  deliver(topic: string, message: Message, encodings: Encodings): void {
    this.send(message, encodings)
    if (this.listeners.size > 0) this.tell({ _tag: "Message", topic, message })
  }

  /** Tells everybody that messages are missing: sockets by `message`. */
  gap(gap: Gap, message: Message | undefined): void {
    if (message !== undefined) this.send(message, new Encodings([message]))
    this.tell(gap)
  }

  private tell(delivery: Delivery): void {
    for (const listener of this.listeners) listener(delivery)
  }

  private send(message: Message, encodings: Encodings): void {
    for (const [kind, subscriptions] of this.kinds) {
      if (kind === undefined) this.sendEach(message, subscriptions)
      else this.sendSame(message, encodings, subscriptions)
    }
  }

  private sendSame(message: Message, encodings: Encodings, subscriptions: Set<Subscription>): void {
    const outlet = firstOutlet(subscriptions)
    if (outlet === undefined || !outlet.takes(message)) return
    const bytes = outlet.encode(encodings)
    for (const subscription of subscriptions) subscription.subscriber.offer(subscription, message, bytes)
  }

  private sendEach(message: Message, subscriptions: Set<Subscription>): void {
    for (const subscription of subscriptions) {
      const { subscriber } = subscription
      if (subscriber.outlet.takes(message)) subscriber.offer(subscription, message, undefined)
    }
  }
}

const firstOutlet = (subscriptions: Set<Subscription>): Outlet | undefined => {
  for (const { subscriber } of subscriptions) return subscriber.outlet
  return undefined
}
