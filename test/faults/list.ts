// The faults of the wire as data: where what goes wrong, and what both sides are told.
import type { Action, Direction } from "../support/faultyProxy.ts"
import type { Part, Verdict } from "./drive.ts"
import type { Face } from "./faces.ts"

/** The faces with something of their own to say; `peer` must say what `ws` does. */
export type Voice = Exclude<Face, "peer">

export const voiceOf = (face: Face): Voice => (face === "peer" ? "ws" : face)

/** What both sides are told, on each face. */
export type Verdicts = { readonly [V in Voice]: Verdict }

export interface CutFault {
  readonly name: string
  readonly direction: Direction
  readonly part: Part
  readonly action: Action
  /** The first byte of the part alone, or all but it. Default: each byte. */
  readonly only?: "first" | "rest" | undefined
  readonly verdicts: Verdicts
}

const verdict = (client: ReadonlyArray<string>, server: ReadonlyArray<string>): Verdict => ({ client, server })

export const hello = "message hello"

/** A connection that never opened, by what the client's face calls it. */
export const neverOpened = (
  effect: string,
  face: string,
  server: { readonly [V in Voice]: ReadonlyArray<string> }
): Verdicts => ({
  Effect: verdict([effect], server.Effect),
  ws: verdict([`error ${face}`, "close 1006"], server.ws),
  legacy: verdict([`error ${legacyWords[face] ?? face}`], server.legacy)
})

const legacyWords: { readonly [words: string]: string | undefined } = {
  "Unexpected server response: 400": "unexpected server response (400)"
}

export const nobody = { Effect: [], ws: [], legacy: [] }

/** A server that had answered. `ws` 0.4 calls each end without a close frame 1000. */
export const answered = (cause: string): { readonly [V in Voice]: ReadonlyArray<string> } => ({
  Effect: ["open", `ConnectionClosed 1006 ${cause}`],
  ws: ["open", "close 1006"],
  legacy: ["open", "close 1000"]
})

/** An open connection that was cut: what each side had heard, and why it ended. */
export const cut = (cause: string, client: ReadonlyArray<string>, server: ReadonlyArray<string>): Verdicts => ({
  Effect: verdict(
    ["open", ...client, `ConnectionClosed 1006 ${cause}`],
    ["open", ...server, `ConnectionClosed 1006 ${cause}`]
  ),
  ws: verdict(["open", ...client, "close 1006"], ["open", ...server, "close 1006"]),
  legacy: verdict(["open", ...client, "close 1000"], ["open", ...server, "close 1000"])
})

/** The server has both close frames, the client has not. */
const halfClosed = (cause: string): Verdicts => ({
  Effect: verdict(["open", hello, `ConnectionClosed 1006 ${cause}`], ["open", hello, "end Handshake"]),
  ws: verdict(["open", hello, "close 1006"], ["open", hello, "close 1000"]),
  legacy: verdict(["open", hello, "close 1000"], ["open", hello, "close 1000"])
})

/** A conversation in which nothing goes wrong. */
export const whole: Verdicts = {
  Effect: verdict(["open", hello, "end Handshake"], ["open", hello, "end Handshake"]),
  ws: verdict(["open", hello, "close 1000"], ["open", hello, "close 1000"]),
  legacy: verdict(["open", hello, "close 1000"], ["open", hello, "close 1000"])
}

/** Each byte of a conversation at which the transport is lost, in each direction. */
export const cuts: ReadonlyArray<CutFault> = [
  {
    name: "reset in the request",
    direction: "up",
    part: "head",
    action: "reset",
    verdicts: neverOpened("OpenFailed lost", "lost", nobody)
  },
  {
    name: "reset in the response",
    direction: "down",
    part: "head",
    action: "reset",
    verdicts: neverOpened("OpenFailed lost", "lost", answered("TransportFailed"))
  },
  {
    name: "reset in a message of the client's",
    direction: "up",
    part: "message",
    action: "reset",
    verdicts: cut("TransportFailed", [], [])
  },
  {
    name: "reset in a message of the server's",
    direction: "down",
    part: "message",
    action: "reset",
    verdicts: cut("TransportFailed", [], [hello])
  },
  {
    name: "reset in the client's close frame",
    direction: "up",
    part: "close",
    action: "reset",
    verdicts: cut("TransportFailed", [hello], [hello])
  },
  {
    name: "reset in the server's close frame",
    direction: "down",
    part: "close",
    action: "reset",
    verdicts: halfClosed("TransportFailed")
  },
  {
    name: "the client's side ends before the request",
    direction: "up",
    part: "head",
    only: "first",
    action: "end",
    verdicts: neverOpened("OpenFailed lost", "lost", nobody)
  },
  {
    name: "the client's side ends in the request",
    direction: "up",
    part: "head",
    only: "rest",
    action: "end",
    verdicts: neverOpened("HandshakeFailed UnexpectedStatus 400", "Unexpected server response: 400", nobody)
  },
  {
    name: "the server's side ends in the response",
    direction: "down",
    part: "head",
    action: "end",
    verdicts: neverOpened("OpenFailed lost", "lost", answered("TransportEnded"))
  },
  {
    name: "the client's side ends in a message",
    direction: "up",
    part: "message",
    action: "end",
    verdicts: cut("TransportEnded", [], [])
  },
  {
    name: "the server's side ends in a message",
    direction: "down",
    part: "message",
    action: "end",
    verdicts: cut("TransportEnded", [], [hello])
  },
  {
    name: "the client's side ends in its close frame",
    direction: "up",
    part: "close",
    action: "end",
    verdicts: cut("TransportEnded", [hello], [hello])
  },
  {
    name: "the server's side ends in its close frame",
    direction: "down",
    part: "close",
    action: "end",
    verdicts: halfClosed("TransportEnded")
  }
]

/** What a face makes of something at one place of a conversation. */
export interface SpotFault {
  readonly name: string
  readonly direction: Direction
  /** The first byte of this part, or so many bytes behind it. */
  readonly part: Part
  readonly offset?: number | undefined
  readonly action: Action
  /** The time limit of the client that ends it. */
  readonly limit?: "openTimeout" | "keepAlive" | "closeTimeout" | undefined
  /** What the client says. Default `hello`. */
  readonly text?: string | undefined
  /** Faces that aren't in it can't notice, or notice later than a test may wait. */
  readonly verdicts: { readonly [V in Voice]?: Verdict }
}

/** So long that its length stands in two bytes behind the first two of the frame. */
const long = "x".repeat(200)

const kept = "ConnectionClosed 1006 KeepAliveTimeout"

/** A frame whose first byte has reserved bits. */
const reserved = {
  Effect: "ProtocolViolation 1002 UnexpectedReservedBits Violation",
  ws: "error Invalid WebSocket frame: RSV2 and RSV3 must be clear",
  legacy: "error reserved fields must be empty"
} as const

/** A frame that continues no message. */
const continuation = {
  Effect: "ProtocolViolation 1002 UnexpectedOpcode Violation",
  ws: "error Invalid WebSocket frame: invalid opcode 0",
  legacy: "error continuation frame cannot follow current opcode"
} as const

/** One side was told a violation, before any answer, and the other that it was closed for it. */
const violated = (
  by: "client" | "server",
  words: { readonly [V in Voice]: string },
  client: ReadonlyArray<string>,
  server: ReadonlyArray<string>
): Verdicts => {
  const sides = (mine: ReadonlyArray<string>, theirs: string): Verdict => ({
    client: ["open", ...client, ...(by === "client" ? mine : [theirs])],
    server: ["open", ...server, ...(by === "server" ? mine : [theirs])]
  })
  return {
    Effect: sides([words.Effect], "ConnectionClosed 1002 Handshake"),
    ws: sides([words.ws, "close 1006"], "close 1002"),
    legacy: sides([words.legacy, "close 1002"], "close 1002")
  }
}

/** What stalls, and what arrives changed or in another order. */
export const spots: ReadonlyArray<SpotFault> = [
  ...[0, 40].map((offset): SpotFault => ({
    name: `the request stalls after ${offset} bytes`,
    direction: "up",
    part: "head",
    offset,
    action: "stall",
    limit: "openTimeout",
    verdicts: {
      Effect: verdict(["OpenTimeout"], []),
      ws: verdict(["error Opening handshake has timed out", "close 1006"], []),
      legacy: verdict(["error opening handshake has timed out"], [])
    }
  })),
  ...[0, 40].map((offset): SpotFault => ({
    name: `the response stalls after ${offset} bytes`,
    direction: "down",
    part: "head",
    offset,
    action: "stall",
    limit: "openTimeout",
    verdicts: { Effect: verdict(["OpenTimeout"], ["open", kept]) }
  })),
  ...[0, 3].map((offset): SpotFault => ({
    name: `a message of the client's stalls after ${offset} bytes`,
    direction: "up",
    part: "message",
    offset,
    action: "stall",
    limit: "keepAlive",
    verdicts: { Effect: verdict(["open", kept], ["open", kept]) }
  })),
  ...[0, 3].map((offset): SpotFault => ({
    name: `a message of the server's stalls after ${offset} bytes`,
    direction: "down",
    part: "message",
    offset,
    action: "stall",
    limit: "keepAlive",
    verdicts: { Effect: verdict(["open", kept], ["open", hello, kept]) }
  })),
  {
    name: "the client's close frame stalls",
    direction: "up",
    part: "close",
    offset: 1,
    action: "stall",
    limit: "closeTimeout",
    verdicts: { Effect: verdict(["open", hello, "ConnectionClosed 1006 CloseTimeout"], ["open", hello, kept]) }
  },
  {
    name: "the server's close frame stalls",
    direction: "down",
    part: "close",
    offset: 1,
    action: "stall",
    limit: "closeTimeout",
    verdicts: {
      Effect: verdict(["open", hello, "ConnectionClosed 1006 CloseTimeout"], ["open", hello, "end Handshake"]),
      ws: verdict(["open", hello, "close 1006"], ["open", hello, "close 1000"])
    }
  },
  ...(["corrupt", "reorder"] as const).flatMap((action): Array<SpotFault> => [
    {
      name: `${action}: the request`,
      direction: "up",
      part: "head",
      action,
      verdicts: neverOpened("HandshakeFailed UnexpectedStatus 400", "Unexpected server response: 400", nobody)
    },
    {
      name: `${action}: the response`,
      direction: "down",
      part: "head",
      action,
      verdicts: neverOpened("OpenFailed no HTTP", "no HTTP", answered("TransportEnded"))
    }
  ]),
  {
    name: "corrupt: a message of the client's",
    direction: "up",
    part: "message",
    action: "corrupt",
    verdicts: violated("server", reserved, [], [])
  },
  {
    name: "corrupt: a message of the server's",
    direction: "down",
    part: "message",
    action: "corrupt",
    verdicts: violated("client", reserved, [], [hello])
  },
  {
    name: "reorder: a message of the client's",
    direction: "up",
    part: "message",
    action: "reorder",
    text: long,
    verdicts: violated("server", continuation, [], [])
  },
  {
    name: "reorder: a message of the server's",
    direction: "down",
    part: "message",
    action: "reorder",
    text: long,
    verdicts: violated("client", continuation, [], [`message ${long}`])
  },
  {
    name: "corrupt: the client's close frame",
    direction: "up",
    part: "close",
    action: "corrupt",
    verdicts: {
      ...violated("server", reserved, [hello], [hello]),
      // `ws` 0.4 says by which code its own side closed, if that was first.
      legacy: verdict(["open", hello, "close 1000"], ["open", hello, reserved.legacy, "close 1002"])
    }
  },
  {
    name: "corrupt: the server's close frame",
    direction: "down",
    part: "close",
    action: "corrupt",
    verdicts: {
      Effect: verdict(["open", hello, reserved.Effect], ["open", hello, "end Handshake"]),
      ws: verdict(["open", hello, reserved.ws, "close 1006"], ["open", hello, "close 1000"]),
      legacy: verdict(["open", hello, reserved.legacy, "close 1000"], ["open", hello, "close 1000"])
    }
  }
]
