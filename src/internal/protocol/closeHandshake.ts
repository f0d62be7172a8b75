import type { CloseFrame } from "./closeFrame.ts"
import type { Violation } from "./protocolError.ts"

/**
 * Why a connection ended.
 *
 * @category models
 * @since 0.1.0
 */
export type CloseCause =
  /** Both close frames were exchanged: the closing handshake of RFC 6455 §7.1.2. */
  | { readonly _tag: "Handshake" }
  /** The peer broke the protocol, or exceeded a limit. */
  | { readonly _tag: "Violation"; readonly violation: Violation }
  /** The transport failed. */
  | { readonly _tag: "TransportFailed"; readonly error: Error }
  /** The transport ended without a close frame from the peer. */
  | { readonly _tag: "TransportEnded" }
  /** The closing handshake took longer than the close timeout. */
  | { readonly _tag: "CloseTimeout" }
  /** The peer didn't answer a keepalive ping in time. */
  | { readonly _tag: "KeepAliveTimeout" }
  /** This side ended the connection without a closing handshake. */
  | { readonly _tag: "Terminated" }

/**
 * The end of a connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Closed {
  /** The close frame that this side sent. */
  readonly sent: CloseFrame | undefined
  /** The close frame that the peer sent. */
  readonly received: CloseFrame | undefined
  /** Which of the two came first. */
  readonly first: "sent" | "received" | undefined
  /** Why the connection ended. */
  readonly cause: CloseCause
}

/** A close frame to send, and its payload as it is written. */
export interface OutgoingClose {
  readonly frame: CloseFrame
  readonly payload: Uint8Array
}

/** What a connection's role and draft decide about its end. */
export interface CloseRules {
  /** Whether this side ends the transport once both close frames were exchanged: a server does (RFC 6455 §7.1.1). */
  readonly endsTransport: boolean
  /** Whether the draft's closing frame carries a code and a reason: not in Hixie-76. */
  readonly closeCode: boolean
}

/** The closing handshake, or another end, is under way. */
export interface Closing {
  readonly _tag: "Closing"
  /** The close frame that is queued or was sent; `undefined` while none is to be sent. */
  readonly outgoing: OutgoingClose | undefined
  readonly sent: CloseFrame | undefined
  readonly received: CloseFrame | undefined
  readonly first: "sent" | "received" | undefined
  /** Why the connection ends, when it isn't by the closing handshake. */
  readonly cause: CloseCause | undefined
}

export type CloseState =
  | { readonly _tag: "Open" }
  /** The peer's close frame was read, and the messages before it are being delivered: they can still be answered. */
  | { readonly _tag: "CloseReceived"; readonly received: CloseFrame; readonly answer: OutgoingClose }
  | Closing
  | { readonly _tag: "Closed"; readonly closed: Closed }

export type CloseEvent =
  /** This side starts the closing handshake. */
  | { readonly _tag: "LocalClose"; readonly outgoing: OutgoingClose }
  /** The queued close frame was written after everything that was sent before it. */
  | { readonly _tag: "CloseWritten" }
  /** The peer's close frame was read. `answer` is the frame to answer it with. */
  | { readonly _tag: "PeerClose"; readonly received: CloseFrame; readonly answer: OutgoingClose }
  /** Everything before the peer's close frame was delivered. */
  | { readonly _tag: "PeerCloseDelivered" }
  /** The peer broke the protocol. `outgoing` says so. */
  | { readonly _tag: "ProtocolError"; readonly violation: Violation; readonly outgoing: OutgoingClose }
  /** The peer ended its direction of the transport without a close frame. */
  | { readonly _tag: "InputEnded" }
  /** This side ends its direction of the transport without a closing handshake. */
  | { readonly _tag: "End"; readonly cause: CloseCause }
  /** The close timeout is over. `unsent` says whether bytes still wait for the transport. */
  | { readonly _tag: "Timeout"; readonly unsent: boolean }
  /** This side drops the transport. */
  | { readonly _tag: "Drop"; readonly cause: CloseCause }
  /** Both directions of the transport are closed. */
  | { readonly _tag: "TransportClosed"; readonly error: Error | undefined }

export type CloseAction =
  /** Queue the outgoing close frame after everything that was sent before. */
  | "send"
  /** Nothing more is read: notify the reader. */
  | "endInput"
  /** Deliver nothing of what was read but not delivered. */
  | "discardInput"
  /** End this direction of the transport once everything queued is written. */
  | "endOutput"
  /** Write what is queued, and wait for the peer to end the transport. */
  | "awaitEnd"
  /** Drop the transport with everything that is queued. */
  | "destroy"
  /** The connection is closed: release it and notify its owner. */
  | "close"

/** The state after an event, and what has to be done, in order. */
export interface Transition {
  readonly state: CloseState
  readonly actions: ReadonlyArray<CloseAction>
}

export const open: CloseState = { _tag: "Open" }

/** The close frame of a draft whose closing frame carries nothing. */
const emptyFrame: CloseFrame = { code: undefined, reason: "" }

const unanswered: Closing = {
  _tag: "Closing",
  outgoing: undefined,
  sent: undefined,
  received: undefined,
  first: undefined,
  cause: undefined
}

const none: ReadonlyArray<CloseAction> = []

/** The end that is under way, or the one that begins now: the peer's close frame counts as soon as it was read. */
const closingOf = (state: Exclude<CloseState, { _tag: "Closed" }>): Closing => {
  switch (state._tag) {
    case "Open":
      return unanswered
    case "CloseReceived":
      return { ...unanswered, received: state.received, first: "received" }
    case "Closing":
      return state
  }
}

/** Whether a close frame is queued or was sent: there is at most one (RFC 6455 §5.5.1). */
const hasOutgoing = (state: CloseState): boolean => state._tag === "Closing" && state.outgoing !== undefined

/** Both close frames are exchanged, or about to be. */
const afterBoth = (rules: CloseRules): CloseAction => (rules.endsTransport ? "endOutput" : "awaitEnd")

/** Why the connection ended, when nothing else was noted before the transport closed. */
const causeOf = ({ received, sent }: Closing, error: Error | undefined): CloseCause => {
  if (sent !== undefined && received !== undefined) return { _tag: "Handshake" }
  return error === undefined ? { _tag: "TransportEnded" } : { _tag: "TransportFailed", error }
}

/** The closing handshake of RFC 6455 §7 and of the older drafts: what an event changes, and what has to be done then. */
export const transition = (rules: CloseRules, state: CloseState, event: CloseEvent): Transition => {
  if (state._tag === "Closed") return { state, actions: none }
  const closing = closingOf(state)
  switch (event._tag) {
    case "LocalClose":
      return state._tag === "Closing"
        ? { state, actions: none }
        : { state: { ...closing, outgoing: event.outgoing }, actions: ["send"] }
    case "CloseWritten": {
      const { first, outgoing, received, sent } = closing
      if (outgoing === undefined || sent !== undefined) return { state, actions: none }
      const frame = rules.closeCode ? outgoing.frame : emptyFrame
      const next: Closing = { ...closing, sent: frame, first: first ?? "sent" }
      return { state: next, actions: received === undefined ? none : [afterBoth(rules)] }
    }
    case "PeerClose": {
      const { answer, received } = event
      if (state._tag === "Open") return { state: { _tag: "CloseReceived", received, answer }, actions: none }
      if (closing.received !== undefined) return { state, actions: none }
      return { state: { ...closing, received, first: closing.first ?? "received" }, actions: none }
    }
    case "PeerCloseDelivered":
      if (state._tag === "CloseReceived") {
        return { state: { ...closing, outgoing: state.answer }, actions: ["endInput", "send"] }
      }
      if (closing.received === undefined) return { state, actions: none }
      // Our own close frame may still be queued after other messages: then its write completes the handshake.
      return { state, actions: closing.sent === undefined ? ["endInput"] : ["endInput", afterBoth(rules)] }
    case "ProtocolError": {
      const failed: Closing = { ...closing, cause: closing.cause ?? { _tag: "Violation", violation: event.violation } }
      return hasOutgoing(state)
        ? { state: failed, actions: ["endInput", "endOutput"] }
        : { state: { ...failed, outgoing: event.outgoing }, actions: ["endInput", "send", "endOutput"] }
    }
    case "InputEnded": {
      // A close frame that was read is answered once it is delivered.
      if (state._tag === "CloseReceived") return { state, actions: none }
      if (closing.received !== undefined) return { state, actions: ["endInput", "endOutput"] }
      const cause = closing.cause ?? { _tag: "TransportEnded" }
      return { state: { ...closing, cause }, actions: ["endInput", "endOutput"] }
    }
    case "End":
      return state._tag === "Closing"
        ? { state, actions: ["endOutput"] }
        : { state: { ...closing, cause: event.cause }, actions: ["endOutput"] }
    case "Timeout": {
      if (closing.sent !== undefined && closing.received !== undefined && !event.unsent) {
        return { state: closing, actions: ["destroy"] }
      }
      return { state: { ...closing, cause: closing.cause ?? { _tag: "CloseTimeout" } }, actions: ["destroy"] }
    }
    case "Drop":
      return {
        state: { ...closing, cause: closing.cause ?? event.cause },
        actions: ["discardInput", "destroy"]
      }
    case "TransportClosed": {
      const { first, received, sent } = closing
      const cause = closing.cause ?? causeOf(closing, event.error)
      return { state: { _tag: "Closed", closed: { sent, received, first, cause } }, actions: ["endInput", "close"] }
    }
  }
}
