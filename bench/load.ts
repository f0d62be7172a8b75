// The process that puts load on a server: raw sockets, frames made beforehand, every byte that comes back compared.
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import {
  type Checker,
  CyclicChecker,
  DeflateChecker,
  DeflatedMessages,
  ExpectedBytes,
  maxRead,
  WrongEcho
} from "./workload/checker.ts"
import { encodeFrame, type MessageOptions, Outbox } from "./workload/frames.ts"
import type {
  Answer,
  BroadcastJob,
  EchoJob,
  HandshakeJob,
  IdleJob,
  LoadCommand,
  Measurement,
  Target,
  Window
} from "./workload/jobs.ts"
import { LatencyHistogram } from "./workload/latency.ts"
import { headerEnd, makeOpening, type Opening, verifyAnswer, WrongHandshake } from "./workload/upgrade.ts"
import { measureWindow } from "./workload/window.ts"
import type { Compression } from "./workload/frames.ts"

/** Reads of all plain connections land here: each is dealt with before the next one is made. */
const readBuffer = Buffer.allocUnsafe(maxRead)

/** Close with code 1000 (RFC 6455 §5.5.1), masked. */
const closeFrame = encodeFrame(0x88, Buffer.from([0x03, 0xe8]), true)

/** Longest wait for a peer to do anything, in milliseconds. */
const patience = 10_000

/** Each address of the loopback network has ephemeral ports of its own. */
const hostFor = (index: number): string => `127.0.0.${1 + (index % 16)}`

const openSocket = (target: Target, index: number, onRead: (chunk: Buffer) => void): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const host = hostFor(index)
    if (target.certificate === undefined) {
      const socket = connect({
        host,
        port: target.port,
        noDelay: true,
        onread: {
          buffer: readBuffer,
          callback: (bytes) => {
            onRead(readBuffer.subarray(0, bytes))
            return true
          }
        }
      })
      socket.once("error", reject)
      socket.once("connect", () => resolve(socket))
      return
    }
    const secure = connectTls({
      host,
      port: target.port,
      ca: target.certificate,
      servername: "localhost",
      checkServerIdentity: () => undefined
    })
    secure.setNoDelay(true)
    secure.on("data", onRead)
    secure.once("error", reject)
    secure.once("secureConnect", () => resolve(secure))
  })

/** One connection to the peer: it opens, then hands every chunk to its checker. */
class Connection {
  readonly checker: Checker
  readonly #opening: Opening
  readonly #compression: Compression
  readonly #onMessages: (connection: Connection, messages: number) => void
  #header: Buffer | undefined = Buffer.alloc(0)
  #opened: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined
  /** The first thing that went wrong. */
  failure: Error | undefined
  closed = false
  socket: Socket | undefined
  /** Messages sent and received. */
  sent = 0
  received = 0
  /** When the last message went out. */
  sentAt = 0

  constructor(
    checker: Checker,
    compression: Compression,
    onMessages: (connection: Connection, messages: number) => void
  ) {
    this.checker = checker
    this.#compression = compression
    this.#onMessages = onMessages
    this.#opening = makeOpening("localhost", compression)
  }

  async open(target: Target, index: number): Promise<void> {
    const socket = await openSocket(target, index, (chunk) => this.#read(chunk))
    this.socket = socket
    socket.on("error", (error) => this.fail(error))
    socket.on("close", () => {
      this.closed = true
      if (this.#header !== undefined) this.fail(new WrongHandshake("closed the connection during the handshake"))
    })
    await new Promise<void>((resolve, reject) => {
      this.#opened = resolve
      this.#failed = reject
      socket.write(this.#opening.request)
    })
  }

  fail(error: Error): void {
    this.failure ??= error
    this.#failed?.(this.failure)
  }

  #read(chunk: Buffer): void {
    if (this.failure !== undefined) return
    try {
      if (this.#header === undefined) {
        const messages = this.checker.take(chunk)
        this.received += messages
        if (messages > 0) this.#onMessages(this, messages)
        return
      }
      const header = Buffer.concat([this.#header, chunk])
      const end = headerEnd(header)
      this.#header = header
      if (end < 0) return
      this.#header = undefined
      verifyAnswer(header.toString("latin1", 0, end), this.#opening, this.#compression)
      if (end < header.length) this.#read(header.subarray(end))
      this.#opened?.()
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
    }
  }
}

const openAll = async (connections: ReadonlyArray<Connection>, target: Target, atOnce: number): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < connections.length) {
      const index = next++
      await connections[index]?.open(target, index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

const waitUntil = async (done: () => boolean, what: string): Promise<void> => {
  const end = performance.now() + patience
  while (!done()) {
    if (performance.now() > end) throw new WrongEcho(what)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Closing handshake on all of them; those that do not answer within half a second are cut. */
const closeAll = async (connections: ReadonlyArray<Connection>): Promise<void> => {
  for (const connection of connections) connection.fail(new Error("run ended"))
  for (const { socket } of connections) socket?.end(closeFrame)
  const end = performance.now() + 500
  while (connections.some((connection) => !connection.closed) && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  for (const { socket } of connections) socket?.destroy()
}

const failureOf = (connections: ReadonlyArray<Connection>): Error | undefined =>
  connections.find((connection) => connection.failure !== undefined)?.failure ??
  (connections.some((connection) => connection.closed)
    ? new WrongEcho("closed a connection in the middle of a run")
    : undefined)

const makeCheckers = (job: MessageOptions, target: Target, outbox: Outbox): (() => Checker) => {
  if (job.compression !== "off") {
    const shared = new DeflatedMessages({ payload: job.payload, compression: job.compression })
    return () => new DeflateChecker(shared)
  }
  const expected = new ExpectedBytes(job, target.verbatim ? { sent: outbox } : undefined)
  return () => new CyclicChecker(expected)
}

const echo = async (job: EchoJob, target: Target, window: Window): Promise<Measurement> => {
  const outbox = new Outbox(job, job.depth, true)
  const makeChecker = makeCheckers(job, target, outbox)
  const latency = job.depth === 1 ? new LatencyHistogram() : undefined
  let running = true
  let received = 0
  const send = (connection: Connection, messages: number): void => {
    connection.socket?.write(outbox.take(connection.sent, messages))
    connection.sent += messages
  }
  const connections = Array.from(
    { length: job.connections },
    () =>
      new Connection(makeChecker(), job.compression, (connection, messages) => {
        received += messages
        if (connection.received > connection.sent) throw new WrongEcho("sent more messages than it got")
        if (latency !== undefined) {
          const now = performance.now()
          latency.record(now - connection.sentAt)
          connection.sentAt = now
        }
        if (running) send(connection, messages)
      })
  )
  try {
    await openAll(connections, target, 16)
    for (const connection of connections) {
      connection.sentAt = performance.now()
      send(connection, job.depth)
    }
    const measurement = await measureWindow(target.pid, window, () => received, latency)
    running = false
    await waitUntil(
      () => failureOf(connections) !== undefined || connections.every(({ sent, received }) => sent === received),
      "did not send back all messages"
    )
    const failure = failureOf(connections)
    if (failure !== undefined) throw failure
    return measurement
  } finally {
    running = false
    await closeAll(connections)
  }
}

const broadcast = async (job: BroadcastJob, target: Target, window: Window): Promise<Measurement> => {
  const outbox = new Outbox(job, job.depth, true)
  const makeChecker = makeCheckers(job, target, outbox)
  let running = true
  let delivered = 0
  /** How many connections still wait for each message under way. */
  const missing = new Map<number, number>()
  let published = 0
  const connections: Array<Connection> = []
  const publish = (messages: number): void => {
    for (let i = 0; i < messages; i++) missing.set(published + i, connections.length)
    connections[0]?.socket?.write(outbox.take(published, messages))
    published += messages
  }
  const onMessages = (connection: Connection, messages: number): void => {
    delivered += messages
    let done = 0
    for (let index = connection.received - messages; index < connection.received; index++) {
      const left = missing.get(index)
      if (left === undefined) throw new WrongEcho("delivered a message that was not published")
      if (left > 1) missing.set(index, left - 1)
      else {
        missing.delete(index)
        done++
      }
    }
    if (done > 0 && running) publish(done)
  }
  for (let i = 0; i < job.connections; i++) connections.push(new Connection(makeChecker(), job.compression, onMessages))
  try {
    await openAll(connections, target, 16)
    publish(job.depth)
    const measurement = await measureWindow(target.pid, window, () => delivered)
    running = false
    await waitUntil(() => failureOf(connections) !== undefined || missing.size === 0, "did not deliver all messages")
    const failure = failureOf(connections)
    if (failure !== undefined) throw failure
    return measurement
  } finally {
    running = false
    await closeAll(connections)
  }
}

const silent: Checker = { take: () => 0 }

const handshakes = async (job: HandshakeJob, target: Target, window: Window): Promise<Measurement> => {
  const until = new AbortController()
  let done = 0
  const cycle = async (index: number): Promise<void> => {
    while (!until.signal.aborted) {
      const connection = new Connection(silent, "off", () => undefined)
      await connection.open(target, index)
      const { socket } = connection
      if (socket === undefined) throw new WrongHandshake("no connection")
      const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
      socket.end(closeFrame)
      const limit = setTimeout(
        () => socket.destroy(new WrongHandshake("did not close within the time limit")),
        patience
      )
      await closed
      clearTimeout(limit)
      if (connection.failure !== undefined) throw connection.failure
      done++
    }
  }
  const work = Promise.all(Array.from({ length: job.connections }, (_, index) => cycle(index)))
  try {
    const measurement = await Promise.race([measureWindow(target.pid, window, () => done), work.then(() => undefined)])
    until.abort()
    await work
    if (measurement === undefined) throw new WrongHandshake("ended before the window did")
    return measurement
  } finally {
    until.abort()
  }
}

let held: ReadonlyArray<Connection> = []

const hold = async (job: IdleJob, target: Target): Promise<void> => {
  held = Array.from({ length: job.connections }, () => new Connection(silent, "off", () => undefined))
  await openAll(held, target, 32)
}

const release = (): void => {
  for (const connection of held) {
    connection.fail(new Error("run ended"))
    connection.socket?.destroy()
  }
  held = []
}

const perform = async (command: LoadCommand): Promise<Answer> => {
  switch (command.type) {
    case "run": {
      const { job, target, window } = command
      const run =
        job.kind === "echo"
          ? echo(job, target, window)
          : job.kind === "broadcast"
            ? broadcast(job, target, window)
            : handshakes(job, target, window)
      return { type: "measured", measurement: await run }
    }
    case "hold": {
      await hold(command.job, command.target)
      const failure = failureOf(held)
      if (failure !== undefined) throw failure
      return { type: "held" }
    }
    case "release": {
      release()
      return { type: "released" }
    }
  }
}

process.on("message", (command: LoadCommand) => {
  perform(command)
    .catch((error: unknown): Answer => ({
      type: "failed",
      reason: error instanceof Error ? error.message : String(error)
    }))
    .then((answer) => process.send?.(answer))
})
process.on("disconnect", () => process.exit())
