import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./error.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"
import { defaultLimit, invalidPosition } from "./history.ts"
import type { History, HistoryQuery, Kept } from "./model.ts"
import { decodePayload, encodePayload } from "./payload.ts"
import { type ClientSource, open, redisName, request } from "./redisClient.ts"
import { type Reached, type Resumption, StreamCursor } from "./streamCursor.ts"
import { StreamReading } from "./streamReading.ts"
import { redisPresence } from "./redisPresence.ts"
import { beginning, isBefore, isId, StreamKey, type TopicHistory } from "./redisStreamKey.ts"

/** How topics are kept in a stream. */
export interface StreamsOptions {
  readonly client: ClientSource
  /** The stream that all topics are in. */
  readonly key: string
  /** About how many messages are kept. */
  readonly maxLength: number
  /** What is kept of each topic for its history. */
  readonly history: TopicHistory | undefined
}

/**
 * All topics in one stream, which every process reads from where it was. Each reads all of it: what it has no subscribers for
 * it drops.
 */
export const streamsDriver = (options: StreamsOptions): Driver => {
  const cursor = new StreamCursor<string>()
  return {
    name: redisName,
    idempotent: true,
    hasPresence: true,
    isAfter: options.history === undefined ? undefined : (one, other) => isBefore(other, one),
    connect: (arrivals) => connect(options, cursor, arrivals)
  }
}

const connect = (
  { client, history, key, maxLength }: StreamsOptions,
  cursor: StreamCursor<string>,
  arrivals: Arrivals
): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const writer = yield* open(client, true)
    const reader = yield* open(client, true)
    const stream = new StreamKey(reader.client, key, maxLength, history)
    const commands = new StreamKey(writer.client, key, maxLength, history)
    const resumption = yield* request(() => resume(stream, cursor.reached))
    const { away, last = beginning } = resumption
    // A user who may not read fails here, not after the first subscription was answered.
    yield* request(() => Promise.all([stream.next(last), stream.reaches(last)]))

    /** Whether the gap before the next read was delivered already. */
    let announced = away === "forgotten"
    const read = async (from: string): Promise<never> => {
      let last = from
      while (true) {
        const [entries, kept] = await Promise.all([stream.after(last), stream.reaches(last)])
        if (entries.length > 0) {
          if (!kept && !announced && last !== beginning) arrivals.gap("forgotten", undefined)
          announced = false
        }
        for (const { id, payload, topic } of entries) {
          last = id
          reading.deliver(id, topic, payload, history === undefined ? undefined : id)
        }
        reading.advance(entries.length === 0)
      }
    }

    const reading = new StreamReading({
      arrivals,
      cursor,
      resumption,
      tip: request(() => commands.tip()),
      read: (from) => request(() => read(from))
    })

    return {
      away,
      publish: (messages) =>
        Effect.asVoid(
          request(() =>
            Promise.all(
              messages.map(({ key, message, topic }) => commands.add(topic, encodePayload(message, "tagged"), key))
            )
          )
        ),
      presence: redisPresence(writer.client, commands.prefix),
      readHistory: (topic, query) =>
        Effect.tap(readHistory(commands, topic, query), (found) =>
          Effect.flatMap(
            request(() => commands.newest()),
            (newest) => {
              const id = isBefore(found.position, newest) ? found.position : newest
              return reading.until((last) => !isBefore(last, id))
            }
          )
        ),
      subscribe: (added) => reading.subscribe(added),
      unsubscribe: (filter) => reading.unsubscribe(filter),
      lost: Effect.raceAllFirst([writer.lost, reader.lost, reading.failure])
    }
  })

/** What became of what was published while there was no connection, and where to go on from. */
const resume = async (stream: StreamKey, reached: Reached<string> | undefined): Promise<Resumption<string>> => {
  const [run, tip] = await Promise.all([stream.run(), stream.tip()])
  if (reached === undefined) return { away: "kept", last: undefined, run }
  const { last, run: before } = reached
  if (isBefore(tip, last)) return { away: "forgotten", last: tip, run }
  // A server that was started anew may have lost what it hadn't written to its disk.
  if (run !== before) return { away: "forgotten", last, run }
  return { away: tip === last || (await stream.reaches(last)) ? "kept" : "forgotten", last, run }
}

/** A part of the history of a topic. */
const readHistory = (stream: StreamKey, topic: string, query: HistoryQuery): Effect.Effect<History, TopicError> => {
  const { from, last } = query
  if (from !== undefined && !isId(from)) return Effect.fail(invalidPosition(from))
  return request(async () => {
    const limit = query.limit ?? defaultLimit
    // Sent at once, and answered in order: what is added after the tip was read may be missing, but nothing before it.
    const [tip, entries, complete] = await Promise.all([
      stream.tip(),
      from === undefined ? stream.lastOf(topic, last) : stream.topicAfter(topic, from, limit),
      from === undefined ? true : stream.keepsAllAfter(topic, from)
    ])
    const messages: Array<Kept> = []
    for (const { id, payload } of entries) {
      const message = payload === undefined ? undefined : decodePayload(payload, "tagged")
      if (message !== undefined) messages.push({ topic, message, position: id })
    }
    const newest = entries.at(-1)?.id ?? beginning
    const position = (from !== undefined && entries.length >= limit) || isBefore(tip, newest) ? newest : tip
    return { messages, position, complete }
  })
}
