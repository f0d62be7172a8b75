import { isUtf8 } from "node:buffer"
import { isWireCloseCode } from "../../protocol/closeCode.ts"
import type { Draft } from "../../handshake/model.ts"
import type { WireFrame } from "../../connection/frameObserver.ts"
import { Opcode } from "../../protocol/opcode.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { type Encoding, encodeOutput } from "./payload.ts"
import { prettyJson } from "./pretty.ts"
import { harmless, jsonLine, oneLine } from "./safeText.ts"

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
  /** JSON over several lines, on a terminal. */
  readonly pretty: boolean
  /** Whether what is shown may have colours of its own. */
  readonly colored: boolean
  /** Reads binary messages as text; `undefined` for one that it can't read. */
  readonly decode: ((bytes: Uint8Array) => string | undefined) | undefined
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

/** What begins each further line of a message on a terminal, so that no message looks like a line of the program. */
const continuation = "| "

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0")

/** The time of day, to the millisecond. */
const clock = (time: Date): string =>
  `${pad(time.getHours(), 2)}:${pad(time.getMinutes(), 2)}:${pad(time.getSeconds(), 2)}.${pad(time.getMilliseconds(), 3)}`

const stamp = (format: Format, time: Date): string => (format.timestamps ? `[${clock(time)}] ` : "")

const clientMark = (client: Client): string => (client === undefined ? "" : `[${client}] `)

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

/** Bytes as `xxd` shows them: the place, the bytes by two, and the characters of ASCII. */
const hexDump = (bytes: Uint8Array): string => {
  const shown = viewOf(bytes).subarray(0, shownBytes)
  const rows = Array.from({ length: Math.ceil(shown.length / 16) }, (_, row) => {
    const part = shown.subarray(row * 16, row * 16 + 16)
    const hex = part.toString("hex").replaceAll(/.{4}(?=.)/g, "$& ")
    const text = part.toString("latin1").replaceAll(/[^ -~]/g, ".")
    return `${(row * 16).toString(16).padStart(8, "0")}: ${hex.padEnd(39)}  ${text}`
  })
  return [...rows, ...(bytes.length > shownBytes ? [`… ${bytes.length - shownBytes} more`] : [])].join("\n")
}

/** Bytes that are shown on the line of their message. */
const shortBinary = 16

const terminalBody = (message: Message, { colored, encoding, pretty }: Format): string => {
  if (typeof message === "string") return (pretty ? prettyJson(message, colored) : undefined) ?? harmless(message)
  if (encoding === "hex" || encoding === "base64") return String(encodeOutput(message, encoding))
  const head = `[binary, ${message.length} bytes]`
  return message.length <= shortBinary ? `${head} ${hexView(message)}` : `${head}\n${hexDump(message)}`
}

/** A message that arrived. */
export const showMessage = (format: Format, received: Message, client: Client, time: Date): Shown => {
  const message = (typeof received === "string" ? undefined : format.decode?.(received)) ?? received
  if (format.json) return jsonMessage("received", message, client, time)
  if (format.terminal) {
    const mark = format.marks ? `${clientMark(client)}< ` : ""
    const body = terminalBody(message, format)
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
  const data = text === undefined ? hexView(payload) : `"${oneLine(text)}"`
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
