import { refused } from "./failure.ts"
import type { Refusal } from "./link.ts"
import { isPattern, matches, nameViolation } from "./name.ts"
import { type Client, isFinal, redisName } from "./redisClient.ts"

/** Called with each message and the filter that it is for. */
type Receiver = (filter: string, topic: string, payload: Buffer) => void

/** A channel or a glob of Redis, and the filters that share it. */
interface Channel {
  readonly filters: Set<string>
  readonly subscribe: () => Promise<void>
  readonly unsubscribe: () => Promise<void>
  /** The last command. Each waits for the one before it, so that the client's listeners never overlap. */
  last: Promise<void>
}

/**
 * What one connection is subscribed to. A filter that is a name is a channel; one that is a pattern shares a glob with others, which is
 * subscribed to with the first of them and unsubscribed from with the last.
 */
export class RedisChannels {
  private readonly client: Client
  private readonly prefix: string
  private readonly receive: Receiver
  private readonly channels = new Map<string, Channel>()

  constructor(client: Client, prefix: string, receive: Receiver) {
    this.client = client
    this.prefix = prefix
    this.receive = receive
  }

  /** Subscribes to filters; resolves with those that Redis refused. */
  async add(filters: ReadonlyArray<string>): Promise<ReadonlyArray<Refusal>> {
    const results = await Promise.all(filters.map((filter) => this.addOne(filter)))
    return results.filter((refusal) => refusal !== undefined)
  }

  remove(filter: string): Promise<void> {
    const key = this.keyOf(filter)
    const channel = this.channels.get(key)
    if (channel === undefined || !channel.filters.delete(filter) || channel.filters.size > 0) return Promise.resolve()
    const command = settled(channel.last).then(async () => {
      // A filter may have joined meanwhile.
      if (channel.filters.size === 0) await channel.unsubscribe()
    })
    channel.last = command
    return command.finally(() => this.forgetUnused(key, channel, command))
  }

  private async addOne(filter: string): Promise<Refusal | undefined> {
    const key = this.keyOf(filter)
    let channel = this.channels.get(key)
    if (channel === undefined) this.channels.set(key, (channel = this.open(filter, key)))
    const { filters, subscribe } = channel
    if (filters.size === 0) channel.last = settled(channel.last).then(subscribe)
    filters.add(filter)
    const command = channel.last
    try {
      await command
      return undefined
    } catch (cause) {
      if (!isFinal(cause)) throw cause
      filters.delete(filter)
      this.forgetUnused(key, channel, command)
      return { filter, error: refused(redisName, cause) }
    }
  }

  private open(filter: string, key: string): Channel {
    const { client } = this
    const filters = new Set<string>()
    if (!isPattern(filter)) {
      const listener = (payload: Buffer): void => {
        if (filters.size > 0) this.receive(filter, filter, payload)
      }
      return {
        filters,
        last: Promise.resolve(),
        subscribe: () => client.subscribe(key, listener, true),
        unsubscribe: () => client.unsubscribe(key, listener, true)
      }
    }
    const listener = (payload: Buffer, channel: Buffer): void => {
      const topic = channel.toString().slice(this.prefix.length)
      // Other programs may use names that are none here.
      if (nameViolation(topic) !== undefined) return
      for (const filter of filters) if (matches(filter, topic)) this.receive(filter, topic, payload)
    }
    return {
      filters,
      last: Promise.resolve(),
      subscribe: () => client.pSubscribe(key, listener, true),
      unsubscribe: () => client.pUnsubscribe(key, listener, true)
    }
  }

  private forgetUnused(key: string, channel: Channel, command: Promise<void>): void {
    if (channel.filters.size === 0 && channel.last === command) this.channels.delete(key)
  }

  /** The channel of a name, or a glob that stands for everything that the filter does, and more: its `*` goes on over dots. */
  private keyOf(filter: string): string {
    if (!isPattern(filter)) return this.prefix + filter
    return this.prefix.replaceAll(/[*?[\]\\]/g, "\\$&") + filter.replace(/>$/, "*")
  }
}

const settled = (command: Promise<void>): Promise<void> =>
  command.then(
    () => {},
    () => {}
  )
