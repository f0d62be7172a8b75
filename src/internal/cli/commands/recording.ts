/**
 * Conversations in files: JSON lines as `--json` writes them, or HAR with the `_webSocketMessages` of browsers. All are
 * seen from the client: what it sent and what it received.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { closeSync, openSync, writeSync } from "node:fs"
import type { Message } from "../../socket/receiveBuffer.ts"
import { misuse, WscatError } from "../errors/failure.ts"
import { plain } from "../errors/plain.ts"
import { readBytes, writeText } from "../options/files.ts"
import { type Client, jsonMessage } from "../terminal/format.ts"
import { jsonLine } from "../terminal/safeText.ts"
import { version } from "../version.ts"

type Direction = "sent" | "received"

/** A message of a conversation. */
export interface Recorded {
  readonly direction: Direction
  /** Milliseconds since 1970. */
  readonly time: number
  readonly message: Message
}

/** A conversation. */
export interface Recording {
  /** Where it took place, if the file says so. */
  readonly url: string | undefined
  readonly messages: ReadonlyArray<Recorded>
}

/** Keeps messages. */
export interface Recorder {
  readonly add: (direction: Direction, message: Message, client: Client) => void
  /** Completes the file, which the end of the scope does otherwise. Fails when the file could not be written. */
  readonly finish: Effect.Effect<void, WscatError>
}

interface HarMessage {
  readonly type: "send" | "receive"
  /** Seconds since 1970. */
  readonly time: number
  readonly opcode: number
  readonly data: string
}

const harMessage = ({ direction, message, time }: Recorded): HarMessage => ({
  type: direction === "sent" ? "send" : "receive",
  time: time / 1000,
  opcode: typeof message === "string" ? 1 : 2,
  data: typeof message === "string" ? message : Buffer.from(message).toString("base64")
})

const harOf = (url: string, begun: Date, messages: ReadonlyArray<Recorded>): string => {
  const empty = { cookies: [], headers: [], headersSize: -1, bodySize: -1 }
  const entry = {
    startedDateTime: begun.toISOString(),
    time: Date.now() - begun.getTime(),
    request: { ...empty, method: "GET", url, httpVersion: "HTTP/1.1", queryString: [] },
    response: {
      ...empty,
      status: 101,
      statusText: "Switching Protocols",
      httpVersion: "HTTP/1.1",
      content: { size: 0, mimeType: "x-unknown" },
      redirectURL: ""
    },
    cache: {},
    timings: { send: 0, wait: 0, receive: 0 },
    _resourceType: "websocket",
    _webSocketMessages: messages.map(harMessage)
  }
  return `${JSON.stringify({ log: { version: "1.2", creator: { name: "wscat", version: version() }, entries: [entry] } }, undefined, 2)}\n`
}

const unwritable = (path: string, cause: unknown): WscatError =>
  new WscatError({ kind: "output", message: `--record: cannot write ${path}: ${plain(cause)}` })

/** Writes each message at once, so that a program that is killed leaves what it has seen. */
const lineRecorder = (path: string, url: string): Effect.Effect<Recorder, WscatError> =>
  Effect.try({
    try: () => {
      const file = openSync(path, "w")
      let problem: unknown
      const write = (line: string): void => {
        if (problem !== undefined) return
        try {
          writeSync(file, line)
        } catch (cause) {
          problem = cause
        }
      }
      write(jsonLine({ time: new Date().toISOString(), url }))
      return {
        add: (direction, message, client) => write(jsonMessage(direction, message, client, new Date())),
        finish: Effect.suspend(() => {
          closeSync(file)
          return problem === undefined ? Effect.void : Effect.fail(unwritable(path, problem))
        })
      }
    },
    catch: (cause) => unwritable(path, cause)
  })

const harRecorder = (path: string, url: string): Recorder => {
  const begun = new Date()
  const messages: Array<Recorded> = []
  return {
    add: (direction, message) => {
      messages.push({ direction, message, time: Date.now() })
    },
    finish: Effect.suspend(() => writeText(path, harOf(url, begun, messages), "--record"))
  }
}

/**
 * Opens a file for a conversation: HAR when its name ends in `.har`, which is written at the end, otherwise JSON lines. The
 * file is seen from the client, whatever the role.
 */
export const openRecorder = (
  path: string,
  url: string,
  role: "client" | "server"
): Effect.Effect<Recorder, WscatError, Scope.Scope> =>
  Effect.gen(function* () {
    const { add, finish } = /\.har$/i.test(path) ? harRecorder(path, url) : yield* lineRecorder(path, url)
    let finished = false
    const once = Effect.suspend(() => {
      if (finished) return Effect.void
      finished = true
      return finish
    })
    yield* Effect.addFinalizer(() => Effect.ignore(once))
    return {
      add: (direction, message, client) => {
        const opposite = direction === "sent" ? "received" : "sent"
        add(role === "client" ? direction : opposite, message, client)
      },
      finish: once
    }
  })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const parse = (content: string): unknown => {
  try {
    return JSON.parse(content)
  } catch {
    return undefined
  }
}

const fromHar = (har: Readonly<Record<string, unknown>>): Recording | undefined => {
  const log = isObject(har["log"]) ? har["log"] : {}
  for (const entry of listOf(log["entries"])) {
    if (!isObject(entry) || !Array.isArray(entry["_webSocketMessages"])) continue
    const request = isObject(entry["request"]) ? entry["request"] : {}
    const messages = entry["_webSocketMessages"].flatMap((item: unknown): ReadonlyArray<Recorded> => {
      if (!isObject(item)) return []
      const data = text(item["data"])
      const { opcode, time, type } = item
      if (data === undefined || typeof time !== "number" || (opcode !== 1 && opcode !== 2)) return []
      const direction = type === "send" ? "sent" : "received"
      return [{ direction, time: time * 1000, message: opcode === 1 ? data : Buffer.from(data, "base64") }]
    })
    return { url: text(request["url"]), messages }
  }
  return undefined
}

const fromLines = (lines: ReadonlyArray<string>): Recording | undefined => {
  let url: string | undefined
  let client: unknown
  const messages: Array<Recorded> = []
  for (const line of lines) {
    const value = parse(line)
    if (!isObject(value)) return undefined
    url ??= text(value["url"])
    const { direction, opcode } = value
    const time = Date.parse(text(value["time"]) ?? "")
    const payload = text(value["payload"])
    const base64 = text(value["base64"])
    if ((direction !== "sent" && direction !== "received") || value["frame"] === true || Number.isNaN(time)) continue
    if (opcode !== "text" && opcode !== "binary") continue
    // Of several clients, the first: a conversation has two sides.
    client ??= value["client"]
    if (value["client"] !== client) continue
    if (payload !== undefined) messages.push({ direction, time, message: payload })
    else if (base64 !== undefined) messages.push({ direction, time, message: Buffer.from(base64, "base64") })
  }
  return url === undefined && messages.length === 0 ? undefined : { url, messages }
}

/** Reads a conversation. */
export const readRecording = (path: string, option: string): Effect.Effect<Recording, WscatError> =>
  Effect.flatMap(readBytes(path, option), (bytes) => {
    const content = bytes.toString("utf8").replace(/^\uFEFF/, "")
    const value = parse(content)
    const recording =
      isObject(value) && isObject(value["log"])
        ? fromHar(value)
        : fromLines(content.split(/\r?\n/).filter((line) => line.trim() !== ""))
    return recording === undefined
      ? Effect.fail(
          misuse(
            `${option}: there is no WebSocket conversation in ${path}`,
            "a file that --record or --json has written, or a HAR file of a browser"
          )
        )
      : Effect.succeed(recording)
  })
