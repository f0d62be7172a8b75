// All clients of a run, in a process of their own: they connect, talk, read slowly, leave, and come back.
import { Receiver, Sender } from "./ledger.ts"
import { type Incarnation, type Link, links } from "./links.ts"
import { messageOf, readMessage } from "./messages.ts"
import {
  type ClientEnd,
  type ClientsOrder,
  type ClientsReport,
  type FromClients,
  type Kind,
  kinds,
  slowness,
  type ToClients
} from "./protocol.ts"

const order = JSON.parse(process.argv[2] ?? "{}") as ClientsOrder

/** Connections that are opened at a time: fewer than a listening socket keeps waiting. */
const mostOpening = 64

/** Sends of one client that may be under way. */
const mostPending = 20

/** Milliseconds between two turns. */
const turn = 20

/** Milliseconds until those whose server has gone come back: all of them at once would be too many. */
const pause = Math.min(200 + order.connections / 4, 1500)

const tell = (message: FromClients, then = (): void => {}): void => void process.send?.(message, then)

const senders: Array<Sender> = []
const receivers: Array<Receiver> = []
const ends: Array<ClientEnd> = []
let [opening, broken, refused, halfway, received, sent] = [0, 0, 0, 0, 0, 0]
let churn = false
let last = false
let stopped = false

class Client {
  readonly index: number
  readonly kind: Kind
  private readonly compression: boolean
  /** Reads only half of the time. */
  readonly slow: boolean
  /** Wants many large messages; and is slow, so that the server has to wait for it. */
  readonly large: boolean
  /** Sends many large messages to a server that reads its connection slowly, so that it has to wait itself. */
  readonly eager: boolean
  link: Link | undefined = undefined
  /** The link before, whose reader may not have read everything yet. */
  private latest: Link | undefined = undefined
  private incarnation = 0
  /** Messages given to `send` on this connection. */
  private sent = 0
  private asked = false
  /** Whether it counts as one that is being opened; a link that comes back of itself doesn't. */
  private counted = false
  private sender: Sender
  private receiver: Receiver | undefined = undefined

  constructor(index: number) {
    this.index = index
    this.kind = kinds[index % kinds.length] ?? "effect"
    const group = Math.floor(index / kinds.length)
    this.large = group % 500 === 0
    this.eager = group % 500 === 2
    this.compression = group % 10 === 5
    this.slow = this.large || group % 10 === 1
    this.sender = new Sender(`r${index}${this.eager ? "L" : ""}`)
    if (this.kind === "reconnecting") senders.push(this.sender)
  }

  open(): void {
    this.count(true)
    links[this.kind]({
      // Every source address has ports of its own; only Linux has all of 127.0.0.0/8.
      localAddress: process.platform === "linux" ? `127.0.0.${2 + (this.index % 8)}` : undefined,
      compression: this.compression,
      pause,
      next: () => this.next(),
      message: (data) => this.received(data),
      halfway: () => halfway++
    })
  }

  /** Open, and not about to leave. */
  get isOpen(): boolean {
    return this.link !== undefined && !this.asked
  }

  get canSend(): boolean {
    return this.isOpen && this.sender.pending < mostPending
  }

  send(): void {
    const { link, sender } = this
    if (link === undefined) return
    this.sent++
    const number = sender.next()
    link.send(messageOf(sender.stream, number), (isSent) => {
      if (isSent) sent++
      sender.settled(number, isSent)
    })
  }

  /** Sends large messages as long as the transport takes them. */
  sendLarge(): void {
    while (this.canSend && this.sent < order.largeMessages) this.send()
  }

  /** Reads on, or no further. */
  read(on: boolean): void {
    if (on) this.link?.resume()
    else this.link?.pause()
  }

  /** Lets the reader read to the end. */
  readOn(): void {
    this.latest?.resume()
  }

  leave(): void {
    if (this.asked || this.link === undefined) return
    this.asked = true
    this.link.close()
  }

  private next(): Incarnation {
    const connection = `${this.index}.${this.incarnation++}`
    const stream = this.kind === "reconnecting" ? this.sender.stream : `c${connection}${this.eager ? "L" : ""}`
    return {
      url: `ws://127.0.0.1:${order.port}/${connection}/${this.large ? "large" : this.eager ? "slow" : ""}`,
      opened: (link) => {
        this.sent = 0
        this.count(false)
        if (this.kind !== "reconnecting") {
          this.sender = new Sender(stream)
          senders.push(this.sender)
        }
        this.asked = false
        this.readOn()
        this.link = this.latest = link
      },
      closed: (code) => {
        ends.push({ connection, kind: this.kind, code, asked: this.asked })
        this.link = undefined
        if (this.asked || this.kind !== "reconnecting") this.comeBack(Math.random() * pause)
      },
      failed: () => {
        refused++
        if (this.kind === "reconnecting") return
        this.count(false)
        this.comeBack(100 + Math.random() * 400)
      }
    }
  }

  private count(counted: boolean): void {
    if (counted !== this.counted) opening += counted ? 1 : -1
    this.counted = counted
  }

  private comeBack(delay: number): void {
    setTimeout(() => queue.push(this), delay)
  }

  private received(data: string | Uint8Array): void {
    received++
    const message = readMessage(data)
    const connections = `s${this.index}.`
    const expected = `${connections}${this.incarnation - 1}${this.large ? "L" : ""}`
    const isOurs = this.kind === "reconnecting" ? message?.stream.startsWith(connections) : message?.stream === expected
    if (message === undefined || isOurs !== true) {
      broken++
      return
    }
    if (this.receiver?.stream !== message.stream) {
      this.receiver = new Receiver(message.stream)
      receivers.push(this.receiver)
    }
    this.receiver.received(message.number)
  }
}

const clients = Array.from({ length: order.connections }, (_, index) => new Client(index))

const eager = clients.filter(({ eager }) => eager)

/** Those who want to connect. */
const queue: Array<Client> = [...clients]

const openCount = (): number => clients.reduce((count, { isOpen }) => count + (isOpen ? 1 : 0), 0)

setInterval(() => {
  if (last) return
  for (const client of queue.splice(0, mostOpening - opening)) client.open()
}, turn)

const anyone = (): Client | undefined => clients[Math.floor(Math.random() * clients.length)]

let debt = 0
setInterval(() => {
  if (stopped) return
  // A turn that comes late sends no more for it.
  debt = Math.min(debt + (order.rate * turn) / 1000, order.rate / 10)
  for (; debt >= 1; debt--) {
    const client = anyone()
    if (client?.canSend === true && !client.eager) client.send()
  }
  for (const client of eager) client.sendLarge()
  if (churn && Math.random() < 0.5) {
    const leaver = anyone()
    if (leaver?.large === false && !leaver.eager) leaver.leave()
  }
}, turn)

let reads = true
const pacing = setInterval(() => {
  reads = !reads
  for (const client of clients) if (client.slow) client.read(reads)
}, slowness)

setInterval(() => tell({ _tag: "status", open: openCount(), churn, received, sent }), 200)

/** Everybody sends, in slices, so that close frames and messages cross. */
const burst = (from: number): void => {
  for (const client of clients.slice(from, from + 500)) {
    for (let count = 0; count < 2; count++) if (client.canSend) client.send()
  }
  if (from + 500 < clients.length) setImmediate(burst, from + 500)
}

const report = (): ClientsReport => ({
  senders: senders.map((sender) => sender.toJSON()),
  receivers: receivers.map((receiver) => receiver.toJSON()),
  ends,
  broken,
  refused,
  halfway
})

/**
 * Waits until no message is read in many turns of the event loop: those that came before a connection closed may still be.
 * The servers are gone, so that all of them are in this process or in its sockets.
 */
const whenQuiet = (then: () => void, turns = 0, before = received): void => {
  if (turns === 500) return then()
  // A timer, too: not everything happens in the next turn.
  setTimeout(() => whenQuiet(then, received === before ? turns + 1 : 0, received), 1)
}

process.on("message", (message: ToClients) => {
  switch (message._tag) {
    case "talk":
      churn = message.churn
      break
    case "drain":
      churn = false
      last = message.last
      burst(0)
      break
    case "report":
      stopped = true
      clearInterval(pacing)
      for (const client of clients) client.readOn()
      whenQuiet(() => tell({ _tag: "report", report: report() }, () => process.exit(0)))
  }
})
process.on("disconnect", () => process.exit(1))
