import * as Effect from "effect/Effect"
import { randomUUID } from "node:crypto"
import { defaultLimit, invalidPosition } from "./history.ts"
import type { BrokerHistory, History, HistoryOptions, HistoryQuery, Kept, Position, Published } from "./model.ts"

const defaults = { maxMessages: 100, maxBytes: 16 * 1024 * 1024 } as const

/** What a message that is kept costs in addition to its bytes. */
const overhead = 64

/** The messages of one topic, the oldest first. */
interface Log {
  readonly messages: Array<Kept>
  bytes: number
  /** The number of the last message that is no longer kept. */
  forgotten: number
}

/** What was published in this process, within limits. A position is the run of this process and the number of a message. */
export class MemoryHistory implements BrokerHistory {
  private readonly run = randomUUID().slice(0, 8)
  private readonly maxMessages: number
  private readonly maxBytes: number
  /** The topic that was silent longest comes first. */
  private readonly logs = new Map<string, Log>()
  private bytes = 0
  private count = 0
  /** The number of the last message of a topic of which nothing is kept. */
  private forgotten = 0

  constructor({ maxBytes = defaults.maxBytes, maxMessages = defaults.maxMessages }: HistoryOptions) {
    this.maxMessages = maxMessages
    this.maxBytes = maxBytes
  }

  /** Keeps a message; returns its position. */
  append({ message, topic }: Published): Position {
    const { logs } = this
    const position = this.positionOf(++this.count)
    const log = logs.get(topic) ?? { messages: [], bytes: 0, forgotten: this.forgotten }
    logs.delete(topic)
    logs.set(topic, log)
    log.messages.push({ topic, message, position })
    this.add(log, sizeOf({ topic, message }))
    while (log.messages.length > this.maxMessages) this.forgetOldest(log)
    while (this.bytes > this.maxBytes) this.forgetSilent()
    return position
  }

  readonly read = (topic: string, query: HistoryQuery) =>
    Effect.suspend(() => {
      const { messages, forgotten } = this.logs.get(topic) ?? { messages: [], forgotten: this.forgotten }
      const now = this.positionOf(this.count)
      if (query.from === undefined) {
        const last = query.last === 0 ? [] : messages.slice(-query.last)
        return Effect.succeed<History>({ messages: last, position: now, complete: true })
      }
      const [run, number] = partsOf(query.from)
      if (number === undefined) return Effect.fail(invalidPosition(query.from))
      const from = run === this.run ? number : 0
      const limit = query.limit ?? defaultLimit
      const after = messages.filter(({ position }) => (partsOf(position)[1] ?? 0) > from)
      const page = after.slice(0, limit)
      return Effect.succeed<History>({
        messages: page,
        position: after.length > limit ? (page.at(-1)?.position ?? query.from) : now,
        complete: run === this.run && from >= forgotten
      })
    })

  readonly isAfter = (position: Position, other: Position): boolean => {
    const [run, number = 0] = partsOf(position)
    const [otherRun, otherNumber = 0] = partsOf(other)
    return run !== otherRun || number > otherNumber
  }

  private positionOf(number: number): Position {
    return `${this.run}-${number}`
  }

  private add(log: Log, size: number): void {
    log.bytes += size
    this.bytes += size
  }

  private forgetOldest(log: Log): void {
    const oldest = log.messages.shift()
    if (oldest === undefined) return
    this.add(log, -sizeOf(oldest))
    log.forgotten = partsOf(oldest.position)[1] ?? log.forgotten
  }

  private forgetSilent(): void {
    const [entry] = this.logs
    if (entry === undefined) return
    const [topic, log] = entry
    while (log.messages.length > 0 && this.bytes > this.maxBytes) this.forgetOldest(log)
    if (log.messages.length > 0) return
    this.logs.delete(topic)
    this.forgotten = Math.max(this.forgotten, log.forgotten)
  }
}

const sizeOf = ({ message, topic }: Published): number => topic.length + message.length + overhead

const partsOf = (position: Position): readonly [string, number | undefined] => {
  const [, run = "", number] = /^([\da-f]{8})-(\d{1,15})$/.exec(position) ?? []
  return [run, number === undefined ? undefined : Number(number)]
}
