/**
 * What a conformance case is: plain data. The driver interprets the steps, the judge compares what came back.
 *
 * Cases carry the numbers of the Autobahn test suite, so that results can be laid side by side.
 */

/** Bytes as they stand, text as UTF-8, or a pattern repeated (and cut) to a length in bytes. */
export type Payload = string | Uint8Array | { readonly repeat: string | Uint8Array; readonly length: number }

/** The bytes of a payload. */
export const bytesOf = (payload: Payload): Buffer => {
  if (typeof payload === "string") return Buffer.from(payload, "utf8")
  if (payload instanceof Uint8Array) return Buffer.from(payload)
  return Buffer.alloc(payload.length, typeof payload.repeat === "string" ? Buffer.from(payload.repeat) : payload.repeat)
}

/** Opcodes of RFC 6455 §11.8 that cases name; reserved ones stand as numbers. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** One frame to send, legal or not. */
export interface FrameSpec {
  readonly opcode: number
  readonly payload?: Payload | undefined
  /** Set unless `false`. */
  readonly fin?: boolean | undefined
  /** The three reserved bits, RSV1 counting 4. */
  readonly rsv?: number | undefined
}

/** Where the messages of a series of echoes come from. */
export type EchoSource =
  | { readonly _tag: "constant"; readonly payload: Payload }
  /** Consecutive pieces of a corpus, `size` characters (of text) or bytes each. */
  | { readonly _tag: "corpus"; readonly corpus: CorpusName; readonly size: number }

export type CorpusName = "json" | "picture" | "german" | "html" | "pdf"

/** What the driver does next. */
export type Step =
  /** Writes frames as one run of bytes; with `chop`, in writes of so many bytes, each in its own turn of the loop. */
  | { readonly _tag: "frames"; readonly frames: ReadonlyArray<FrameSpec>; readonly chop?: number | undefined }
  /** Writes a message in fragments of at most `fragment` bytes. */
  | {
      readonly _tag: "message"
      readonly opcode: number
      readonly payload: Payload
      readonly fragment: number
    }
  /** Writes payload bytes `[from, to)` of one frame, its header before byte 0. */
  | { readonly _tag: "piece"; readonly frame: FrameSpec; readonly from: number; readonly to: number }
  /** Writes a close frame with just this payload; from here on the driver is the side that closes. */
  | { readonly _tag: "close"; readonly payload: Payload }
  /** Goes on when so many events have come. */
  | { readonly _tag: "await"; readonly events: number }
  /** Pings; the pong shows that the peer took everything before it, which is recorded as `passed`. */
  | { readonly _tag: "probe"; readonly label: string }
  /** Sees whether the peer stays silent for so many milliseconds, which is recorded as `passed`. */
  | { readonly _tag: "quiet"; readonly label: string; readonly ms: number }
  /** Sends messages one after the other, each when the echo of the last one came. */
  | {
      readonly _tag: "echoes"
      readonly opcode: number
      readonly source: EchoSource
      /** Bytes per fragment on the wire; 0 for none. */
      readonly fragment: number
      /** How many; left out, the run decides. */
      readonly count?: number | undefined
    }

/** What the driver saw. Close frames are kept apart. */
export type ExpectedEvent =
  | { readonly _tag: "message"; readonly opcode: number; readonly payload: Payload }
  | { readonly _tag: "ping"; readonly payload: Payload }
  | { readonly _tag: "pong"; readonly payload: Payload }
  /** A probe or a quiet period that the peer passed with the connection open. */
  | { readonly _tag: "passed"; readonly label: string }

export interface Outcome {
  readonly verdict: "OK" | "NON-STRICT"
  readonly events: ReadonlyArray<ExpectedEvent>
}

/** How the connection should end. */
export interface ClosePlan {
  /** Who starts the closing handshake, or just drops the connection. */
  readonly by: "driver" | "peer"
  /** Close codes that the peer may send; none at all is always fine. The first is the one that the driver sends. */
  readonly codes: ReadonlyArray<number>
  /** Whether both close frames must be seen. */
  readonly clean: boolean
  /** Whether another code makes the behaviour FAILED too. */
  readonly wrongCodeFails?: boolean | undefined
}

/** What the driver asks of the peer's compressor. As client it stands in the offer, as server in the answer. */
export interface DeflateAsk {
  readonly noContextTakeover: boolean
  /** 8 to 15. */
  readonly maxWindowBits?: number | undefined
}

export interface Case {
  readonly id: string
  readonly title: string
  readonly steps: ReadonlyArray<Step>
  /** In order of preference; empty where the steps themselves judge. */
  readonly outcomes: ReadonlyArray<Outcome>
  readonly close: ClosePlan
  /** The standard leaves the outcome open: it is only noted. */
  readonly informational?: boolean | undefined
  /** Negotiates permessage-deflate; alternatives in order of preference. */
  readonly deflate?: ReadonlyArray<DeflateAsk> | undefined
  /** Longest time that the case may take, in ms; 10 s if left out. */
  readonly limit?: number | undefined
}

/** The driver closes with 1000 when it has what it waits for. */
export const driverCloses: ClosePlan = { by: "driver", codes: [1000], clean: true }

/** The peer must fail the connection: with one of these codes, without code, or by dropping TCP. */
export const peerFails = (...codes: ReadonlyArray<number>): ClosePlan => ({ by: "peer", codes, clean: false })

export const ok = (...events: ReadonlyArray<ExpectedEvent>): ReadonlyArray<Outcome> => [{ verdict: "OK", events }]

export const text = (payload: Payload): ExpectedEvent => ({ _tag: "message", opcode: opcodes.text, payload })

export const binary = (payload: Payload): ExpectedEvent => ({ _tag: "message", opcode: opcodes.binary, payload })

export const pong = (payload: Payload): ExpectedEvent => ({ _tag: "pong", payload })

/** Frames in one write. */
export const together = (...frames: ReadonlyArray<FrameSpec>): ReadonlyArray<Step> => [{ _tag: "frames", frames }]

/** Each frame in a write of its own. */
export const frameWise = (...frames: ReadonlyArray<FrameSpec>): ReadonlyArray<Step> =>
  frames.map((frame) => ({ _tag: "frames", frames: [frame], chop: Number.MAX_SAFE_INTEGER }))

/** Each byte in a write of its own. */
export const byteWise = (...frames: ReadonlyArray<FrameSpec>): ReadonlyArray<Step> => [
  { _tag: "frames", frames, chop: 1 }
]
