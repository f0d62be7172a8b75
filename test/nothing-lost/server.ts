// One server of a run, in a process of its own: it talks on all connections, and drains when it is told to.
import { Receiver, Sender } from "./ledger.ts"
import { messageOf, readMessage } from "./messages.ts"
import { type FromServer, type ServedEnd, type ServerOrder, slowness, slowSend, type ToServer } from "./protocol.ts"
import { type Served, servers, type Told } from "./servers.ts"

const order = JSON.parse(process.argv[2] ?? "{}") as ServerOrder

/** Milliseconds between two turns. */
const turn = 20

/** Sends of one connection that may be under way. */
const mostPending = 20

/** The connection that a fault is planted on, and the number of the message. */
const planted = { connection: "0.0", number: 2 }

const tell = (message: FromServer, then = (): void => {}): void => void process.send?.(message, then)

let drainBegan: number | undefined
let [opened, broken, waited, longestWait] = [0, 0, 0, 0]
const receivers: Array<Receiver> = []
const senders: Array<Sender> = []
const ends: Array<ServedEnd> = []

class Talk implements Told {
  readonly sender: Sender
  /** The client wants many large messages. */
  readonly large: boolean
  /** The client sends many, and is read only half of the time. */
  readonly slow: boolean
  private readonly connection: string
  private readonly served: Served
  private receiver: Receiver | undefined = undefined
  private count = 0
  private heldBack: (() => void) | undefined = undefined

  constructor(path: string, served: Served) {
    const [, connection = "", way] = path.split("/")
    this.connection = connection
    this.large = way === "large"
    this.slow = way === "slow"
    this.served = served
    this.sender = new Sender(`s${connection}${this.large ? "L" : ""}`)
    senders.push(this.sender)
    open.add(this)
    opened++
  }

  get canSend(): boolean {
    return this.sender.pending < mostPending
  }

  send(): void {
    const { sender, served } = this
    this.count++
    const number = sender.next()
    const message = messageOf(sender.stream, number)
    const began = performance.now()
    const done = (sent: boolean): void => {
      sender.settled(number, sent)
      const took = performance.now() - began
      if (took > slowSend) waited++
      if (took > longestWait) longestWait = took
    }
    if (order.plant !== undefined && this.connection === planted.connection && number === planted.number) {
      return this.misbehave(message, done)
    }
    served.send(message, done)
    this.heldBack?.()
    this.heldBack = undefined
  }

  /** Reads on, or no further. */
  read(on: boolean): void {
    if (on) this.served.resume()
    else this.served.pause()
  }

  /** Sends large messages as long as the transport takes them. */
  sendLarge(): void {
    while (this.canSend && this.count < order.largeMessages) this.send()
  }

  readonly message = (data: string | Uint8Array): void => {
    const message = readMessage(data)
    if (message === undefined) {
      broken++
      return
    }
    if (this.receiver?.stream !== message.stream) {
      this.receiver = new Receiver(message.stream)
      receivers.push(this.receiver)
    }
    this.receiver.received(message.number)
  }

  readonly closed = (code: number): void => {
    open.delete(this)
    // Whoever reads slowly reads to the end.
    this.read(true)
    const after = drainBegan === undefined ? undefined : performance.now() - drainBegan
    ends.push({ connection: this.connection, code, after })
  }

  private misbehave(message: string | Uint8Array, done: (sent: boolean) => void): void {
    const { served } = this
    switch (order.plant) {
      case "drop":
        return done(true)
      case "dup":
        served.send(message, () => {})
        return served.send(message, done)
      case "reorder":
        this.heldBack = () => served.send(message, done)
        return
      case "close":
        return served.close()
    }
  }
}

const open = new Set<Talk>()

const server = await servers[order.server](order.port, order.deadline, (path, served) => new Talk(path, served))

let debt = 0
const talking = setInterval(() => {
  const all = [...open]
  if (all.length === 0) return
  // A turn that comes late sends no more for it.
  debt = Math.min(debt + (order.rate * turn) / 1000, order.rate / 10)
  for (; debt >= 1; debt--) {
    const talk = all[Math.floor(Math.random() * all.length)]
    if (talk?.canSend === true && !talk.large) talk.send()
  }
  for (const talk of all) if (talk.large) talk.sendLarge()
}, turn)

let reads = true
setInterval(() => {
  reads = !reads
  for (const talk of open) if (talk.slow) talk.read(reads)
}, slowness)

const drain = async (): Promise<void> => {
  const openAtDrain = open.size
  // What is sent in the breath before still counts; and the talk goes on.
  for (const talk of open) for (let count = 0; count < 2; count++) if (talk.canSend) talk.send()
  drainBegan = performance.now()
  await server.drain()
  clearInterval(talking)
  // The server may be gone some ticks before the last connection has told so.
  while (open.size > 0 && performance.now() < drainBegan + order.deadline) await new Promise(setImmediate)
  const report = {
    opened,
    openAtDrain,
    drained: performance.now() - drainBegan,
    senders: senders.map((sender) => sender.toJSON()),
    receivers: receivers.map((receiver) => receiver.toJSON()),
    ends,
    broken,
    waited,
    longestWait
  }
  tell({ _tag: "drained", report }, () => process.exit(0))
}

process.on("message", (message: ToServer) => {
  if (message._tag === "drain") void drain()
})
process.on("disconnect", () => process.exit(1))
tell({ _tag: "listening", port: server.port })
