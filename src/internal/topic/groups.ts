import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { TopicError, TopicErrorReason } from "./error.ts"
import { Filters } from "./filters.ts"
import { Group } from "./group.ts"
import { activeFilters, gaps } from "./metrics.ts"
import type { BrokerService, Delivery, Options } from "./model.ts"
import { filterViolation } from "./name.ts"
import { isPresenceName } from "./presence.ts"
import { Source } from "./source.ts"

export interface GroupsOptions extends Pick<Options, "format" | "gapMessage"> {
  readonly broker: BrokerService | undefined
  readonly maxFilters: number
  /** Called when the broker refuses a filter that it had confirmed, or that was subscribed to while it was away. */
  readonly onRefused: (group: Group) => void
}

/** The groups of subscribers of this process, one for each filter, and what the broker delivers for them. */
export class Groups {
  private readonly options: GroupsOptions
  private readonly context: Context.Context<never>
  private readonly groups = new Filters<Group>()
  private readonly sources = new Map<Group, Source>()
  /** What is being taken back at the broker. */
  private readonly stopping = new Map<string, Fiber.Fiber<void>>()

  constructor(options: GroupsOptions, context: Context.Context<never>) {
    this.options = options
    this.context = context
  }

  get(filter: string): Group | undefined {
    return this.groups.get(filter)
  }

  values(): IterableIterator<Group> {
    return this.groups.values()
  }

  /** Those whose filter stands for a valid name. */
  matching(name: string): ReadonlyArray<Group> {
    return this.groups.matching(name)
  }

  /** The group of a filter, which is made where there is none; or why there can't be one. */
  open(filter: string): Group | TopicErrorReason {
    const known = this.groups.get(filter)
    if (known !== undefined) return known
    const reason = filterViolation(filter)
    if (reason !== undefined) return reason
    const { broker, format, maxFilters } = this.options
    if (this.groups.size >= maxFilters) {
      const message = `at most ${maxFilters} filters have subscribers at once`
      return { _tag: "TooManyFilters", message, limit: maxFilters }
    }
    const group = new Group(filter, format)
    this.groups.add(group)
    activeFilters.modifyUnsafe(1, this.context)
    if (broker !== undefined) {
      const subscribed = broker.subscribe(filter, (delivery) => this.deliver(group, delivery))
      const stopping = this.stopping.get(filter)
      const subscribe = stopping === undefined ? subscribed : Effect.andThen(Fiber.await(stopping), subscribed)
      this.sources.set(group, new Source(subscribe, this.context))
    }
    return group
  }

  /** Forgets a group without subscribers. */
  dropUnused(group: Group): void {
    const { filter } = group
    if (!group.isEmpty || this.groups.get(filter) !== group) return
    this.groups.delete(group)
    activeFilters.modifyUnsafe(-1, this.context)
    const source = this.sources.get(group)
    if (source === undefined) return
    this.sources.delete(group)
    const fiber = Effect.runForkWith(this.context)(source.stop)
    this.stopping.set(filter, fiber)
    fiber.addObserver(() => {
      if (this.stopping.get(filter) === fiber) this.stopping.delete(filter)
    })
  }

  /** Done when the broker delivers for a group. */
  ready(group: Group): Effect.Effect<void, TopicError> {
    return this.sources.get(group)?.ready ?? Effect.void
  }

  deliver(group: Group, delivery: Delivery): void {
    if (delivery._tag === "Message") {
      if (!isPresenceName(delivery.topic) || delivery.topic === group.filter) group.deliver(delivery)
      return
    }
    gaps.updateUnsafe(delivery.cause, this.context)
    group.gap(delivery, this.options.gapMessage?.(delivery))
    if (delivery.cause === "refused") this.options.onRefused(group)
  }

  /** Takes back what was subscribed to at the broker. */
  readonly end: Effect.Effect<void> = Effect.suspend(() => {
    const stops = [...this.sources.values()].map(({ stop }) => stop)
    const stopping = [...this.stopping.values()].map((fiber) => Fiber.await(fiber))
    return Effect.all([...stops, ...stopping], { concurrency: "unbounded", discard: true })
  })
}
