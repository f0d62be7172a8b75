import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { performance } from "node:perf_hooks"
import { connect } from "../../client/connect.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { explain } from "../errors/explain.ts"
import { misuse, WscatError } from "../errors/failure.ts"
import { targetOf } from "../options/connecting.ts"
import type { Replay } from "../options/values.ts"
import { harmless, oneLine } from "../terminal/safeText.ts"
import { hasColors } from "../terminal/screen.ts"
import { Streams } from "../terminal/streams.ts"
import { type Difference, differencesOf } from "./difference.ts"
import { type Recorded, readRecording } from "./recording.ts"
import { Activity } from "./activity.ts"

/** Answers beyond those of the recording that are kept for the comparison. */
const maxExtra = 10_000

/** Seconds of silence after which no more answers are waited for. */
const defaultWait = 2

/** Sends what a conversation has sent, at the times at which it did, and compares the answers. */
export const replay = (path: string, url: string | undefined, flags: Replay): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const recording = yield* readRecording(path, "replay")
      const place = url ?? recording.url
      if (place === undefined) return yield* misuse(`${path} names no URL`, `wscat replay ${path} <url>`)
      const target = yield* targetOf(place, flags)
      const { errors, output } = yield* Streams
      const expected = recording.messages.filter(({ direction }) => direction === "received")
      const begun = performance.now()
      const socket = yield* Effect.mapError(connect(target.url, target.options), (error) => explain(error, target))
      const answers = new Answers(expected.length + maxExtra)
      const reader = yield* Effect.forkScoped(Effect.ignore(runBatch(socket, (batch) => answers.receive(batch))))
      const sent = yield* Effect.raceFirst(
        Effect.mapError(send(socket, recording.messages, answers, flags), (error) => explain(error, target)),
        Effect.as(Fiber.await(reader), undefined)
      )
      const wait = (flags.wait ?? defaultWait) * 1000
      yield* Effect.raceAllFirst([answers.count(expected.length), answers.silence(wait), Fiber.await(reader)])
      yield* Effect.ignore(socket.close())
      yield* Fiber.await(reader)
      const ignored = new Set(flags.ignore.flatMap((list) => list.split(",")).map((name) => name.trim()))
      const differences = differencesOf(
        expected.map(({ message }) => message),
        answers.messages,
        ignored
      )
      const colored = !flags.noColor && hasColors({ ...(yield* Streams), output })
      for (const difference of differences) {
        if (difference.kind !== "same" || !flags.quiet) output.write(lineOf(difference, colored))
      }
      if (!flags.quiet) errors.write(`${summary(differences, performance.now() - begun)}\n`)
      if (sent === undefined) {
        return yield* new WscatError({
          kind: "different",
          message: "the server closed the connection before all was sent"
        })
      }
      if (differences.some(({ kind }) => kind !== "same")) {
        return yield* new WscatError({
          kind: "different",
          message: "the answers differ from the recording",
          hint: "--ignore leaves out members of JSON messages, such as identifiers and times"
        })
      }
    })
  )

/** The messages that came, and waiting for them. */
class Answers {
  readonly messages: Array<Message> = []
  private readonly limit: number
  private readonly activity = new Activity()
  private readonly waiting = new Set<() => void>()

  constructor(limit: number) {
    this.limit = limit
  }

  receive(batch: ReadonlyArray<Message>): Effect.Effect<void> {
    return Effect.sync(() => {
      this.messages.push(...batch.slice(0, Math.max(0, this.limit - this.messages.length)))
      this.activity.receive(batch.length)
      this.activity.shown()
      for (const next of this.waiting) next()
    })
  }

  /** Waits until so many messages have come. */
  count(wanted: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const check = (): void => {
        if (this.messages.length >= wanted) resume(Effect.void)
      }
      this.waiting.add(check)
      check()
      return Effect.sync(() => this.waiting.delete(check))
    })
  }

  silence(milliseconds: number): Effect.Effect<void> {
    return this.activity.silence(milliseconds)
  }
}

/** Sends at the times of the recording, or with `--fast` as soon as the answers have come that came before. */
const send = (
  socket: Socket,
  messages: ReadonlyArray<Recorded>,
  answers: Answers,
  flags: Replay
): Effect.Effect<"sent", SocketError> =>
  Effect.gen(function* () {
    const first = messages[0]?.time ?? 0
    const begun = performance.now()
    const wait = (flags.wait ?? defaultWait) * 1000
    let received = 0
    for (const { direction, message, time } of messages) {
      if (direction === "received") {
        received++
        continue
      }
      if (flags.fast) yield* Effect.raceFirst(answers.count(received), answers.silence(wait))
      else yield* Effect.sleep(Math.max(0, (time - first) / (flags.speed ?? 1) - (performance.now() - begun)))
      yield* socket.send(message)
    }
    return "sent" as const
  })

const marks = { same: " ", missing: "-", extra: "+" } as const
const colors = { same: 90, missing: 31, extra: 32 } as const

const lineOf = ({ kind, message }: Difference, colored: boolean): string => {
  const body = typeof message === "string" ? oneLine(message) : `[binary] ${Buffer.from(message).toString("base64")}`
  const line = `${marks[kind]} ${body}`
  return colored ? `\u001B[${colors[kind]}m${line}\u001B[39m\n` : `${line}\n`
}

const summary = (differences: ReadonlyArray<Difference>, elapsed: number): string => {
  const count = (wanted: Difference["kind"]): number => differences.filter(({ kind }) => kind === wanted).length
  return harmless(
    `replayed in ${(elapsed / 1000).toFixed(1)} s: ${count("same")} answers the same, ${count("missing")} missing, ${count("extra")} new`
  )
}
