/** The load of `wscat bench`: which messages are sent, which of the server's messages answer them, and how fast. */
import * as Effect from "effect/Effect"
import { performance } from "node:perf_hooks"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { Histogram } from "./histogram.ts"

/** What is to be measured. */
export interface Plan {
  /** The URL as it may be shown. */
  readonly url: string
  readonly connections: number
  /** Messages under way on each connection, where no rate is given. */
  readonly outstanding: number
  /** Bytes of a message. */
  readonly size: number
  readonly binary: boolean
  /** Seconds. */
  readonly duration: number
  readonly warmup: number
  /** Seconds over which the connections are opened. */
  readonly ramp: number
  /** Messages a second on all connections; `undefined` sends as fast as answers come. */
  readonly rate: number | undefined
  /** Whether any message counts as the answer to the oldest one. */
  readonly any: boolean
}

/** One second of a measurement. */
export interface Second {
  readonly messages: number
  /** Latencies in milliseconds. */
  readonly p50: number
  readonly p99: number
}

/** The seconds of a measurement that a report shows, at most: an hour. */
const maxSeconds = 3600

/** What was measured so far. */
export class Measurement {
  readonly opening = new Histogram()
  readonly latency = new Histogram()
  readonly seconds: Array<Second> = []
  /** When counting began, by the clock of `performance`; `undefined` before. */
  since: number | undefined = undefined
  /** Messages that answered one of ours, those before counting began included. */
  answers = 0
  /** Messages that answered none of ours. */
  others = 0
  private current = new Histogram()

  begin(): void {
    this.since = performance.now()
  }

  answered(sentAt: number, now: number): void {
    this.answers++
    if (this.since === undefined) return
    while (now - this.since >= (this.seconds.length + 1) * 1000 && this.seconds.length < maxSeconds) this.endSecond()
    this.latency.add(now - sentAt)
    this.current.add(now - sentAt)
  }

  private endSecond(): void {
    const { current } = this
    this.seconds.push({
      messages: current.count,
      p50: current.count === 0 ? 0 : current.quantile(0.5),
      p99: current.count === 0 ? 0 : current.quantile(0.99)
    })
    this.current = new Histogram()
  }
}

/** Different messages of one connection, at most. */
const maxDistinct = 256

/** Characters by which an echo is found; the rest is compared. */
const labelSize = 24

/** Distinguishes the messages of this run from those of another one at the same server. */
const run = Math.floor(Math.random() * 36 ** 4)
  .toString(36)
  .padStart(4, "0")

const textOf = (message: Message): string =>
  typeof message === "string"
    ? message
    : Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString("latin1")

const labelOf = (message: Message): string =>
  typeof message === "string"
    ? message.slice(0, labelSize)
    : Buffer.from(message.buffer, message.byteOffset, Math.min(labelSize, message.byteLength)).toString("latin1")

/**
 * The messages that are under way on one connection. They differ as far as their size allows, so that only an echo of a
 * message of this connection counts: neither those of others, nor what the server sends besides. A server that returns
 * text as binary messages is an echo too.
 */
export class UnderWay {
  private readonly messages: ReadonlyArray<Message>
  private readonly any: boolean
  private readonly sentAt = new Map<string, { readonly message: Message; readonly times: Array<number> }>()
  private next = 0

  constructor({ any, binary, outstanding, rate, size }: Plan, connection: number) {
    this.any = any
    const distinct = Math.min(
      maxDistinct,
      rate === undefined ? outstanding : maxDistinct,
      size > 65_536 ? 8 : maxDistinct
    )
    this.messages = Array.from({ length: distinct }, (_, index) => {
      const text = `${index.toString(36)}.${connection.toString(36)}.${run} `.padEnd(size, "x").slice(0, size)
      return binary ? Buffer.from(text) : text
    })
  }

  /** The next messages to send, which count as sent at this time. */
  take(count: number, now: number): ReadonlyArray<Message> {
    return Array.from({ length: count }, () => {
      const message = this.messages[this.next++ % this.messages.length] ?? ""
      const label = this.any ? "" : labelOf(message)
      const known = this.sentAt.get(label)
      if (known === undefined) this.sentAt.set(label, { message, times: [now] })
      else known.times.push(now)
      return message
    })
  }

  /** When the message was sent that this one answers; `undefined` when it answers none. */
  answered(answer: Message): number | undefined {
    const found = this.sentAt.get(this.any ? "" : labelOf(answer))
    if (found === undefined || (!this.any && !isEcho(found.message, answer))) return undefined
    return found.times.shift()
  }
}

const isEcho = (message: Message, answer: Message): boolean => {
  if (message.length !== answer.length) return false
  if (typeof message === typeof answer && typeof message === "string") return message === answer
  return message.length <= labelSize || textOf(message) === textOf(answer)
}

/** Milliseconds between looks at what a rate demands. */
const tick = 1

/** Sends messages on one connection and counts their answers, until the connection ends. */
export const drive = (
  socket: Socket,
  plan: Plan,
  measurement: Measurement,
  connection: number
): Effect.Effect<void, SocketError> => {
  const underWay = new UnderWay(plan, connection)
  const count = (batch: ReadonlyArray<Message>): number => {
    const now = performance.now()
    let answers = 0
    for (const message of batch) {
      const sentAt = underWay.answered(message)
      if (sentAt === undefined) {
        measurement.others++
      } else {
        answers++
        measurement.answered(sentAt, now)
      }
    }
    return answers
  }
  const send = (messages: number): Effect.Effect<void, SocketError> =>
    Effect.suspend(() => socket.sendAll(underWay.take(messages, performance.now())))
  if (plan.rate === undefined) {
    return Effect.andThen(
      send(plan.outstanding),
      runBatch(socket, (batch) => {
        const answers = count(batch)
        return answers === 0 ? Effect.void : send(answers)
      })
    )
  }
  const read = runBatch(socket, (batch) => Effect.sync(() => void count(batch)))
  return Effect.raceFirst(read, paced(socket, underWay, plan.rate / plan.connections, connection / plan.connections))
}

/**
 * Sends at a rate, whatever comes back. The time of a message is the one at which it was due, so that a server that
 * stops for a while is charged with all that had to wait meanwhile. `phase`, from 0 to 1, keeps connections apart.
 */
const paced = (socket: Socket, underWay: UnderWay, rate: number, phase: number): Effect.Effect<never, SocketError> => {
  const interval = 1000 / rate
  const begun = performance.now() + phase * interval
  let sent = 0
  const step = Effect.suspend(() => {
    const due = Math.floor((performance.now() - begun) / interval) + 1 - sent
    if (due <= 0) return Effect.sleep(Math.max(tick, begun + sent * interval - performance.now()))
    const messages = Array.from({ length: due }, (_, at) => underWay.take(1, begun + (sent + at) * interval)).flat()
    sent += due
    return socket.sendAll(messages)
  })
  return Effect.forever(step)
}
