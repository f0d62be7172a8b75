import { isUtf8 } from "node:buffer"
import { isWireCloseCode } from "../../protocol/closeCode.ts"
import type { Draft } from "../../handshake/model.ts"
import type { WireFrame } from "../../connection/frameObserver.ts"
import { Opcode } from "../../protocol/opcode.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { type Encoding, encodeOutput } from "./payload.ts"

/** How messages are shown. */
export interface Format {
  /** One JSON object a line. */
  readonly json: boolean
  /** A person sees it: bytes in hexadecimal, and nothing that a terminal would obey. Otherwise the bare payload. */
  readonly terminal: boolean
  /** A mark before each message, for its direction. */
  readonly marks: boolean
  /** Each frame as well. */
  readonly frames: boolean
  /** The time before each message. */
  readonly timestamps: boolean
  readonly encoding: Encoding
  /** What ends a record. */
  readonly separator: string
}

/** Of several clients, which one; `undefined` when there is but one peer. */
export type Client = number | undefined

/** Most bytes of a binary message or frame that a person is shown. */
const shownBytes = 256

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Bytes in hexadecimal, by two digits. A person wants to see no more than some. */
const hexView = (bytes: Uint8Array, limit = shownBytes): string => {
  const hex = viewOf(bytes)
    .subarray(0, limit)
    .toString("hex")
    .replaceAll(/..(?=.)/g, "$& ")
  return bytes.length <= limit ? hex : `${hex} … ${bytes.length - limit} more`
}

/**
 * Control characters, line feeds and tabs aside, and characters that change the direction of text or have no width. The
 * first alternative is the joiner inside an emoji, which stays.
 */
const unsafe =
  // oxlint-disable-next-line no-control-regex no-misleading-character-class
  /((?<=[\p{Extended_Pictographic}\u{1f3fb}-\u{1f3ff}\ufe0f])\u200d(?=\p{Extended_Pictographic}))|[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu

/**
 * Replaces what would move the cursor, change the state of a terminal, or make text look like other text: control
 * characters by pictures, other characters by their code.
 */
export const harmless = (text: string): string =>
  text.replaceAll(unsafe, (character: string, joiner: string | undefined) => {
    if (joiner !== undefined) return joiner
    const code = character.codePointAt(0) ?? 0
    if (code < 0x20) return String.fromCharCode(0x2400 + code)
    if (code === 0x7f) return "␡"
    if (code < 0x100) return `\\x${code.toString(16)}`
    return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`
  })

/** Text that must stay on its line. */
export const oneLine = (text: string): string => harmless(text.replaceAll("\n", "␊"))

/** What begins each further line of a message on a terminal, so that no message looks like a line of the program. */
const continuation = "| "

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0")

/** The time of day, to the millisecond. */
const clock = (time: Date): string =>
  `${pad(time.getHours(), 2)}:${pad(time.getMinutes(), 2)}:${pad(time.getSeconds(), 2)}.${pad(time.getMilliseconds(), 3)}`

const stamp = (format: Format, time: Date): string => (format.timestamps ? `[${clock(time)}] ` : "")

const clientMark = (client: Client): string => (client === undefined ? "" : `[${client}] `)

const unicodeEscape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`

/** A value as one line of JSON, with escapes for all characters that are not harmless on a terminal. */
export const jsonLine = (value: object): string =>
  `${JSON.stringify(value).replaceAll(
    unsafe,
    (character: string, joiner: string | undefined) => joiner ?? character.split("").map(unicodeEscape).join("")
  )}\n`

/** The payload of a message or frame, as the members of a JSON object: text as it is, bytes in base64. */
const jsonPayload = (payload: Message): { readonly payload: string } | { readonly base64: string } =>
  typeof payload === "string" ? { payload } : { base64: viewOf(payload).toString("base64") }

/** Names of the opcodes, RFC 6455 §11.8. */
const names = new Map<number, string>([
  [Opcode.continuation, "continuation"],
  [Opcode.text, "text"],
  [Opcode.binary, "binary"],
  [Opcode.close, "close"],
  [Opcode.ping, "ping"],
  [Opcode.pong, "pong"]
])

const nameOf = (opcode: number): string => names.get(opcode) ?? `opcode ${opcode}`

/** Something to show: the bytes for the output, and for a terminal whether it is coloured as incoming. */
export type Shown = string | Uint8Array

const terminalBody = (message: Message, encoding: Encoding): string => {
  if (typeof message === "string") return harmless(message)
  return encoding === "hex" || encoding === "base64"
    ? String(encodeOutput(message, encoding))
    : `[binary, ${message.length} bytes] ${hexView(message)}`
}

/** A message that arrived. */
export const showMessage = (format: Format, message: Message, client: Client, time: Date): Shown => {
  if (format.json) return jsonMessage("received", message, client, time)
  if (format.terminal) {
    const mark = format.marks ? `${clientMark(client)}< ` : ""
    const body = terminalBody(message, format.encoding)
    const shown = format.marks ? body.replaceAll("\n", `\n${continuation}`) : body
    return `${stamp(format, time)}${mark}${shown}\n`
  }
  const body = encodeOutput(message, format.encoding)
  const before = stamp(format, time)
  return typeof body === "string"
    ? `${before}${body}${format.separator}`
    : Buffer.concat([Buffer.from(before), body, Buffer.from(format.separator)])
}

/** A message as a JSON object; those that were sent are shown in no other way. */
export const jsonMessage = (direction: WireFrame["direction"], message: Message, client: Client, time: Date): string =>
  jsonLine({
    time: time.toISOString(),
    direction,
    ...(client === undefined ? {} : { client }),
    opcode: typeof message === "string" ? "text" : "binary",
    ...jsonPayload(message)
  })

/** A ping or pong that arrived; `elapsed` is how many milliseconds a pong took. */
export const showControl = (
  format: Format,
  { opcode, payload }: Pick<WireFrame, "opcode" | "payload">,
  elapsed: number | undefined,
  client: Client,
  time: Date
): string => {
  const name = nameOf(opcode)
  const text = isUtf8(payload) ? viewOf(payload).toString() : undefined
  if (format.json) {
    return jsonLine({
      time: time.toISOString(),
      direction: "received",
      ...(client === undefined ? {} : { client }),
      opcode: name,
      ...jsonPayload(text ?? payload),
      ...(elapsed === undefined ? {} : { milliseconds: Number(elapsed.toFixed(3)) })
    })
  }
  const data = text === undefined ? hexView(payload) : `"${harmless(text)}"`
  const took = elapsed === undefined ? "" : ` after ${elapsed.toFixed(2)} ms`
  const mark = format.marks ? `${clientMark(client)}< ` : ""
  return `${stamp(format, time)}${mark}Received ${name} (data: ${data})${took}\n`
}

/** What a close frame says: nothing, when it is empty; `undefined` when it isn't one that may travel. */
const closeOf = (payload: Uint8Array): { readonly code?: number; readonly reason?: string } | undefined => {
  if (payload.length === 0) return {}
  const code = payload.length < 2 ? 0 : viewOf(payload).readUInt16BE(0)
  const reason = payload.subarray(2)
  return isWireCloseCode(code) && isUtf8(reason) ? { code, reason: viewOf(reason).toString() } : undefined
}

const isReadable = ({ opcode, payload, rsv }: WireFrame): boolean =>
  rsv === 0 && opcode !== Opcode.binary && opcode !== Opcode.close && isUtf8(payload)

const framePayload = (frame: WireFrame, limit: number): string => {
  const { opcode, payload } = frame
  const close = opcode === Opcode.close ? closeOf(payload) : undefined
  if (close !== undefined) return close.code === undefined ? "" : `${close.code} ${JSON.stringify(close.reason)}`
  return isReadable(frame) ? harmless(JSON.stringify(viewOf(payload).toString())) : hexView(payload, limit)
}

/** What stands before the payload: RFC 6455 §5.2, or the type of a frame of Hixie-76 (§5.3 there). */
const frameHead = ({ fin, masked, opcode, payload, rsv }: WireFrame, draft: Draft): string => {
  if (!draft.capabilities.fragments) return `type=${opcode === Opcode.close ? "ff" : "00"} length=${payload.length}`
  const bits = `fin=${fin ? 1 : 0} rsv=${rsv.toString(2).padStart(3, "0")} mask=${masked ? 1 : 0}`
  return `opcode=${opcode} ${bits} length=${payload.length}`
}

/** A frame as it is on the wire. */
export const showFrame = (format: Format, frame: WireFrame, draft: Draft, client: Client, time: Date): string => {
  const { direction, fin, masked, opcode, payload, rsv } = frame
  if (format.json) {
    return jsonLine({
      time: time.toISOString(),
      frame: true,
      direction,
      ...(client === undefined ? {} : { client }),
      opcode: nameOf(opcode),
      fin,
      rsv,
      masked,
      length: payload.length,
      ...(opcode === Opcode.close ? closeOf(payload) : undefined),
      ...jsonPayload(isReadable(frame) ? viewOf(payload).toString() : payload)
    })
  }
  const arrow = direction === "sent" ? "->" : "<-"
  const body = framePayload(frame, format.terminal ? shownBytes : Infinity)
  const line = `${arrow} ${nameOf(opcode)} ${frameHead(frame, draft)} ${body}`
  return `${stamp(format, time)}${clientMark(client)}${line.trimEnd()}\n`
}
