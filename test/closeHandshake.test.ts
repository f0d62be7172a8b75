import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  type CloseAction,
  type CloseCause,
  type CloseEvent,
  type CloseRules,
  type CloseState,
  open,
  transition
} from "../src/internal/protocol/closeHandshake.ts"
import * as Violation from "../src/internal/protocol/protocolError.ts"

const frame = (code: number | undefined, reason = "") => ({ code, reason })
const outgoing = (code: number | undefined) => ({ frame: frame(code), payload: new Uint8Array(0) })
const violation = Violation.invalidUtf8

const ours = frame(1000)
const theirs = frame(1001, "away")

/** Every event, by a short name. The actions of one are carried out before the next. */
const events = {
  "local close": { _tag: "LocalClose", outgoing: outgoing(1000) },
  "peer close": { _tag: "PeerClose", received: theirs, answer: outgoing(1001) },
  "peer close delivered": { _tag: "PeerCloseDelivered" },
  "close written": { _tag: "CloseWritten" },
  violation: { _tag: "ProtocolError", violation, outgoing: outgoing(1007) },
  "end of input": { _tag: "InputEnded" },
  end: { _tag: "End", cause: { _tag: "Terminated" } },
  timeout: { _tag: "Timeout", unsent: false },
  "timeout, unsent": { _tag: "Timeout", unsent: true },
  drop: { _tag: "Drop", cause: { _tag: "KeepAliveTimeout" } },
  "transport closed": { _tag: "TransportClosed", error: undefined },
  "transport failed": { _tag: "TransportClosed", error: new Error("reset") }
} satisfies { readonly [name: string]: CloseEvent }

type Name = keyof typeof events

const server: CloseRules = { endsTransport: true, closeCode: true }
const client: CloseRules = { endsTransport: false, closeCode: true }
const hixieServer: CloseRules = { endsTransport: true, closeCode: false }
const hixieClient: CloseRules = { endsTransport: false, closeCode: false }
const everyRules = { server, client, "hixie-76 server": hixieServer, "hixie-76 client": hixieClient }

interface Run {
  readonly state: CloseState
  readonly actions: ReadonlyArray<CloseAction>
}

const runAll = (rules: CloseRules, names: ReadonlyArray<Name>): Run => {
  let state: CloseState = open
  const actions: Array<CloseAction> = []
  for (const name of names) {
    const next = transition(rules, state, events[name])
    state = next.state
    actions.push(...next.actions)
  }
  return { state, actions }
}

/**
 * The closing handshake as RFC 6455 describes it, a line for each course that it can take: what happens, what is done, and
 * how it ends. `|` stands between what one event after the other causes, and `-` for nothing.
 */
const table: ReadonlyArray<{
  readonly section: string
  readonly events: ReadonlyArray<Name>
  readonly server: string
  readonly client: string
  readonly first: "sent" | "received" | undefined
  readonly cause: CloseCause["_tag"]
}> = [
  {
    section: "§7.1.2: we start, the peer answers, and the server ends the transport (§7.1.1)",
    events: ["local close", "close written", "peer close", "peer close delivered", "transport closed"],
    server: "send | - | - | endInput endOutput | endInput close",
    client: "send | - | - | endInput awaitEnd | endInput close",
    first: "sent",
    cause: "Handshake"
  },
  {
    section: "§5.5.1: the peer starts; we answer once its messages were delivered",
    events: ["peer close", "peer close delivered", "close written", "transport closed"],
    server: "- | endInput send | endOutput | endInput close",
    client: "- | endInput send | awaitEnd | endInput close",
    first: "received",
    cause: "Handshake"
  },
  {
    section: "§5.5.1: the handler closes while the peer's messages are delivered: one close frame is sent",
    events: ["peer close", "local close", "close written", "peer close delivered", "transport closed"],
    server: "- | send | endOutput | endInput endOutput | endInput close",
    client: "- | send | awaitEnd | endInput awaitEnd | endInput close",
    first: "received",
    cause: "Handshake"
  },
  {
    section: "§7.1.4: both start, and ours still waits behind messages",
    events: ["local close", "peer close", "peer close delivered", "close written", "transport closed"],
    server: "send | - | endInput | endOutput | endInput close",
    client: "send | - | endInput | awaitEnd | endInput close",
    first: "received",
    cause: "Handshake"
  },
  {
    section: "§7.1.7: the peer breaks the protocol: a close frame, then the end of the transport",
    events: ["violation", "close written", "transport closed"],
    server: "endInput send endOutput | - | endInput close",
    client: "endInput send endOutput | - | endInput close",
    first: "sent",
    cause: "Violation"
  },
  {
    section: "§5.5.1, §7.1.7: after our close frame there is no second one",
    events: ["local close", "close written", "violation", "transport closed"],
    server: "send | - | endInput endOutput | endInput close",
    client: "send | - | endInput endOutput | endInput close",
    first: "sent",
    cause: "Violation"
  },
  {
    section: "§7.1.5: the transport ends without a close frame",
    events: ["end of input", "transport closed"],
    server: "endInput endOutput | endInput close",
    client: "endInput endOutput | endInput close",
    first: undefined,
    cause: "TransportEnded"
  },
  {
    section: "§7.1.5: the transport ends before the peer's answer",
    events: ["local close", "close written", "end of input", "transport closed"],
    server: "send | - | endInput endOutput | endInput close",
    client: "send | - | endInput endOutput | endInput close",
    first: "sent",
    cause: "TransportEnded"
  },
  {
    section: "§7.1.5: the transport fails",
    events: ["transport failed"],
    server: "endInput close",
    client: "endInput close",
    first: undefined,
    cause: "TransportFailed"
  },
  {
    section: "§7.1.1: the peer doesn't answer in time",
    events: ["local close", "close written", "timeout, unsent", "transport closed"],
    server: "send | - | destroy | endInput close",
    client: "send | - | destroy | endInput close",
    first: "sent",
    cause: "CloseTimeout"
  },
  {
    section: "§7.1.1: both close frames were exchanged, and only the transport is late",
    events: ["peer close", "peer close delivered", "close written", "timeout", "transport closed"],
    server: "- | endInput send | endOutput | destroy | endInput close",
    client: "- | endInput send | awaitEnd | destroy | endInput close",
    first: "received",
    cause: "Handshake"
  },
  {
    section: "§7.1.1: the peer never reads what comes before our answer",
    events: ["peer close", "peer close delivered", "close written", "timeout, unsent", "transport closed"],
    server: "- | endInput send | endOutput | destroy | endInput close",
    client: "- | endInput send | awaitEnd | destroy | endInput close",
    first: "received",
    cause: "CloseTimeout"
  },
  {
    section: "§7.1.1: the peer's close frame comes while the transport is dropped",
    events: ["local close", "close written", "timeout", "peer close", "peer close delivered", "transport closed"],
    server: "send | - | destroy | - | endInput endOutput | endInput close",
    client: "send | - | destroy | - | endInput awaitEnd | endInput close",
    first: "sent",
    cause: "CloseTimeout"
  },
  {
    section: "a connection that is dropped delivers nothing more",
    events: ["drop", "transport closed"],
    server: "discardInput destroy | endInput close",
    client: "discardInput destroy | endInput close",
    first: undefined,
    cause: "KeepAliveTimeout"
  },
  {
    section: "our direction ends without a closing handshake; the peer's close frame is read all the same",
    events: ["end", "peer close", "peer close delivered", "transport closed"],
    server: "endOutput | - | endInput | endInput close",
    client: "endOutput | - | endInput | endInput close",
    first: "received",
    cause: "Terminated"
  }
]

/** What each event of a course causes. */
const perEvent = (rules: CloseRules, names: ReadonlyArray<Name>): string =>
  names
    .map((_, at) => {
      const before = runAll(rules, names.slice(0, at)).actions.length
      const { actions } = runAll(rules, names.slice(0, at + 1))
      return actions.slice(before).join(" ") || "-"
    })
    .join(" | ")

describe("the closing handshake", () => {
  for (const row of table) {
    it(row.section, () => {
      assert.strictEqual(perEvent(server, row.events), row.server)
      assert.strictEqual(perEvent(client, row.events), row.client)
      for (const [name, rules] of Object.entries(everyRules)) {
        const { state } = runAll(rules, row.events)
        assert(state._tag === "Closed", name)
        assert.strictEqual(state.closed.first, row.first, name)
        assert.strictEqual(state.closed.cause._tag, row.cause, name)
      }
    })
  }

  it("notes an empty close frame where the draft has no close codes", () => {
    const { state } = runAll(hixieServer, ["local close", "close written", "transport closed"])
    assert(state._tag === "Closed")
    assert.deepStrictEqual(state.closed.sent, frame(undefined))
  })

  const names = Object.keys(events) as ReadonlyArray<Name>
  const orders = fc.array(fc.constantFrom(...names), { maxLength: 12 })

  for (const [name, rules] of Object.entries(everyRules)) {
    it(`keeps its rules in every order of events, as a ${name}`, () => {
      fc.assert(
        fc.property(orders, (order) => {
          let state: CloseState = open
          const done: Array<CloseAction> = []
          let sent = 0
          for (const event of order) {
            // What can't be: nothing was queued, or nothing was read, or the timer doesn't run.
            if (event === "close written" && sent === 0) continue
            if (event.startsWith("timeout") && state._tag !== "Closing") continue
            const before: CloseState = state
            const next = transition(rules, before, events[event])
            state = next.state
            done.push(...next.actions)
            sent += next.actions.filter((action) => action === "send").length
            // RFC 6455 §5.5.1: one close frame.
            assert.isAtMost(sent, 1)
            // The end is the end.
            if (before._tag === "Closed") {
              assert.strictEqual(state, before)
              assert.deepStrictEqual(next.actions, [])
            }
            // Nothing is taken back.
            if (before._tag === "Closing" && state._tag === "Closing") {
              for (const key of ["sent", "received", "first", "cause", "outgoing"] as const) {
                if (before[key] !== undefined) assert.strictEqual(state[key], before[key])
              }
            }
            // A transport that closes closes the connection, from every state, once.
            if (event.startsWith("transport")) assert.strictEqual(state._tag, "Closed")
          }
          assert.isAtMost(done.filter((action) => action === "close").length, 1)
          if (state._tag !== "Closed") return
          const { cause, first, received, sent: frameSent } = state.closed
          // A handshake is complete with both close frames, and with nothing less.
          if (cause._tag === "Handshake") assert(frameSent !== undefined && received !== undefined)
          assert.strictEqual(first === undefined, frameSent === undefined && received === undefined)
          if (frameSent !== undefined && rules.closeCode) assert.include([ours.code, theirs.code, 1007], frameSent.code)
          if (received !== undefined) assert.strictEqual(received, theirs)
        })
      )
    })
  }
})
