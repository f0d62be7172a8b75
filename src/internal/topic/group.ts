import { flushAfterTurn } from "../connection/flush.ts"
import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { Kind } from "./kind.ts"
import type { Delivered, Delivery, Gap } from "./model.ts"
import type { Subscriber, Subscription } from "./subscriber.ts"

/** Who hears a group beside sockets. */
export type Listener = (delivery: Delivery) => void

/** So many bytes are not kept until the end of the turn. */
const flushSize = 64 * 1024

/** What a message that is kept costs beside its bytes. */
const overhead = 64

/** Everybody in this process who is subscribed to one filter. */
export class Group {
  readonly filter: string
  readonly listeners = new Set<Listener>()
  /** Subscribers for which so much waits that publishers are to wait. */
  readonly crowded = new Set<Subscriber>()
  /** Those for whom a message is the same bytes, and under `undefined` those for whom it is bytes of their own. */
  private readonly kinds = new Map<string | undefined, Kind>()
  /** How many sockets are subscribed. */
  count = 0
  /** What goes out at the end of this turn. */
  private gathered: Array<Delivered> = []
  private size = 0

  private readonly format: ((message: Delivered) => Message) | undefined

  /** `format` makes what sockets are sent for a message. Default: the message. */
  constructor(filter: string, format?: (message: Delivered) => Message) {
    this.filter = filter
    this.format = format
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.listeners.size === 0
  }

  add(subscription: Subscription): void {
    this.flush()
    const { kind: name } = subscription.subscriber.outlet
    let kind = this.kinds.get(name)
    if (kind === undefined) this.kinds.set(name, (kind = new Kind()))
    kind.add(subscription)
    this.count++
  }

  /** Returns whether it was one of them. */
  delete(subscription: Subscription): boolean {
    this.flush()
    const { subscriber } = subscription
    const { kind: name } = subscriber.outlet
    const kind = this.kinds.get(name)
    if (kind === undefined || !kind.delete(subscription)) return false
    this.count--
    this.crowded.delete(subscriber)
    if (kind.isEmpty) this.kinds.delete(name)
    return true
  }

  /** Gives everybody messages at the end of this turn of the event loop, in one write with those that come until then. */
  deliver(delivered: Delivered): void {
    const { message } = delivered
    if (this.gathered.length === 0) flushAfterTurn(this)
    this.gathered.push(delivered)
    this.size += message.length + overhead
    if (this.size >= flushSize) this.flush()
  }

  /** Gives everybody what has gathered. */
  flush(): void {
    const { format, gathered } = this
    if (gathered.length === 0) return
    this.gathered = []
    this.size = 0
    if (this.count > 0) this.send(new Encodings(gathered.map(format ?? messageOf)))
    if (this.listeners.size === 0) return
    for (const delivered of gathered) this.tell(delivered)
  }

  /** Tells everybody that messages are missing: sockets by `message`. */
  gap(gap: Gap, message: Message | undefined): void {
    this.flush()
    if (message !== undefined) for (const kind of this.kinds.values()) kind.gap(gap, message)
    this.tell(gap)
  }

  /** The subscriptions of sockets, as they are now. */
  get subscriptions(): ReadonlyArray<Subscription> {
    return [...this.kinds.values()].flatMap(({ all }) => all)
  }

  private tell(delivery: Delivery): void {
    for (const listener of this.listeners) listener(delivery)
  }

  private send(encodings: Encodings): void {
    for (const [name, kind] of this.kinds) kind.send(encodings, name !== undefined)
  }
}

const messageOf = ({ message }: Delivered): Message => message
