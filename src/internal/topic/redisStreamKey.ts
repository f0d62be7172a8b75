import { messageOf } from "../messageOf.ts"
import { createHash } from "node:crypto"
import { keyTime } from "./publishKeys.ts"
import type { Client } from "./redisClient.ts"

/** Before anything in a stream. */
export const beginning = "0-0"

const topicField = "topic"
const messageField = "message"

/** Most messages of one read. */
const batchSize = 500

/** Milliseconds that a read waits for something to read. */
const readTimeout = 5000

/** How much of each topic is kept in a stream of its own. */
export interface TopicHistory {
  readonly maxMessages: number
  /** In milliseconds. */
  readonly maxAge: number
}

/**
 * Adds a message to the stream of all topics and, under the same id, to the one of its topic, unless its key is known. In one step, so
 * that ids are in order in both.
 */
const addScript = `
if redis.replicate_commands then redis.replicate_commands() end
local all, topic, key = KEYS[1], KEYS[2], KEYS[3]
local name, message, maxLength, maxMessages, maxAge, keyTime = unpack(ARGV)
if key then
  local known = redis.call('GET', key)
  if known then return known end
end
local id = redis.call('XADD', all, 'MAXLEN', '~', maxLength, '*', '${topicField}', name, '${messageField}', message)
if maxMessages ~= '0' then
  local added = redis.pcall('XADD', topic, 'MAXLEN', maxMessages, id, '${messageField}', message)
  if added.err then
    redis.call('DEL', topic)
    redis.call('XADD', topic, 'MAXLEN', maxMessages, id, '${messageField}', message)
  end
  redis.call('PEXPIRE', topic, maxAge)
end
if key then redis.call('SET', key, id, 'PX', keyTime) end
return id
`

const addScriptHash = createHash("sha1").update(addScript).digest("hex")

/** One message of a stream. */
export interface Entry {
  readonly id: string
  readonly topic: string
  readonly payload: Buffer | undefined
}

/** The commands of the stream of all topics, and of those of each topic. */
export class StreamKey {
  private readonly client: Client
  private readonly key: string
  /** What the keys of topics start with; in a cluster of Redis they are where the stream is. */
  readonly prefix: string
  private readonly maxLength: number
  private readonly history: TopicHistory | undefined

  constructor(client: Client, key: string, maxLength: number, history: TopicHistory | undefined) {
    this.client = client
    this.key = key
    this.prefix = /\{[^}]+\}/.test(key) ? key : `{${key}}`
    this.maxLength = maxLength
    this.history = history
  }

  /** Adds a message, unless its key is known. */
  async add(topic: string, payload: Buffer, key: string | undefined): Promise<void> {
    const { maxAge, maxMessages } = this.history ?? { maxAge: 0, maxMessages: 0 }
    const keys = [this.key, this.keyOf(topic)]
    if (key !== undefined) keys.push(`${this.prefix}:key:${key}`)
    const limits = [this.maxLength, maxMessages, maxAge, keyTime].map(String)
    const args = [String(keys.length), ...keys, topic, payload, ...limits]
    try {
      await this.client.sendCommand(["EVALSHA", addScriptHash, ...args])
    } catch (error) {
      if (!messageOf(error).startsWith("NOSCRIPT")) throw error
      await this.client.sendCommand(["EVAL", addScript, ...args])
    }
  }

  /** The last messages of a topic, the oldest first. */
  async lastOf(topic: string, count: number): Promise<ReadonlyArray<Entry>> {
    if (count === 0) return []
    const reply = await this.send("XREVRANGE", this.keyOf(topic), "+", "-", "COUNT", String(count))
    return entriesOf(reply).toReversed()
  }

  /** Messages of a topic after an id. */
  async topicAfter(topic: string, id: string, limit: number): Promise<ReadonlyArray<Entry>> {
    return entriesOf(await this.send("XRANGE", this.keyOf(topic), after(id), "+", "COUNT", String(limit)))
  }

  /** Whether no message of a topic after this id was forgotten. */
  async keepsAllAfter(topic: string, id: string): Promise<boolean> {
    const key = this.keyOf(topic)
    const [tip, reaches, info, isKnown] = await Promise.all([
      this.tip(),
      this.send("XRANGE", key, "-", id, "COUNT", "1"),
      this.info(key),
      id === beginning || this.reaches(id)
    ])
    if (isBefore(tip, id)) return false
    if (listOf(reaches).length > 0) return true
    if (!isKnown) return false
    // A topic expires after `maxAge` without a message.
    if (info === undefined) return Date.now() - Number(partsOf(id)[0]) < (this.history?.maxAge ?? 0)
    return fieldOf(info, "length") === fieldOf(info, "entries-added")
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
    return entriesOf(entries)
  }

  /** Whether this message, or one before it, is in the stream still, so that none after it was trimmed. */
  async reaches(last: string): Promise<boolean> {
    return listOf(await this.send("XRANGE", this.key, "-", last, "COUNT", "1")).length > 0
  }

  /** The last message that there ever was. */
  async tip(): Promise<string> {
    const info = await this.info(this.key)
    return info === undefined ? beginning : textOf(fieldOf(info, "last-generated-id"))
  }

  /** The last message that is kept. */
  async newest(): Promise<string> {
    const [newest] = entriesOf(await this.send("XREVRANGE", this.key, "+", "-", "COUNT", "1"))
    return newest?.id ?? beginning
  }

  /** Which run of the server this is. */
  async run(): Promise<string> {
    const [, run = ""] = /^run_id:(\w+)/m.exec(textOf(await this.send("INFO", "server"))) ?? []
    return run
  }

  private keyOf(topic: string): string {
    return `${this.prefix}:topic:${topic}`
  }

  /** What Redis says of a stream; `undefined` when there is none. */
  private async info(key: string): Promise<unknown> {
    try {
      return await this.send("XINFO", "STREAM", key)
    } catch (error) {
      if (/no such key/i.test(messageOf(error))) return undefined
      throw error
    }
  }

  private send(...command: ReadonlyArray<string>): Promise<unknown> {
    return this.client.sendCommand(command, { typeMapping: asBuffers })
  }
}

/** Has a reply's strings, which RESP marks with `$`, come as bytes. As an option of the command, since `redis` 5.0 ignores that of the client. */
const asBuffers = { 36: Buffer } as const

// Replies, as far as they are what they should be.

const entriesOf = (reply: unknown): ReadonlyArray<Entry> =>
  listOf(reply).map((entry) => {
    const [id, fields] = listOf(entry)
    return {
      id: textOf(id),
      topic: textOf(fieldOf(fields, topicField)),
      payload: bytesOf(fieldOf(fields, messageField))
    }
  })

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
export const isBefore = (one: string, other: string): boolean => {
  const [time, count] = partsOf(one)
  const [otherTime, otherCount] = partsOf(other)
  return time < otherTime || (time === otherTime && count < otherCount)
}

const partsOf = (id: string): readonly [bigint, bigint] => {
  const [time = "0", count = "0"] = id.split("-")
  return [BigInt(time), BigInt(count)]
}

/** Whether a text is an id of a stream. */
export const isId = (text: string): boolean => /^\d{1,19}-\d{1,19}$/.test(text)

/** The id right after another one. */
const after = (id: string): string => {
  const [time, count] = partsOf(id)
  return `${time}-${count + 1n}`
}
