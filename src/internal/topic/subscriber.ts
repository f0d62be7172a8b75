import { Encodings } from "../socket/encodings.ts"
import type { Message } from "../socket/receiveBuffer.ts"
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
  /** How many scopes hold it. */
  holds = 0
  joined = false
  /** Its place among those of its kind. */
  place = 0
  /** The gap that waits in the queue and that the next message missed adds to. */
  gap: Entry | undefined = undefined

  constructor(subscriber: Subscriber, group: Group, slow: SlowPolicy) {
    this.subscriber = subscriber
    this.group = group
    this.slow = slow
  }
}

/** A message that waits, or in place of one a gap of so many. */
interface Entry {
  readonly subscription: Subscription
  readonly message: Message | undefined
  readonly bytes: Uint8Array | undefined
  readonly size: number
  missed: number
}

/** What all subscribers of a process have in common. */
export interface Shared {
  readonly queueSize: number
  readonly gapMessage: ((gap: Gap) => Message | undefined) | undefined
  /** Hears of messages that a subscriber missed since it was slow. */
  readonly onMissed: (count: number) => void
  /** Hears of a subscriber that is closed since it was slow. */
  readonly onOverrun: () => void
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
    const entry: Entry = { subscription, message, bytes, size, missed: 0 }
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
        subscription.gap = undefined
        break
      case "dropOldest":
        if (over && !this.makeRoom(size)) return this.missNewest(subscription)
        break
    }
    this.enqueue(entry)
    if (subscription.slow === "wait" && this.isOver) {
      this.crowded = true
      subscription.group.crowded.add(this)
    }
  }

  /** Forgets what waits for a subscription that ended. */
  forget(subscription: Subscription): void {
    if (this.queue.length === 0) return
    this.queue = this.queue.filter((entry) => entry.subscription !== subscription)
    this.queued = this.queue.reduce((sum, { size }) => sum + size, 0)
    this.letGo()
  }

  /** The socket is gone. */
  end(): void {
    this.queue = []
    this.queued = 0
    this.letGo()
  }

  private enqueue(entry: Entry): void {
    this.queue.push(entry)
    this.queued += entry.size
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
      this.queued -= entry.size
      if (entry.subscription.gap === entry) entry.subscription.gap = undefined
      if (entry.message === undefined) this.sendGap(entry)
      else outlet.send(entry.message, entry.bytes)
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
    if (subscription.gap === undefined) this.enqueue((subscription.gap = gapIn(subscription)))
    subscription.gap.missed++
  }

  /** Drops those that waited longest, of subscriptions that want it so. Answers whether there is room then. */
  private makeRoom(size: number): boolean {
    const { queue, shared } = this
    let at = 0
    while (this.queued + size > shared.queueSize) {
      let entry = queue[at]
      while (entry !== undefined && (entry.message === undefined || entry.subscription.slow !== "dropOldest")) {
        entry = queue[++at]
      }
      if (entry === undefined) return false
      const { subscription } = entry
      this.queued -= entry.size
      if (subscription.gap === undefined) {
        queue[at] = subscription.gap = gapIn(subscription)
        this.queued += overhead
      } else {
        queue.splice(at, 1)
      }
      subscription.gap.missed++
      shared.onMissed(1)
    }
    return true
  }

  private sendGap({ missed, subscription }: Entry): void {
    const { group } = subscription
    const message = this.shared.gapMessage?.({ _tag: "Gap", filter: group.filter, cause: "slow", missed })
    if (message === undefined || !this.outlet.takes(message)) return
    this.outlet.send(message, this.outlet.encode(new Encodings([message]))?.joined)
  }
}

const gapIn = (subscription: Subscription): Entry => ({
  subscription,
  message: undefined,
  bytes: undefined,
  size: overhead,
  missed: 0
})
