import * as Effect from "effect/Effect"
import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import { GapCounts } from "./gapCounts.ts"
import type { Group } from "./group.ts"
import type { Gap, SlowPolicy } from "./model.ts"
import type { Outlet } from "./outlet.ts"

/** What a message that waits costs beside its bytes. */
const overhead = 64

/** How many times `queueSize` may wait for a subscriber whose publishers are made to wait. */
const waitFactor = 16

/** A subscription of one socket to one filter. */
export class Subscription {
  readonly subscriber: Subscriber
  readonly group: Group
  readonly slow: SlowPolicy
  /** Under which name it is present. */
  readonly presence: string | undefined
  /** How many scopes hold it. */
  private holds = 0
  private joined = false
  /** `"live"` is sent what is published; before that a subscription with history waits to be sent it, then is. */
  private phase: "live" | "waiting" | "replaying" = "live"
  /** The id of the member that it is on its topic. */
  private memberId: string | undefined = undefined
  private index = 0
  /** The gap in the queue that no message of this subscription comes before. */
  front: GapEntry | undefined = undefined
  /** The gap in the queue that no message of this subscription comes after. */
  tail: GapEntry | undefined = undefined

  constructor(subscriber: Subscriber, group: Group, slow: SlowPolicy, presence: string | undefined) {
    this.subscriber = subscriber
    this.group = group
    this.slow = slow
    this.presence = presence
  }

  /** Whether no scope holds it and the socket hasn't joined. */
  get isUnused(): boolean {
    return this.holds === 0 && !this.joined
  }

  /** Holds it for a scope; returns a function that releases it, once. */
  hold(): () => void {
    this.holds++
    let held = true
    return () => {
      if (held) this.holds--
      held = false
    }
  }

  /** Returns whether the socket hadn't joined. */
  join(): boolean {
    const { joined } = this
    this.joined = true
    return !joined
  }

  leave(): void {
    this.joined = false
  }

  /** Has it wait for its part of the history. */
  awaitHistory(): void {
    this.phase = "waiting"
  }

  /** Returns whether it waited for its part of the history, which it is sent from now on. */
  beginHistory(): boolean {
    if (this.phase !== "waiting") return false
    this.phase = "replaying"
    return true
  }

  /** It was sent its part of the history. */
  endHistory(): void {
    this.phase = "live"
  }

  /** The id of the member that it is on its topic; `undefined` when it is none. */
  get member(): string | undefined {
    return this.memberId
  }

  becomeMember(id: string | undefined): void {
    this.memberId = id
  }

  /** Its place among those of its kind. */
  get place(): number {
    return this.index
  }

  moveTo(place: number): void {
    this.index = place
  }
}

/** A message that waits. */
interface MessageEntry {
  readonly _tag: "Message"
  readonly subscription: Subscription
  readonly message: Message
  readonly bytes: Uint8Array | undefined
  readonly size: number
}

/** A place in the queue where messages are missing. */
interface GapEntry {
  readonly _tag: "Gap"
  readonly subscription: Subscription
  readonly counts: GapCounts
  readonly size: number
}

type Entry = MessageEntry | GapEntry

/** What all subscribers of a process have in common. */
export interface Shared {
  readonly queueSize: number
  readonly gapMessage: ((gap: Gap) => Message | undefined) | undefined
  /** Hears of messages that a subscriber missed since it was slow. */
  readonly onMissed: (count: number) => void
  /** Hears of a subscriber that is closed since it was slow. */
  readonly onOverrun: () => void
  /** Called with the bytes that wait in addition, or fewer than before. */
  readonly onQueued: (change: number) => void
}

/** A socket with subscriptions, and the messages that wait until it has room. */
export class Subscriber {
  readonly outlet: Outlet
  readonly subscriptions = new Map<string, Subscription>()
  private readonly shared: Shared
  private queue: Array<Entry> = []
  private queued = 0
  private pumping = false
  /** Whether publishers are made to wait. */
  private crowded = false
  private readonly waiters = new Set<() => void>()

  constructor(outlet: Outlet, shared: Shared) {
    this.outlet = outlet
    this.shared = shared
  }

  /** Whether more waits than may: publishers that are to wait do. */
  get isOver(): boolean {
    return this.queued > this.shared.queueSize && this.outlet.isOpen
  }

  /** Waits until nothing waits here and the socket takes a message at once, or is closed. */
  readonly idle: Effect.Effect<void> = Effect.suspend(() => {
    const { outlet, queue } = this
    if (!outlet.isOpen || (queue.length === 0 && outlet.isReady)) return Effect.void
    return Effect.callback<void>((resume) => outlet.whenReady(() => resume(Effect.void))).pipe(
      Effect.andThen(Effect.yieldNow),
      Effect.andThen(this.idle)
    )
  })

  /** Runs `task` once when no more waits than may, or nothing any more. */
  whenRoom(task: () => void): void {
    this.waiters.add(task)
  }

  /** Takes back what was given to `whenRoom`. */
  forgetRoom(task: () => void): void {
    this.waiters.delete(task)
  }

  /** Takes a message, or what becomes of it by the subscription's policy. `bytes` is what it is encoded to, where known. */
  offer(subscription: Subscription, message: Message, bytes: Uint8Array | undefined): void {
    const { outlet, queue } = this
    if (queue.length === 0 && outlet.isReady) {
      outlet.send(message, bytes)
      return
    }
    if (!outlet.isOpen) return
    const size = (bytes ?? message).length + overhead
    const { queueSize } = this.shared
    const over = this.queued + size > queueSize
    switch (subscription.slow) {
      case "wait":
        if (this.queued + size > queueSize * waitFactor) return this.overrun()
        break
      case "close":
        if (over) return this.overrun()
        break
      case "drop":
        if (over) return this.missNewest(subscription)
        break
      case "dropOldest":
        if (over && !this.makeRoom(size)) return this.missNewest(subscription)
        break
    }
    subscription.tail = undefined
    this.enqueue({ _tag: "Message", subscription, message, bytes, size })
    if (subscription.slow === "wait" && this.isOver) {
      this.crowded = true
      subscription.group.crowded.add(this)
    }
  }

  /**
   * Takes a gap of the broker, which no policy drops: it is sent at once, or waits in its place. `message` and `bytes` are what it is
   * sent as.
   */
  offerGap(subscription: Subscription, gap: Gap, message: Message, bytes: Uint8Array | undefined): void {
    const { outlet, queue, shared } = this
    if (queue.length === 0 && outlet.isReady) {
      outlet.send(message, bytes)
      return
    }
    if (!outlet.isOpen) return
    const { slow } = subscription
    const most = slow === "close" ? shared.queueSize : slow === "wait" ? shared.queueSize * waitFactor : Infinity
    if (subscription.tail === undefined && this.queued + overhead > most) return this.overrun()
    this.gapAtTail(subscription).add(gap.cause, gap.missed, gap.error)
  }

  /** Forgets what waits for a subscription that ended. */
  forget(subscription: Subscription): void {
    if (this.queue.length === 0) return
    this.queue = this.queue.filter((entry) => entry.subscription !== subscription)
    this.count(this.queue.reduce((sum, { size }) => sum + size, 0) - this.queued)
    this.letGo()
  }

  /** The socket is gone. */
  end(): void {
    this.queue = []
    this.count(-this.queued)
    this.letGo()
  }

  private count(change: number): void {
    if (change === 0) return
    this.queued += change
    this.shared.onQueued(change)
  }

  private enqueue(entry: Entry): void {
    this.queue.push(entry)
    this.count(entry.size)
    if (this.pumping) return
    this.pumping = true
    this.outlet.whenReady(this.pump)
  }

  private readonly pump = (): void => {
    this.pumping = false
    const { outlet, queue } = this
    let sent = 0
    while (sent < queue.length && outlet.isReady && outlet.isOpen) {
      const entry = queue[sent++]
      if (entry === undefined) break
      this.count(-entry.size)
      if (entry._tag === "Message") outlet.send(entry.message, entry.bytes)
      else this.sendGap(entry)
    }
    queue.splice(0, sent)
    if (!outlet.isOpen) return this.end()
    if (queue.length > 0) {
      this.pumping = true
      outlet.whenReady(this.pump)
    }
    this.letGo()
  }

  private letGo(): void {
    if (!this.crowded || this.isOver) return
    this.crowded = false
    for (const { group } of this.subscriptions.values()) group.crowded.delete(this)
    const waiters = [...this.waiters]
    this.waiters.clear()
    for (const waiter of waiters) waiter()
  }

  private overrun(): void {
    this.shared.onOverrun()
    this.outlet.close(1013)
  }

  /** Notes at the end of the queue that a message is missing. */
  private missNewest(subscription: Subscription): void {
    this.shared.onMissed(1)
    this.gapAtTail(subscription).add("slow", 1)
  }

  /** What is missing after all messages of a subscription that wait. */
  private gapAtTail(subscription: Subscription): GapCounts {
    if (subscription.tail === undefined) this.enqueue((subscription.tail = gapIn(subscription)))
    return subscription.tail.counts
  }

  /** Drops those that waited longest, of subscriptions whose policy is that. Returns whether there is room then. */
  private makeRoom(size: number): boolean {
    const { queue, shared } = this
    let at = 0
    while (this.queued + size > shared.queueSize) {
      const entry = queue[at]
      if (entry === undefined) return false
      const { subscription } = entry
      if (subscription.slow !== "dropOldest") {
        at++
      } else if (entry._tag === "Gap") {
        // Nothing of the subscription is left before it, so it is the first gap or adjoins it.
        const { front = entry } = subscription
        subscription.front = front
        if (front === entry) {
          at++
        } else {
          front.counts.merge(entry.counts)
          if (subscription.tail === entry) subscription.tail = front
          queue.splice(at, 1)
          this.count(-entry.size)
        }
      } else {
        if (subscription.front === undefined) {
          queue[at] = subscription.front = gapIn(subscription)
          this.count(overhead)
        } else {
          queue.splice(at, 1)
        }
        this.count(-entry.size)
        subscription.front.counts.add("slow", 1)
        shared.onMissed(1)
      }
    }
    return true
  }

  private sendGap(entry: GapEntry): void {
    const { counts, subscription } = entry
    if (subscription.front === entry) subscription.front = undefined
    if (subscription.tail === entry) subscription.tail = undefined
    for (const gap of counts.gaps(subscription.group.filter)) {
      const message = this.shared.gapMessage?.(gap)
      if (message === undefined || !this.outlet.takes(message)) continue
      this.outlet.send(message, this.outlet.encode(new Encodings([message]))?.joined)
    }
  }
}

const gapIn = (subscription: Subscription): GapEntry => ({
  _tag: "Gap",
  subscription,
  counts: new GapCounts(),
  size: overhead
})
