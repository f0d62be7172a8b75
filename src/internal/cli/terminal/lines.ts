import * as Effect from "effect/Effect"
import type { Readable } from "node:stream"
import { misuse, type WscatError } from "../errors/failure.ts"
import type { RecordSplitter } from "./records.ts"

/** A line that was typed, or a record that came in a pipe. */
export type Line = string | Buffer

/** Gives what came in since; `undefined` when there is no more. One taker at a time. */
export type Lines = Effect.Effect<ReadonlyArray<Line> | undefined, WscatError>

/** A queue of lines: lines wait until they are taken. */
export class LineQueue {
  private lines: Array<Line> = []
  private over = false
  private waiter: (() => void) | undefined = undefined

  add(line: Line): void {
    this.lines.push(line)
    this.wake()
  }

  end(): void {
    this.over = true
    this.wake()
  }

  readonly take: Lines = Effect.callback<ReadonlyArray<Line> | undefined>((resume) => {
    const attempt = (): boolean => {
      if (this.lines.length === 0 && !this.over) return false
      const { lines } = this
      this.lines = []
      resume(Effect.succeed(lines.length === 0 ? undefined : lines))
      return true
    }
    if (attempt()) return undefined
    this.waiter = attempt
    return Effect.sync(() => {
      this.waiter = undefined
    })
  })

  private wake(): void {
    const { waiter } = this
    this.waiter = undefined
    waiter?.()
  }
}

/** Lines one by one, each kept until it was dealt with: what a lost connection didn't take is there for the next. */
export class Outbox {
  private readonly lines: Lines
  private waiting: ReadonlyArray<Line> = []
  private next = 0

  constructor(lines: Lines) {
    this.lines = lines
  }

  /** The next line; `undefined` when there is none any more. */
  readonly first: Effect.Effect<Line | undefined, WscatError> = Effect.suspend(() => {
    const first = this.waiting[this.next]
    if (first !== undefined) return Effect.succeed(first)
    return Effect.flatMap(this.lines, (lines) => {
      this.waiting = lines ?? []
      this.next = 0
      return lines === undefined ? Effect.succeed(undefined) : this.first
    })
  })

  /** The first line was dealt with. */
  shift(): void {
    this.next++
  }
}

/** The records of a stream, read as fast as they are taken. */
export const recordsOf = (input: Readable, splitter: RecordSplitter): Lines => {
  let over = false
  const tooLong = Effect.fail(
    misuse(`a record of the input is longer than ${splitter.limit} bytes`, "--max-payload sets the limit")
  )
  return Effect.callback<ReadonlyArray<Line> | undefined, WscatError>((resume) => {
    const stop = (): void => {
      input.off("readable", attempt)
      input.off("end", end)
      input.off("close", end)
      input.off("error", fail)
    }
    const give = (result: Lines): void => {
      stop()
      resume(result)
    }
    const attempt = (): void => {
      for (let chunk: unknown = input.read(); chunk !== null; chunk = input.read()) {
        const records = splitter.feed(Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk)))
        if (records === undefined) return give(tooLong)
        if (records.length > 0) return give(Effect.succeed(records))
      }
      if (input.readableEnded || input.destroyed) end()
    }
    const end = (): void => {
      if (over) return give(Effect.succeed(undefined))
      over = true
      const last = splitter.end()
      if (last === undefined) return give(tooLong)
      give(Effect.succeed(last.length === 0 ? undefined : last))
    }
    const fail = (error: Error): void => give(Effect.fail(misuse(`cannot read the input: ${error.message}`)))
    input.on("readable", attempt)
    input.on("end", end)
    input.on("close", end)
    input.on("error", fail)
    attempt()
    return Effect.sync(stop)
  })
}
