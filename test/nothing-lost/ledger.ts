// Who sent what and who got what, stream by stream, and what is wrong when the two don't agree.

/** What a sender knows of a stream. */
export interface Sent {
  readonly stream: string
  /** Numbers that were given to `send`: this many, from 0 on. */
  readonly attempted: number
  /** Of these, the ones of which nobody said that they were sent. */
  readonly unreported: ReadonlyArray<number>
}

/** What a receiver knows of a stream, on one connection. */
export interface Received {
  readonly stream: string
  /** The numbers as they came, in runs of neighbours: the first and the last of each. */
  readonly runs: ReadonlyArray<readonly [from: number, to: number]>
}

/** Notes what is sent on a stream. */
export class Sender {
  readonly stream: string
  private attempted = 0
  private readonly open = new Set<number>()
  private readonly refused: Array<number> = []

  constructor(stream: string) {
    this.stream = stream
  }

  /** Sends that haven't been reported yet, as done or as failed. */
  get pending(): number {
    return this.open.size
  }

  /** The number of the next message. */
  next(): number {
    const number = this.attempted++
    this.open.add(number)
    return number
  }

  /** What became of it, as its `send` says. */
  settled(number: number, sent: boolean): void {
    this.open.delete(number)
    if (!sent) this.refused.push(number)
  }

  toJSON(): Sent {
    return { stream: this.stream, attempted: this.attempted, unreported: [...this.refused, ...this.open] }
  }
}

/** Notes what is received of a stream. */
export class Receiver {
  readonly stream: string
  private readonly runs: Array<[number, number]> = []

  constructor(stream: string) {
    this.stream = stream
  }

  received(number: number): void {
    const last = this.runs.at(-1)
    if (last !== undefined && number === last[1] + 1) last[1] = number
    else this.runs.push([number, number])
  }

  toJSON(): Received {
    return { stream: this.stream, runs: this.runs }
  }
}

export interface Verdict {
  sent: number
  reported: number
  received: number
  /** Reported as sent, and not received. */
  lost: number
  /** Received again. */
  duplicated: number
  /** Received after a later one. */
  reordered: number
  /** Not received though a later one of the same connection was; nobody had reported them. */
  skipped: number
  /** Received though nobody ever sent them. */
  invented: number
  /** Received though the sender was never told, or told that it failed. */
  unknown: number
  /** A few of the streams that something is wrong with, and what their receivers have. */
  readonly examples: Array<string>
}

/** How many examples are kept. */
const mostExamples = 5

export const noVerdict = (): Verdict => ({
  sent: 0,
  reported: 0,
  received: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  skipped: 0,
  invented: 0,
  unknown: 0,
  examples: []
})

/**
 * Holds one stream's sender against its receivers, those of successive connections in their order. `whole` streams have
 * one connection: of these no message may be missing before one that arrived, reported or not.
 */
const judgeStream = (sent: Sent, received: ReadonlyArray<Received>, whole: boolean, verdict: Verdict): void => {
  const unreported = new Set(sent.unreported)
  verdict.sent += sent.attempted
  verdict.reported += sent.attempted - unreported.size
  const runs = received.flatMap(({ runs }) => runs)
  const [only] = runs
  const seen = new Set<number>()
  let latest = -1
  // Nearly all streams are one run.
  if (only !== undefined && runs.length === 1 && only[0] === 0 && only[1] < sent.attempted) {
    latest = only[1]
    verdict.received += latest + 1
    for (const number of unreported) if (number <= latest) verdict.unknown++
  } else {
    for (const [from, to] of runs) {
      for (let number = from; number <= to; number++) {
        verdict.received++
        if (number >= sent.attempted) verdict.invented++
        else if (seen.has(number)) verdict.duplicated++
        else if (number < latest) verdict.reordered++
        if (!seen.has(number) && unreported.has(number)) verdict.unknown++
        seen.add(number)
        latest = Math.max(latest, number)
      }
    }
    for (let number = 0; number < Math.min(latest, sent.attempted); number++) {
      if (seen.has(number)) continue
      if (!unreported.has(number)) verdict.lost++
      else if (whole) verdict.skipped++
    }
  }
  for (let number = latest + 1; number < sent.attempted; number++) if (!unreported.has(number)) verdict.lost++
}

const judge = (sent: Sent, received: ReadonlyArray<Received>, whole: boolean, verdict: Verdict): void => {
  const before = faultsOf(verdict)
  judgeStream(sent, received, whole, verdict)
  if (faultsOf(verdict) === before || verdict.examples.length === mostExamples) return
  const got = received.flatMap(({ runs }) => runs.map(([from, to]) => `${from} to ${to}`)).slice(0, 10)
  const untold = sent.unreported.length === 0 ? "" : `, not reported ${sent.unreported.slice(0, 10).join(" ")}`
  verdict.examples.push(`${sent.stream}: ${sent.attempted} sent${untold}; received ${got.join(", ") || "nothing"}`)
}

/** Holds all senders against all receivers; the receivers of a stream are in the order of their connections. */
export const judgeAll = (
  senders: ReadonlyArray<Sent>,
  receivers: ReadonlyArray<Received>,
  isWhole: (stream: string) => boolean
): Verdict => {
  const verdict = noVerdict()
  const byStream = new Map<string, Array<Received>>()
  for (const one of receivers) {
    const others = byStream.get(one.stream)
    if (others === undefined) byStream.set(one.stream, [one])
    else others.push(one)
  }
  for (const sent of senders) {
    judge(sent, byStream.get(sent.stream) ?? [], isWhole(sent.stream), verdict)
    byStream.delete(sent.stream)
  }
  for (const [, rest] of byStream) {
    for (const { runs } of rest) for (const [from, to] of runs) verdict.invented += to - from + 1
  }
  return verdict
}

const faultsOf = ({ duplicated, invented, lost, reordered, skipped }: Verdict): number =>
  lost + duplicated + reordered + skipped + invented

/** Whether nothing was lost, came twice, out of order or from nowhere. */
export const isWhole = (verdict: Verdict): boolean => faultsOf(verdict) === 0
