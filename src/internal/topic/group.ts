import { flushSoon } from "../flush.ts"
import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/inbox.ts"
import type { Delivery, Gap, Published } from "./model.ts"
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
  /** What a broker delivered in this tick. */
  private arrived: Array<Published> = []

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
    this.flush()
    const { kind } = subscription.subscriber.outlet
    let subscriptions = this.kinds.get(kind)
    if (subscriptions === undefined) this.kinds.set(kind, (subscriptions = new Set()))
    subscriptions.add(subscription)
    this.count++
  }

  delete(subscription: Subscription): void {
    this.flush()
    const { subscriber } = subscription
    const { kind } = subscriber.outlet
    const subscriptions = this.kinds.get(kind)
    if (subscriptions?.delete(subscription) !== true) return
    this.count--
    this.crowded.delete(subscriber)
    if (subscriptions.size === 0) this.kinds.delete(kind)
  }

  /** Gives everybody messages, in one write for each. */
  deliver(all: ReadonlyArray<Published>, encodings: Encodings): void {
    this.send(encodings)
    if (this.listeners.size === 0) return
    for (const { message, topic } of all) this.tell({ _tag: "Message", topic, message })
  }

  /** Gives everybody a message at the end of this tick, together with those that come until then. */
  deliverSoon(published: Published): void {
    if (this.arrived.length === 0) flushSoon(this)
    this.arrived.push(published)
  }

  flush(): void {
    const { arrived } = this
    if (arrived.length === 0) return
    this.arrived = []
    this.deliver(arrived, new Encodings(arrived.map(({ message }) => message)))
  }

  /** Tells everybody that messages are missing: sockets by `message`. */
  gap(gap: Gap, message: Message | undefined): void {
    this.flush()
    if (message !== undefined) this.send(new Encodings([message]))
    this.tell(gap)
  }

  private tell(delivery: Delivery): void {
    for (const listener of this.listeners) listener(delivery)
  }

  private send(encodings: Encodings): void {
    const { messages } = encodings
    for (const [kind, subscriptions] of this.kinds) {
      const outlet = kind === undefined ? undefined : firstOutlet(subscriptions)
      const sayable = messages.every((message) => outlet?.takes(message) !== false)
      const encoded = sayable ? outlet?.encode(encodings) : undefined
      if (encoded === undefined) sendEach(messages, subscriptions)
      else for (const one of subscriptions) one.subscriber.offerEncoded(one, messages, encoded)
    }
  }
}

const sendEach = (messages: ReadonlyArray<Message>, subscriptions: Set<Subscription>): void => {
  for (const subscription of subscriptions) {
    const { subscriber } = subscription
    for (const message of messages) if (subscriber.outlet.takes(message)) subscriber.offer(subscription, message)
  }
}

const firstOutlet = (subscriptions: Set<Subscription>): Outlet | undefined => {
  for (const { subscriber } of subscriptions) return subscriber.outlet
  return undefined
}
