// Fuzzing that coverage guides: an input that reaches what none before it reached is kept, and changed further. V8 counts
// the blocks that run, through its inspector.
import { Session } from "node:inspector"

/** What is fuzzed, over bytes. */
export interface Guided {
  /** What the corpus begins with. */
  readonly seeds: ReadonlyArray<Buffer>
  /** Throws when an invariant doesn't hold. */
  readonly check: (bytes: Buffer) => void | Promise<void>
  /** Which sources count: a part of their URLs. */
  readonly sources: RegExp
}

export interface GuidedOutcome {
  readonly executions: number
  readonly finding: string | undefined
}

/** Longest input, in bytes. */
const longest = 2048

/** A generator of 32 bits: the same seed gives the same run. */
const generator = (seed: number): ((below: number) => number) => {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

const interesting = [0, 1, 2, 8, 9, 10, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0xc1, 0xfe, 0xff]

type Random = (below: number) => number

const changeOnce = (bytes: Buffer, random: Random, corpus: ReadonlyArray<Buffer>): Buffer => {
  const at = random(bytes.length + 1)
  const kind = random(7)
  if (kind < 3 && bytes.length > 0) {
    const changed = Buffer.from(bytes)
    const place = at % bytes.length
    changed[place] =
      kind === 0
        ? (bytes[place] ?? 0) ^ (1 << random(8))
        : kind === 1
          ? (interesting[random(interesting.length)] ?? 0)
          : random(256)
    return changed
  }
  if (kind === 3) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(4))])
  if (kind === 4) return Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)])
  if (kind === 5) {
    const part = bytes.subarray(at, at + 1 + random(16))
    return Buffer.concat([bytes.subarray(0, at), part, part, bytes.subarray(at)])
  }
  const other = corpus[random(corpus.length)] ?? bytes
  return Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length + 1))])
}

const change = (bytes: Buffer, random: Random, corpus: ReadonlyArray<Buffer>): Buffer => {
  let changed = bytes
  for (let times = 1 + random(4); times > 0; times--) changed = changeOnce(changed, random, corpus)
  return changed.subarray(0, longest)
}

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Taken {
  readonly result: ReadonlyArray<{
    readonly url: string
    readonly functions: ReadonlyArray<{ readonly ranges: ReadonlyArray<Range> }>
  }>
}

/** What ran since the last look: each block with the order of magnitude of its count. */
class Coverage {
  private readonly seen: Set<string>
  private readonly session = new Session()
  private readonly sources: RegExp

  constructor(sources: RegExp, seen: Set<string>) {
    this.sources = sources
    this.seen = seen
    this.session.connect()
    this.session.post("Profiler.enable")
    this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true })
  }

  /** Whether anything is new. */
  look(): boolean {
    const before = this.seen.size
    this.session.post("Profiler.takePreciseCoverage", (_: Error | null, taken: Taken | undefined) => {
      for (const { functions, url } of taken?.result ?? []) {
        if (!this.sources.test(url)) continue
        for (const { ranges } of functions) {
          for (const { count, endOffset, startOffset } of ranges) {
            // A block that is passed by is told as well: where the code after a `return` runs, only that one is missing.
            this.seen.add(`${url} ${startOffset} ${endOffset} ${count === 0 ? "never" : Math.floor(Math.log2(count))}`)
          }
        }
      }
    })
    return this.seen.size > before
  }

  end(): void {
    this.session.post("Profiler.stopPreciseCoverage")
    this.session.disconnect()
  }
}

/** What slices of one run go on with. */
interface Knowledge {
  /** Inputs that are worth changing further. */
  readonly corpus: Array<Buffer>
  /** What they reach. */
  readonly seen: Set<string>
}

const knowledge = new WeakMap<Guided, Knowledge>()

/** A copy in memory of its own: those of `Buffer.from` keep a pool alive. */
const copyOf = (bytes: Buffer): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/** Fuzzes for a while, or for so many executions. */
export const fuzzGuided = async (
  target: Guided,
  {
    executions: most,
    seed,
    time = Infinity
  }: { readonly executions: number; readonly seed: number; readonly time?: number | undefined }
): Promise<GuidedOutcome> => {
  const random = generator(seed)
  const known = knowledge.get(target)
  const { corpus, seen } = known ?? { corpus: [...target.seeds], seen: new Set<string>() }
  knowledge.set(target, { corpus, seen })
  const coverage = new Coverage(target.sources, seen)
  const until = performance.now() + time
  let executions = 0
  try {
    // What each seed reaches is known, and not new.
    for (const bytes of known === undefined ? target.seeds : []) {
      await target.check(Buffer.from(bytes))
      executions++
      coverage.look()
    }
    while (executions < most && performance.now() < until) {
      const bytes = change(corpus[random(corpus.length)] ?? Buffer.alloc(0), random, corpus)
      executions++
      try {
        await target.check(Buffer.from(bytes))
      } catch (error) {
        const finding = error instanceof Error ? (error.stack ?? error.message) : String(error)
        return { executions, finding: `input ${bytes.toString("hex")}\n${finding}` }
      }
      if (coverage.look()) corpus.push(copyOf(bytes))
    }
    return { executions, finding: undefined }
  } finally {
    coverage.end()
  }
}
