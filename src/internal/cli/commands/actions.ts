/** What a line of the input does to a connection. */
import * as Effect from "effect/Effect"
import { ping, pong } from "../../frame/make.ts"
import { CloseCode } from "../../frame/model.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { misuse, type WscatError } from "../errors/failure.ts"
import { readBytes } from "../options/files.ts"
import { type Client, jsonMessage } from "../terminal/format.ts"
import type { Line } from "../terminal/lines.ts"
import { decodeInput } from "../terminal/payload.ts"
import { parseSlash, slashCommands } from "./slash.ts"
import type { Talk } from "./session.ts"

/** What is to be done to one or to several connections. */
export type Action =
  | { readonly _tag: "Send"; readonly message: Message }
  | { readonly _tag: "Ping" | "Pong"; readonly data: Uint8Array | undefined }
  | { readonly _tag: "Close"; readonly code: number | undefined; readonly reason: string }

const helpLines = slashCommands.map(([command, text]) => `${command.padEnd(26)}${text}`).join("\n")

/** Reads a line. Returns `undefined` when there is nothing to do, after `/help`. Fails with what is wrong with it. */
export const actionOf = (talk: Talk, line: Line): Effect.Effect<Action | undefined, WscatError> => {
  if (talk.slash && isSlashed(line)) return slashAction(talk, String(line))
  const recorded = talk.format.json ? recordOf(line) : undefined
  if (recorded !== undefined) return Effect.succeed(recorded)
  const decoded = decodeInput(line, talk.encoding, talk.escapes)
  return "problem" in decoded
    ? Effect.fail(misuse(`the input can't be sent: ${decoded.problem}`))
    : Effect.succeed({ _tag: "Send", message: decoded.message })
}

/**
 * Reads a JSON object as `--json` writes it: the opcode, and its payload as text or in base64. Other lines are messages
 * as they are, also where they are JSON.
 */
const recordOf = (line: Line): Action | undefined => {
  let value: unknown
  try {
    value = JSON.parse(line.toString())
  } catch {
    return undefined
  }
  if (typeof value !== "object" || value === null || !("opcode" in value)) return undefined
  const text = "payload" in value && typeof value.payload === "string" ? value.payload : undefined
  const bytes = "base64" in value && typeof value.base64 === "string" ? Buffer.from(value.base64, "base64") : undefined
  switch (value.opcode) {
    case "text": {
      return text === undefined ? undefined : { _tag: "Send", message: text }
    }
    case "binary": {
      const message = bytes ?? (text === undefined ? undefined : Buffer.from(text))
      return message === undefined ? undefined : { _tag: "Send", message }
    }
    case "ping":
    case "pong": {
      const data = bytes ?? (text === undefined ? undefined : Buffer.from(text))
      return { _tag: value.opcode === "ping" ? "Ping" : "Pong", data }
    }
    case "close": {
      const code = "code" in value && typeof value.code === "number" ? value.code : undefined
      return { _tag: "Close", code, reason: "reason" in value && typeof value.reason === "string" ? value.reason : "" }
    }
    default: {
      return undefined
    }
  }
}

const slash = 0x2f

const isSlashed = (line: Line): boolean => (typeof line === "string" ? line.startsWith("/") : line[0] === slash)

const slashAction = (talk: Talk, line: string): Effect.Effect<Action | undefined, WscatError> => {
  const command = parseSlash(line)
  switch (command._tag) {
    case "Text": {
      return Effect.succeed({ _tag: "Send", message: command.text })
    }
    case "Binary": {
      return Effect.succeed({ _tag: "Send", message: command.bytes })
    }
    case "File": {
      return Effect.map(readBytes(command.path, "/file"), (message) => ({ _tag: "Send", message }))
    }
    case "Help": {
      talk.screen.status(helpLines)
      return Effect.succeed(undefined)
    }
    case "Problem": {
      return Effect.fail(misuse(command.message))
    }
    default: {
      return Effect.succeed(command)
    }
  }
}

/** Does it to a connection. */
export const perform = (
  talk: Talk,
  socket: Socket,
  action: Action,
  client: Client
): Effect.Effect<unknown, SocketError> => {
  switch (action._tag) {
    case "Send": {
      const { message } = action
      return Effect.tap(socket.send(message), () => showSent(talk, message, client))
    }
    case "Ping":
    case "Pong": {
      return socket.send(action._tag === "Ping" ? ping(action.data) : pong(action.data))
    }
    case "Close": {
      return closeWith(socket, action)
    }
  }
}

/** Sent messages are shown where both directions are: as JSON, and in a recording. */
const showSent = ({ format, recorder, screen }: Talk, message: Message, client: Client): Effect.Effect<void> =>
  Effect.sync(() => {
    recorder?.add("sent", message, client)
    if (format.json) screen.show(jsonMessage("sent", message, client, new Date()), undefined)
  })

/** The closing handshake, with a code if one is given: a draft may have none. */
export const closeWith = (
  socket: Socket,
  { code, reason }: { readonly code: number | undefined; readonly reason: string }
): Effect.Effect<unknown, SocketError> =>
  code === undefined && reason === "" ? socket.close() : socket.close(code ?? CloseCode.normal, reason)

/** A person may try again; a script can't. */
export const orComplain = <A>(
  talk: Talk,
  effect: Effect.Effect<A, WscatError>
): Effect.Effect<A | undefined, WscatError> =>
  talk.screen.interactive
    ? Effect.catch(effect, ({ hint, message }) => Effect.sync(() => void talk.screen.complain(message, hint)))
    : effect
