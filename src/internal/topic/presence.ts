import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { createHash, randomUUID } from "node:crypto"
import type { TopicError } from "./error.ts"
import type { BrokerPresence, Member, PresenceChange } from "./model.ts"

const reserved = "%presence."

/** The name on which processes say that who is present on a topic has changed. */
export const presenceName = (topic: string): string =>
  reserved + createHash("sha256").update(topic).digest("hex").slice(0, 32)

/** Whether a name is one of those, which no pattern stands for and no history keeps. */
export const isPresenceName = (name: string): boolean => name.startsWith(reserved)

/** How often members are put again, and looked for; a process that vanished counts for three times as long. */
const interval = "10 seconds"

export const lease = 30_000

/**
 * Who is present through this process. What changes in one turn is one request for each topic. What the broker did not take is put again
 * with the next round.
 */
export class Presence {
  private readonly store: BrokerPresence
  private readonly notify: (topic: string) => Effect.Effect<void>
  private readonly context: Context.Context<never>
  private readonly process = randomUUID()
  private readonly members = new Map<string, Map<string, Member>>()
  /** Those that are to be put with the next request. */
  private readonly added = new Map<string, Map<string, Member>>()
  private readonly removed = new Map<string, Array<string>>()
  private count = 0
  private scheduled = false

  constructor(store: BrokerPresence, notify: (topic: string) => Effect.Effect<void>, context: Context.Context<never>) {
    this.store = store
    this.notify = notify
    this.context = context
  }

  /** Adds a member; returns the id by which it leaves. */
  enter(topic: string, name: string): string {
    const id = `${this.process}-${++this.count}`
    addTo(this.members, topic, { id, name })
    addTo(this.added, topic, { id, name })
    this.schedule()
    return id
  }

  leave(topic: string, id: string): void {
    const members = this.members.get(topic)
    if (members === undefined || !members.delete(id)) return
    if (members.size === 0) this.members.delete(topic)
    this.added.get(topic)?.delete(id)
    const removed = this.removed.get(topic)
    if (removed === undefined) this.removed.set(topic, [id])
    else removed.push(id)
    this.schedule()
  }

  /** Everybody who is present on a topic, in this process and others. */
  readonly list = (topic: string): Effect.Effect<ReadonlyArray<Member>, TopicError> =>
    Effect.andThen(
      this.flush,
      Effect.suspend(() => this.store.list(topic))
    )

  /** Who is present at first, then who joins and who leaves. */
  changes(topic: string, signals: Stream.Stream<unknown, TopicError>): Stream.Stream<PresenceChange, TopicError> {
    return Stream.merge(signals, Stream.tick(interval)).pipe(
      Stream.buffer({ capacity: 1, strategy: "sliding" }),
      // While the broker is away the members are not known, so there is no change to report.
      Stream.mapEffect(() => Effect.option(this.list(topic))),
      Stream.mapAccum(
        () => new Map<string, Member>(),
        (before, found) => {
          if (found._tag === "None") return [before, []]
          const now = new Map(found.value.map((member) => [member.id, member]))
          const changes: Array<PresenceChange> = []
          for (const member of before.values()) if (!now.has(member.id)) changes.push({ _tag: "Left", member })
          for (const member of now.values()) if (!before.has(member.id)) changes.push({ _tag: "Joined", member })
          return [now, changes]
        }
      )
    )
  }

  /** Puts all members again, so that they count on. */
  readonly renew: Effect.Effect<never> = Effect.forever(
    Effect.andThen(
      Effect.sleep(interval),
      Effect.suspend(() => {
        for (const [topic, members] of this.members) this.added.set(topic, new Map(members))
        return this.flush
      })
    )
  )

  /** Takes back all members, as the process ends. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    for (const [topic, members] of this.members) for (const id of members.keys()) this.leave(topic, id)
    return this.flush
  })

  private schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    Effect.runForkWith(this.context)(Effect.andThen(Effect.yieldNow, this.flush))
  }

  private readonly flush: Effect.Effect<void> = Effect.suspend(() => {
    this.scheduled = false
    const topics = new Set([...this.added.keys(), ...this.removed.keys()])
    if (topics.size === 0) return Effect.void
    const work = [...topics].map((topic) => {
      const members = [...(this.added.get(topic)?.values() ?? [])]
      return { topic, members, ids: this.removed.get(topic) ?? [] }
    })
    this.added.clear()
    this.removed.clear()
    return Effect.forEach(
      work,
      ({ ids, members, topic }) =>
        Effect.matchEffect(this.store.put(topic, members, ids), {
          onSuccess: (changed) => (changed ? this.notify(topic) : Effect.void),
          onFailure: () => Effect.void
        }),
      { discard: true, concurrency: 16 }
    )
  })
}

const addTo = (all: Map<string, Map<string, Member>>, topic: string, member: Member): void => {
  const members = all.get(topic)
  if (members === undefined) all.set(topic, new Map([[member.id, member]]))
  else members.set(member.id, member)
}

/** Who is present in this process alone. */
export class MemoryPresence implements BrokerPresence {
  private readonly topics = new Map<string, Map<string, Member>>()

  readonly put: BrokerPresence["put"] = (topic, members, removed) =>
    Effect.sync(() => {
      const present = this.topics.get(topic) ?? new Map<string, Member>()
      let changed = false
      for (const member of members) {
        changed ||= !present.has(member.id)
        present.set(member.id, member)
      }
      for (const id of removed) changed = present.delete(id) || changed
      if (present.size === 0) this.topics.delete(topic)
      else this.topics.set(topic, present)
      return changed
    })

  readonly list: BrokerPresence["list"] = (topic) => Effect.sync(() => [...(this.topics.get(topic)?.values() ?? [])])
}
