/** What the options say about messages. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { isUtf8 } from "node:buffer"
import { closeViolation } from "../../frame/error.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { maxPayload } from "../options/connecting.ts"
import { misuse, type WscatError } from "../errors/failure.ts"
import { readBytes } from "../options/files.ts"
import type { Wscat } from "../options/values.ts"
import { decodeBinary } from "../terminal/binaryFormats.ts"
import type { Format } from "../terminal/format.ts"
import { Activity } from "./activity.ts"
import { Expectation } from "./expectation.ts"
import { openRecorder, type Recorder } from "./recording.ts"
import { Outbox } from "../terminal/lines.ts"
import { decodeInput, type Encoding } from "../terminal/payload.ts"
import { RecordSplitter } from "../terminal/records.ts"
import { hasColors, openScreen, type Screen } from "../terminal/screen.ts"
import { Streams } from "../terminal/streams.ts"

/** What goes over a connection, and how it is shown. */
export interface Talk {
  readonly activity: Activity
  /** Where messages are kept. */
  readonly recorder: Recorder | undefined
  /** What must come before the connection is closed. */
  readonly expectation: Expectation | undefined
  readonly screen: Screen
  /** What is typed, or comes in a pipe. */
  readonly outbox: Outbox
  readonly format: Format
  /** How the input stands for messages. */
  readonly encoding: Encoding
  /** Messages to send instead of the input. */
  readonly prepared: ReadonlyArray<Message> | undefined
  /** Messages to send before the input is read. */
  readonly initial: ReadonlyArray<Message>
  /** Milliseconds between messages. */
  readonly delay: number
  /** Milliseconds after which `initial` and `prepared` are sent again; `undefined` sends them once. */
  readonly every: number | undefined
  readonly escapes: boolean
  /** Waits once everything is sent: for a time after `prepared`, for silence after the end of the input. */
  readonly settle: Effect.Effect<void>
  /** Messages to receive. */
  readonly count: number
  /** Seconds between pings. */
  readonly ping: number | undefined
  /** Seconds that a pong may take. */
  readonly pongTimeout: number
  readonly showPings: boolean
  readonly slash: boolean
  readonly close: { readonly code: number | undefined; readonly reason: string }
}

/** Seconds after what `-x` sends. */
const defaultWait = 2

/** Seconds of silence after the end of the input. */
const defaultSilence = 0.5

const defaultPongTimeout = 20

/** Seconds that `--expect` waits. */
const defaultWithin = 10

/** How long to wait where `--wait` doesn't say. wscat 6.1 closes at the end of the input. */
const waitOf = ({ compat, count, every, expect }: Wscat, prepared: boolean): number => {
  // A run that counts or expects messages waits for them; one that repeats messages goes on.
  if (count !== undefined || expect.length > 0 || (prepared && every !== undefined)) return -1
  if (prepared) return defaultWait
  return compat ? 0 : defaultSilence
}

const encodingOf = (flags: Wscat): Effect.Effect<Encoding, WscatError> => {
  const chosen = (["binary", "hex", "base64"] as const).filter((name) => flags[name])
  return chosen.length > 1
    ? Effect.fail(misuse(`--${chosen.join(" and --")} are given`, "choose one of them"))
    : Effect.succeed(chosen[0] ?? "text")
}

const messagesOf = (
  texts: ReadonlyArray<string>,
  option: string,
  encoding: Encoding,
  { escapes }: Wscat
): Effect.Effect<ReadonlyArray<Message>, WscatError> =>
  Effect.forEach(texts, (text) => {
    const decoded = decodeInput(text, encoding, escapes)
    return "problem" in decoded
      ? Effect.fail(misuse(`${option} ${text}: ${decoded.problem}`))
      : Effect.succeed(decoded.message)
  })

const readText = (path: string): Effect.Effect<string, WscatError> =>
  Effect.flatMap(readBytes(path, "--text-file"), (bytes) =>
    isUtf8(bytes)
      ? Effect.succeed(bytes.toString("utf8"))
      : Effect.fail(misuse(`--text-file: ${path} is not UTF-8`, "--file sends bytes"))
  )

const prepare = (flags: Wscat, encoding: Encoding): Effect.Effect<ReadonlyArray<Message> | undefined, WscatError> =>
  Effect.gen(function* () {
    if (flags.execute.length + flags.file.length + flags.textFile.length === 0) return undefined
    const commands = yield* messagesOf(flags.execute, "-x", encoding, flags)
    const files = yield* Effect.forEach(flags.file, (path) => readBytes(path, "--file"))
    const texts = yield* Effect.forEach(flags.textFile, readText)
    return [...commands, ...files, ...texts]
  })

/** Reads the options, and opens the screen. `url` is the place of the conversation, for a recording. */
export const openTalk = (
  flags: Wscat,
  url: string,
  role: "client" | "server"
): Effect.Effect<Talk, WscatError, Scope.Scope> =>
  Effect.gen(function* () {
    const streams = yield* Streams
    const encoding = yield* encodingOf(flags)
    const prepared = yield* prepare(flags, encoding)
    const initial = yield* messagesOf(flags.init, "--init", encoding, flags)
    if (flags.every !== undefined && prepared === undefined && initial.length === 0) {
      return yield* misuse("--every has nothing to repeat", "-x, --init, --file or --text-file say what")
    }
    const close = { code: flags.closeCode, reason: flags.closeReason ?? "" }
    const violation = closeViolation(close.code ?? 1000, close.reason)
    if (violation !== undefined) return yield* misuse(`--close-code, --close-reason: ${violation.message}`)
    const terminal = streams.output.isTTY === true
    const screen = yield* openScreen({
      quiet: flags.quiet || prepared !== undefined,
      verbose: flags.verbose,
      color: !flags.noColor && prepared === undefined && hasColors(streams),
      reads: prepared === undefined,
      splitter: new RecordSplitter(flags.null ? "null" : "line", maxPayload(flags), encoding === "binary")
    })
    const { decode } = flags
    const recorder = flags.record === undefined ? undefined : yield* openRecorder(flags.record, url, role)
    const expectation =
      flags.expect.length === 0 ? undefined : yield* Expectation.make(flags.expect, flags.within ?? defaultWithin)
    const activity = new Activity()
    const wait = flags.wait ?? waitOf(flags, prepared !== undefined)
    return {
      activity,
      recorder,
      expectation,
      screen,
      outbox: new Outbox(screen.lines),
      format: {
        json: flags.json,
        terminal,
        // What -x is answered with is for a script, also when it is tried on a terminal.
        marks: terminal && prepared === undefined && !flags.json,
        frames: flags.frames,
        timestamps: flags.timestamps,
        encoding,
        pretty: flags.pretty,
        colored: !flags.noColor && hasColors(streams),
        decode: decode === undefined ? undefined : (bytes) => decodeBinary(decode, bytes, maxPayload(flags)),
        separator: flags.null ? "\0" : "\n"
      },
      encoding,
      escapes: flags.escapes,
      prepared,
      initial,
      delay: (flags.delay ?? 0) * 1000,
      every: flags.every === undefined ? undefined : flags.every * 1000,
      settle: Effect.suspend(() => {
        if (wait < 0) return Effect.never
        return prepared === undefined ? activity.silence(wait * 1000) : Effect.sleep(wait * 1000)
      }),
      count: flags.count ?? Infinity,
      ping: flags.ping,
      pongTimeout: flags.pongTimeout ?? defaultPongTimeout,
      showPings: flags.showPingPong,
      slash: flags.slash,
      close
    }
  })
