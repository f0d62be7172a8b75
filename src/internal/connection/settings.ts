import type { CloseRules } from "../protocol/closeHandshake.ts"
import type { Codec, Encoder, Role } from "../protocol/codec.ts"
import { rsv1 } from "../protocol/opcode.ts"
import type { Transport } from "../transport/transport.ts"
import type { Compression } from "./compression.ts"
import { CountedEncoder, type Counters } from "./counters.ts"
import type { OnFrame } from "./frameObserver.ts"
import type { WriterSettings } from "./frameWriter.ts"
import type { InboundSettings } from "./inbound.ts"
import type { KeepAliveOptions } from "./keepAlive.ts"
import type { Timers } from "./timers.ts"

export interface ConnectionOptions {
  readonly transport: Transport
  readonly codec: Codec
  readonly role: Role
  readonly timers: Timers
  /** Longest message in bytes, inflated. */
  readonly maxMessageSize: number
  /** Most frames of one message. Default: no limit, since fragments cost no more than their bytes. */
  readonly maxFragments?: number | undefined
  /** Bytes that may wait to be written before `outbound.full` is true. */
  readonly writeHighWaterMark: number
  /** Milliseconds that the closing handshake may take. */
  readonly closeTimeout: number
  readonly keepAlive?: KeepAliveOptions | undefined
  readonly compression?: Compression | undefined
  /** Called with each frame but those that are sent already encoded. Default: none, at no cost. */
  readonly onFrame?: OnFrame | undefined
  /** Where messages, bytes and round trips are counted. Default: nowhere, at no cost. */
  readonly counters?: Counters | undefined
  /** Whether pings are answered. Default `true`. */
  readonly autoPong?: boolean | undefined
  /** Whether a close frame is answered with its reason too, not with its code alone. Default `false`. */
  readonly echoReason?: boolean | undefined
  /** Whether a client, too, ends the transport once both close frames were exchanged. Default `false`. */
  readonly clientEnds?: boolean | undefined
  /** These three are the decoder's. */
  readonly skipUtf8Validation?: boolean | undefined
  readonly minimalLength?: boolean | undefined
  readonly maxChunks?: number | undefined
}

/** What all connections with the same options have in common. */
export interface Settings extends InboundSettings, WriterSettings {
  readonly codec: Codec
  readonly role: Role
  readonly timers: Timers
  readonly encoder: Encoder
  /** Milliseconds. */
  readonly closeTimeout: number
  readonly closeRules: CloseRules
  readonly autoPong: boolean
  readonly echoReason: boolean
  readonly counters: Counters | undefined
}

/** What has to be equal for two connections to share their settings; the rest follows from it. */
const keys: ReadonlyArray<Exclude<keyof Settings, "encoder">> = [
  "codec",
  "role",
  "timers",
  "maxMessageSize",
  "allowedRsv",
  "skipUtf8Validation",
  "minimalLength",
  "maxChunks",
  "maxFragments",
  "writeHighWaterMark",
  "closeTimeout",
  "closeRules",
  "autoPong",
  "echoReason",
  "counters"
]

/** By whether this side ends the transport, then by whether the draft has close codes. */
const closeRules: ReadonlyArray<CloseRules> = [
  { endsTransport: false, closeCode: false },
  { endsTransport: false, closeCode: true },
  { endsTransport: true, closeCode: false },
  { endsTransport: true, closeCode: true }
]

const rulesOf = (endsTransport: boolean, closeCode: boolean): CloseRules =>
  closeRules.find((rules) => rules.endsTransport === endsTransport && rules.closeCode === closeCode) ?? {
    endsTransport,
    closeCode
  }

const last: { server: Settings | undefined; client: Settings | undefined } = { server: undefined, client: undefined }

/** The settings of a connection: one object for all that are alike, as those of a server are, so that they cost nothing. */
export const settingsOf = (options: ConnectionOptions): Settings => {
  const { codec, role, counters } = options
  const encoder = codec.encoder(role)
  const settings: Settings = {
    codec,
    role,
    timers: options.timers,
    encoder: counters === undefined ? encoder : new CountedEncoder(encoder, counters),
    maxMessageSize: options.maxMessageSize,
    allowedRsv: options.compression === undefined ? 0 : rsv1,
    skipUtf8Validation: options.skipUtf8Validation,
    minimalLength: options.minimalLength,
    maxChunks: options.maxChunks,
    maxFragments: options.maxFragments ?? Infinity,
    writeHighWaterMark: Math.max(1, options.writeHighWaterMark),
    closeTimeout: options.closeTimeout,
    closeRules: rulesOf(
      role === "server" || options.clientEnds === true || options.transport.endsAtOnce === true,
      codec.capabilities.closeCode
    ),
    autoPong: options.autoPong !== false,
    echoReason: options.echoReason === true,
    counters
  }
  const before = last[role]
  if (before !== undefined && keys.every((key) => before[key] === settings[key])) return before
  last[role] = settings
  return settings
}
