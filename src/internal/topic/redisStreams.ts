import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { messageOf } from "../messageOf.ts"
import type { TopicError } from "./error.ts"
import { Filters } from "./filters.ts"
import type { Arrivals, Driver, Wire } from "./link.ts"
import { nameViolation } from "./name.ts"
import { decodePayload, encodePayload } from "./payload.ts"
import { type Client, type ClientOptions, open, redisName, request } from "./redisClient.ts"

/** How topics are kept in a stream. */
export interface StreamsOptions {
  readonly client: ClientOptions
  /** The stream that all topics are in. */
  readonly key: string
  /** About how many messages are kept. */
  readonly maxLength: number
}

const topicField = "topic"
const messageField = "message"

/** Before anything in a stream. */
const beginning = "0-0"

/** Most messages of one read. */
const batchSize = 500

/** Milliseconds that a read waits for something to read. */
const readTimeout = 5000

/** Where this process is in the stream, and in which run of the server that was. */
interface Position {
  /** The last message read. */
  last: string
  run: string
}

/**
 * All topics in one stream, which every process reads from where it was. Each reads all of it: what it has no subscribers for
 * it drops.
 */
export const streamsDriver = (options: StreamsOptions): Driver => {
  const position: Position = { last: beginning, run: "" }
  return { name: redisName, connect: (arrivals) => connect(options, position, arrivals) }
}

const connect = (
  { client, key, maxLength }: StreamsOptions,
  position: Position,
  arrivals: Arrivals
): Effect.Effect<Wire, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const options: ClientOptions = { ...client, RESP: 2 }
    const writer = yield* open(options)
    const reader = yield* open(options)
    const failed = yield* Deferred.make<TopicError>()
    const stream = new StreamKey(reader.client, key)
    const { away, ...here } = yield* request(() => resume(stream, position))
    // A user who may not read fails here, not after the first subscription was answered.
    yield* request(() => Promise.all([stream.next(here.last), stream.reaches(here.last)]))
    const filters = new Filters<{ readonly filter: string }>()

    const deliver = ({ payload, topic }: Entry): void => {
      if (payload === undefined || nameViolation(topic) !== undefined) return
      const matching = filters.matching(topic)
      if (matching.length === 0) return
      const message = decodePayload(payload, "tagged")
      if (message === undefined) return
      for (const { filter } of matching) arrivals.message(filter, topic, message)
    }

    /** Whether the gap before the next read is told of already. */
    let told = away === "forgotten"
    const read = async (): Promise<never> => {
      while (true) {
        const { last } = position
        const [entries, kept] = await Promise.all([stream.after(last), stream.reaches(last)])
        if (entries.length > 0) {
          if (!kept && !told && last !== beginning) arrivals.gap("forgotten", undefined)
          told = false
        }
        for (const entry of entries) {
          position.last = entry.id
          deliver(entry)
        }
      }
    }
    let reading = false

    return {
      away,
      publish: (messages) =>
        Effect.asVoid(
          request(() =>
            Promise.all(
              messages.map(({ message, topic }) => {
                const payload = encodePayload(message, "tagged")
                const limit = ["MAXLEN", "~", String(maxLength)]
                return writer.client.sendCommand(["XADD", key, ...limit, "*", topicField, topic, messageField, payload])
              })
            )
          )
        ),
      subscribe: (added) =>
        Effect.sync(() => {
          for (const filter of added) filters.add({ filter })
          if (reading) return []
          reading = true
          // From now on what is missing is told.
          position.last = here.last
          position.run = here.run
          Effect.runFork(request(read)).addObserver((exit) => {
            const error = Exit.findErrorOption(exit)
            if (Option.isSome(error)) Deferred.doneUnsafe(failed, Effect.succeed(error.value))
          })
          return []
        }),
      unsubscribe: (filter) =>
        Effect.sync(() => {
          const known = filters.get(filter)
          if (known !== undefined) filters.delete(known)
        }),
      lost: Effect.raceAllFirst([writer.lost, reader.lost, Deferred.await(failed)])
    }
  })

/** What became of what was published while there was no connection, and where to go on from. */
const resume = async (stream: StreamKey, { last, run: before }: Position): Promise<Position & Pick<Wire, "away">> => {
  const [run, tip] = await Promise.all([stream.run(), stream.tip()])
  if (before === "") return { away: "kept", last: tip, run }
  if (isBefore(tip, last)) return { away: "forgotten", last: tip, run }
  // A server that was started anew may have lost what it hadn't written to its disk.
  if (run !== before) return { away: "forgotten", last, run }
  return { away: tip === last || (await stream.reaches(last)) ? "kept" : "forgotten", last, run }
}

/** One message of the stream. */
interface Entry {
  readonly id: string
  readonly topic: string
  readonly payload: Buffer | undefined
}

/** The commands of one stream. */
class StreamKey {
  private readonly client: Client
  private readonly key: string

  constructor(client: Client, key: string) {
    this.client = client
    this.key = key
  }

  /** The next messages after this one; waits for some time when there are none. */
  after(last: string): Promise<ReadonlyArray<Entry>> {
    return this.read(last, ["COUNT", String(batchSize), "BLOCK", String(readTimeout)])
  }

  /** The next message after this one, if there is one. */
  next(last: string): Promise<ReadonlyArray<Entry>> {
    return this.read(last, ["COUNT", "1"])
  }

  private async read(last: string, limits: ReadonlyArray<string>): Promise<ReadonlyArray<Entry>> {
    const [stream] = listOf(await this.send("XREAD", ...limits, "STREAMS", this.key, last))
    const [, entries] = listOf(stream)
    return listOf(entries).map((entry) => {
      const [id, fields] = listOf(entry)
      return {
        id: textOf(id),
        topic: textOf(fieldOf(fields, topicField)),
        payload: bytesOf(fieldOf(fields, messageField))
      }
    })
  }

  /** Whether this message, or one before it, is in the stream still, so that none behind it was trimmed. */
  async reaches(last: string): Promise<boolean> {
    return listOf(await this.send("XRANGE", this.key, "-", last, "COUNT", "1")).length > 0
  }

  /** The last message that there ever was. */
  async tip(): Promise<string> {
    try {
      return textOf(fieldOf(await this.send("XINFO", "STREAM", this.key), "last-generated-id"))
    } catch (error) {
      if (/no such key/i.test(messageOf(error))) return beginning
      throw error
    }
  }

  /** Which run of the server this is. */
  async run(): Promise<string> {
    const [, run = ""] = /^run_id:(\w+)/m.exec(textOf(await this.send("INFO", "server"))) ?? []
    return run
  }

  private send(...command: ReadonlyArray<string>): Promise<unknown> {
    return this.client.sendCommand(command, { typeMapping: asBuffers })
  }
}

/** Has a reply's strings, which RESP marks with `$`, come as bytes. As an option of the command, since `redis` 5.0 ignores that of the client. */
const asBuffers = { 36: Buffer } as const

// Replies, as far as they are what they should be.

const listOf = (reply: unknown): ReadonlyArray<unknown> => (Array.isArray(reply) ? reply : [])

const bytesOf = (reply: unknown): Buffer | undefined => (reply instanceof Buffer ? reply : undefined)

const textOf = (reply: unknown): string => bytesOf(reply)?.toString() ?? ""

/** A value out of a list of names and values. */
const fieldOf = (reply: unknown, name: string): unknown => {
  const list = listOf(reply)
  const at = list.findIndex((item, at) => at % 2 === 0 && textOf(item) === name)
  return at < 0 ? undefined : list[at + 1]
}

/** Whether one id of a stream comes before another: milliseconds, then a count. */
const isBefore = (one: string, other: string): boolean => {
  const [time, count] = partsOf(one)
  const [otherTime, otherCount] = partsOf(other)
  return time < otherTime || (time === otherTime && count < otherCount)
}

const partsOf = (id: string): readonly [bigint, bigint] => {
  const [time = "0", count = "0"] = id.split("-")
  return [BigInt(time), BigInt(count)]
}
