import { connect, createInbox, type NatsConnection } from "@nats-io/transport-node"
import { type ClientOptions, clientOptions } from "./natsClient.ts"

/** Milliseconds that another server may take. One that takes longer is not asked again over this connection. */
const timeLimit = 2000

/** Milliseconds before a probe is sent again, which doubles. */
const firstPause = 1

/**
 * Confirms through the other servers of a cluster that they know what was subscribed to on this connection: a ping speaks only for the
 * server that it is sent to. A probe is subscribed to after the filters, and published through each other server until it arrives; that
 * server has processed the filters by then, since servers pass subscriptions on in order.
 */
export class NatsCluster {
  private readonly connection: NatsConnection
  private readonly client: ClientOptions
  /** A connection to each other server, by its URL; `undefined` for this one and for those that do not answer. */
  private readonly others = new Map<string, Promise<NatsConnection | undefined>>()
  private next: Promise<void> | undefined = undefined

  constructor(connection: NatsConnection, client: ClientOptions) {
    this.connection = connection
    this.client = client
  }

  /** Resolves when every other server that answers knows what was subscribed to before. Callers of one turn share the probe. */
  confirm(): Promise<void> {
    return (this.next ??= Promise.resolve().then(() => {
      this.next = undefined
      return this.probe()
    }))
  }

  async close(): Promise<void> {
    const others = await Promise.all(this.others.values())
    await Promise.allSettled(others.map((other) => other?.close()))
  }

  private async probe(): Promise<void> {
    const urls = this.connection.info?.connect_urls ?? []
    if (urls.length < 2) return
    const found = await Promise.all(urls.map(async (url) => [url, await this.other(url)] as const))
    const others = found.flatMap(([url, other]) => (other === undefined ? [] : [{ url, other }]))
    if (others.length === 0) return
    const waiting = new Set(others.map(({ url }) => url))
    const subject = createInbox(this.client.inboxPrefix)
    const subscription = this.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) waiting.delete(message.string())
      }
    })
    try {
      const until = Date.now() + timeLimit
      for (let pause = firstPause; waiting.size > 0 && Date.now() < until; pause = Math.min(2 * pause, 50)) {
        for (const { other, url } of others) if (waiting.has(url) && !other.isClosed()) other.publish(subject, url)
        await Promise.all(others.map(({ other }) => other.flush().catch(() => {})))
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
      for (const { other, url } of others) {
        if (!waiting.has(url)) continue
        this.others.set(url, Promise.resolve(undefined))
        await other.close()
      }
    } finally {
      if (!this.connection.isClosed()) subscription.unsubscribe()
    }
  }

  private other(url: string): Promise<NatsConnection | undefined> {
    const known = this.others.get(url)
    if (known !== undefined) return known
    const opened = this.open(url)
    this.others.set(url, opened)
    // A server that went away may come back under the same URL; one that was given up is not asked again.
    const forget = (): void => {
      if (this.others.get(url) === opened) this.others.delete(url)
    }
    void opened.then((other) => other?.closed().then(forget, forget))
    return opened
  }

  private async open(url: string): Promise<NatsConnection | undefined> {
    try {
      const options = { ...clientOptions(this.client), servers: url, ignoreClusterUpdates: true, timeout: timeLimit }
      const other = await connect(options)
      if (other.info?.server_id !== this.connection.info?.server_id) return other
      await other.close()
      return undefined
    } catch {
      return undefined
    }
  }
}
