import {
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  type JsMsg,
  type StreamConfig
} from "@nats-io/jetstream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { TopicError } from "./error.ts"
import { defaultLimit, invalidPosition } from "./history.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"
import type { BrokerPresence, History, HistoryQuery, Kept, Member } from "./model.ts"
import { natsName, type NatsSource, openNats, request } from "./natsClient.ts"
import { decodePayload, encodePayload } from "./payload.ts"
import { lease, presenceName } from "./presence.ts"
import { type Reached, type Resumption, StreamCursor } from "./streamCursor.ts"
import { StreamReading } from "./streamReading.ts"
import { keyTime } from "./publishKeys.ts"

/** How topics are kept in a stream of JetStream. */
export interface JetStreamOptions extends NatsSource {
  readonly prefix: string
  /** The name of the stream. */
  readonly stream: string
  readonly maxMessages: number
  /** In milliseconds. */
  readonly maxAge: number
  /** Milliseconds that a request may take: longer than the limits of a link, which counts an answer that does not come as a lost connection. */
  readonly requestTimeout: number
}

/** Nanoseconds in a millisecond. */
const nanos = 1_000_000

/** Milliseconds for which messages that are there are fetched. */
const fetchTimeout = 5000

/** All topics in one stream, which every process reads from where it was. */
export const jetStreamDriver = (options: JetStreamOptions): Driver => {
  const cursor = new StreamCursor<number>()
  return {
    name: natsName,
    idempotent: true,
    hasPresence: true,
    isAfter: (one, other) => (partsOf(one)?.seq ?? 0) > (partsOf(other)?.seq ?? 0),
    connect: (arrivals) => connect(options, cursor, arrivals)
  }
}

const connect = (
  options: JetStreamOptions,
  cursor: StreamCursor<number>,
  arrivals: Arrivals
): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const { prefix, requestTimeout: timeout, stream } = options
    const { connection, lost } = yield* openNats(options)
    // A connection that was given goes on, and the reading on it would.
    const ending = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (ending) => Effect.sync(() => ending.abort())
    )
    const client = jetstream(connection, { timeout })
    const manager = yield* request(() => client.jetstreamManager())
    yield* request(() => ensureStreams(manager, options))
    const tip = request(() => tipOf(manager, stream))
    const resumption = resume(yield* tip, cursor.reached)
    const { away, run: created } = resumption

    const read = async (from: number): Promise<void> => {
      const consumer = await client.consumers.get(stream, {
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: from + 1
      })
      const messages = await consumer.consume()
      if (ending.signal.aborted) return messages.stop()
      ending.signal.addEventListener("abort", () => messages.stop())
      let last = from
      for await (const { data, info, seq, subject } of messages) {
        if (ending.signal.aborted) return
        // What is missing in between was more than is kept of a topic.
        if (seq > last + 1 && last > 0) arrivals.gap("forgotten", undefined)
        last = seq
        reading.deliver(seq, subject.slice(prefix.length), data, positionOf(created, seq))
        reading.advance(info.pending === 0)
      }
    }

    const reading = new StreamReading({
      arrivals,
      cursor,
      resumption,
      tip: Effect.map(tip, ({ last }) => last),
      read: (from) => request(() => read(from))
    })

    return {
      away,
      publish: (messages) =>
        Effect.asVoid(
          request(() =>
            Promise.all(
              messages.map(({ key, message, topic }) =>
                client.publish(prefix + topic, encodePayload(message, "tagged"), {
                  timeout,
                  ...(key === undefined ? {} : { msgID: key })
                })
              )
            )
          )
        ),
      subscribe: (added) => reading.subscribe(added),
      unsubscribe: (filter) => reading.unsubscribe(filter),
      presence: jetStreamPresence(client, manager, options),
      readHistory: (topic, query) =>
        Effect.tap(readHistory(client, manager, options, topic, query), ({ position }) =>
          reading.until((last) => last >= (partsOf(position)?.seq ?? 0))
        ),
      lost: Effect.raceFirst(lost, reading.failure)
    }
  })

/** What became of what was published while there was no connection: a stream that was made anew starts from the beginning. */
const resume = (
  { created, last }: { readonly created: string; readonly last: number },
  reached: Reached<number> | undefined
): Resumption<number> => {
  if (reached === undefined) return { away: "kept", last: undefined, run: created }
  if (reached.run !== created) return { away: "forgotten", last: 0, run: created }
  return last < reached.last
    ? { away: "forgotten", last, run: created }
    : { away: "kept", last: reached.last, run: created }
}

/** Messages that are asked for one by one, which costs less than a consumer for as many. */
const singly = 16

const presenceStream = (stream: string): string => `${stream}-presence`

/** Makes the streams, where they aren't there. Those that are there are used as they are. */
const ensureStreams = async (
  manager: JetStreamManager,
  { maxAge, maxMessages, prefix, stream }: JetStreamOptions
): Promise<void> => {
  await ensureStream(manager, {
    name: stream,
    subjects: [`${prefix}>`],
    max_msgs_per_subject: maxMessages,
    max_age: Math.ceil(maxAge) * nanos,
    duplicate_window: Math.min(keyTime, Math.ceil(maxAge)) * nanos,
    allow_direct: true
  })
  await ensureStream(manager, {
    name: presenceStream(stream),
    subjects: [`${presenceStream(stream)}.>`],
    max_msgs_per_subject: 1,
    max_age: lease * nanos,
    duplicate_window: lease * nanos,
    allow_direct: true
  })
}

const ensureStream = async (manager: JetStreamManager, config: Partial<StreamConfig> & { name: string }) => {
  const isThere = async (): Promise<boolean> => {
    try {
      await manager.streams.info(config.name)
      return true
    } catch {
      return false
    }
  }
  if (await isThere()) return
  try {
    await manager.streams.add(config)
  } catch (error) {
    // Another process may have made it meanwhile.
    if (!(await isThere())) throw error
  }
}

/** The last message of a stream, and which stream it is. */
const tipOf = async (manager: JetStreamManager, stream: string) => {
  const { created, state } = await manager.streams.info(stream)
  return { created: Date.parse(created).toString(36), last: state.last_seq, first: state.first_seq }
}

const positionOf = (created: string, seq: number): string => `${created}-${seq}`

const partsOf = (position: string): { readonly created: string; readonly seq: number } | undefined => {
  const [, created, seq] = /^([\da-z]{1,12})-(\d{1,15})$/.exec(position) ?? []
  return created === undefined || seq === undefined ? undefined : { created, seq: Number(seq) }
}

/** The next message of a subject from a number on. */
const nextOf = (manager: JetStreamManager, stream: string, subject: string, seq: number) =>
  manager.direct.getMessage(stream, { seq, next_by_subj: subject })

/** Messages of a subject from a number up to another one, at most so many of them. */
const messagesOf = async (
  client: JetStreamClient,
  stream: string,
  subject: string,
  { first, last, limit }: { readonly first: number; readonly last: number; readonly limit: number }
): Promise<ReadonlyArray<JsMsg>> => {
  const consumer = await client.consumers.get(stream, {
    filter_subjects: subject,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: first
  })
  try {
    const found: Array<JsMsg> = []
    const count = Math.min((await consumer.info()).num_pending, limit)
    if (count === 0) return found
    for await (const message of await consumer.fetch({ max_messages: count, expires: fetchTimeout })) {
      if (message.seq <= last) found.push(message)
      if (message.seq >= last || found.length >= count || message.info.pending === 0) break
    }
    return found
  } finally {
    await consumer.delete()
  }
}

/** A part of the history of a topic. */
const readHistory = (
  client: JetStreamClient,
  manager: JetStreamManager,
  { maxMessages, prefix, stream }: JetStreamOptions,
  topic: string,
  query: HistoryQuery
): Effect.Effect<History, TopicError> => {
  const from = query.from === undefined ? undefined : partsOf(query.from)
  if (query.from !== undefined && from === undefined) return Effect.fail(invalidPosition(query.from))
  return request(async () => {
    const subject = prefix + topic
    const { created, first, last } = await tipOf(manager, stream)
    const isKnown = from !== undefined && from.created === created && from.seq <= last
    const limit = query.from === undefined ? Infinity : (query.limit ?? defaultLimit)
    const isNothing = query.last === 0 || (isKnown && from.seq === last)
    const range = { first: isKnown ? from.seq + 1 : 1, last, limit }
    const found = isNothing ? [] : await messagesOf(client, stream, subject, range)
    const messages = found.flatMap(({ data, seq }): ReadonlyArray<Kept> => {
      const message = decodePayload(data, "tagged")
      return message === undefined ? [] : [{ topic, message, position: positionOf(created, seq) }]
    })
    const tip = positionOf(created, last)
    if (query.from === undefined) return { messages: messages.slice(-query.last), position: tip, complete: true }
    const earliest = isKnown && from.seq > 0 ? await nextOf(manager, stream, subject, 1) : null
    const reaches = earliest !== null && from !== undefined && earliest.seq <= from.seq
    return {
      messages,
      position: found.length >= limit ? (messages.at(-1)?.position ?? tip) : tip,
      complete: isKnown && (reaches || isNothing || (found.length < maxMessages && first <= from.seq + 1))
    }
  })
}

/** Who is present: the last message of a subject for each member; one without a name has left. */
const jetStreamPresence = (
  client: JetStreamClient,
  manager: JetStreamManager,
  { requestTimeout: timeout, stream }: JetStreamOptions
): BrokerPresence => {
  const name = presenceStream(stream)
  const subjectOf = (topic: string, id: string): string => `${name}.${presenceName(topic)}.${id}`
  const known = new Set<string>()
  return {
    put: (topic, members, removed) =>
      request(async () => {
        let changed = removed.length > 0
        for (const { id } of members) {
          changed ||= !known.has(id)
          known.add(id)
        }
        for (const id of removed) known.delete(id)
        await Promise.all([
          ...members.map((member) => client.publish(subjectOf(topic, member.id), member.name, { timeout })),
          ...removed.map((id) => client.publish(subjectOf(topic, id), "", { timeout }))
        ])
        return changed
      }),
    list: (topic) =>
      request(async () => {
        const subject = subjectOf(topic, "*")
        const found: Array<Pick<JsMsg, "string" | "subject">> = []
        let next = await nextOf(manager, name, subject, 1)
        while (next !== null && found.length < singly) {
          found.push(next)
          next = await nextOf(manager, name, subject, next.seq + 1)
        }
        if (next !== null) {
          found.push(...(await messagesOf(client, name, subject, { first: next.seq, last: Infinity, limit: Infinity })))
        }
        return found.flatMap((message): ReadonlyArray<Member> => {
          const member = message.string()
          return member === "" ? [] : [{ id: message.subject.slice(subject.length - 1), name: member }]
        })
      })
  }
}
