/** From what a session saw to a verdict. */
import { bytesOf, type Case, type ExpectedEvent } from "./case.ts"
import type { Event, Session } from "./session.ts"

export type Behavior = "OK" | "NON-STRICT" | "INFORMATIONAL" | "UNIMPLEMENTED" | "FAILED"

/** How the connection ended. */
export type BehaviorClose = "OK" | "INFORMATIONAL" | "UNCLEAN" | "WRONG CODE" | "FAILED BY CLIENT" | "FAILED"

export interface Verdict {
  readonly behavior: Behavior
  readonly close: BehaviorClose
  /** What happened, for people. */
  readonly note: string
  /** Messages that came compressed. */
  readonly compressed: number
}

const same = (event: Event, expected: ExpectedEvent): boolean => {
  if (event._tag === "passed") return expected._tag === "passed" && event.label === expected.label
  if (expected._tag === "passed" || expected._tag !== event._tag) return false
  if (event._tag === "message" && expected._tag === "message" && event.opcode !== expected.opcode) return false
  return event.payload.equals(bytesOf(expected.payload))
}

const matches = (events: ReadonlyArray<Event>, expected: ReadonlyArray<ExpectedEvent>): boolean =>
  events.length === expected.length &&
  events.every((event, i) => {
    const other = expected[i]
    return other !== undefined && same(event, other)
  })

const shown = (payload: Buffer): string =>
  payload.length <= 16 ? payload.toString("hex") : `${payload.toString("hex", 0, 16)}… (${payload.length} bytes)`

const described = (event: Event): string => {
  switch (event._tag) {
    case "passed":
      return `passed "${event.label}"`
    case "message":
      return `${event.opcode === 1 ? "text" : "binary"} ${shown(event.payload)}`
    default:
      return `${event._tag} ${shown(event.payload)}`
  }
}

const story = (session: Session): string => {
  const { closeReceived, closeSent } = session
  const parts = [
    session.violation,
    session.timedOut ? "time ran out" : undefined,
    session.events.length > 0 ? `events: ${session.events.map(described).join(", ")}` : "no events",
    closeReceived === undefined ? "no close frame came" : `close frame with ${closeReceived.code ?? "no code"}`,
    closeSent === undefined ? "none sent" : `${session.startedBy === "driver" ? "after" : "before"} the driver's`,
    session.droppedByDriver ? "the server left TCP open" : undefined
  ]
  return parts.filter((part) => part !== undefined).join("; ")
}

const judgeClose = (test: Case, session: Session): BehaviorClose => {
  const { by, clean, codes } = test.close
  if (session.timedOut || session.violation !== undefined) return "FAILED"
  if ((by === "driver") !== (session.startedBy === "driver")) return "FAILED"
  if (clean && (session.closeReceived === undefined || session.closeSent === undefined)) return "UNCLEAN"
  const code = session.closeReceived?.code
  if (code !== undefined && !codes.includes(code)) return "WRONG CODE"
  if (session.droppedByDriver) return "FAILED BY CLIENT"
  return "OK"
}

/** The verdict where the connection did not get so far, or had to be stopped. */
export const failed = (note: string): Verdict => ({ behavior: "FAILED", close: "FAILED", note, compressed: 0 })

/** The verdict once the connection is over. `failure` is what a step already found wrong. */
export const judge = (test: Case, session: Session, failure: Failure | undefined): Verdict => {
  const close = judgeClose(test, session)
  const note = story(session)
  const { compressed } = session
  if (session.timedOut || session.violation !== undefined) return failed(note)
  if (failure !== undefined) {
    return { behavior: failure.behavior, close, note: `${failure.reason}; ${note}`, compressed }
  }
  const outcome =
    test.outcomes.length === 0
      ? ({ verdict: "OK" } as const)
      : test.outcomes.find(({ events }) => matches(session.events, events))
  if (test.informational === true) {
    const open = `${outcome?.verdict ?? "other"}, ${close}: ${note}`
    return { behavior: "INFORMATIONAL", close: "INFORMATIONAL", note: open, compressed }
  }
  const wrongCode = close === "WRONG CODE" && test.close.wrongCodeFails === true
  return { behavior: outcome === undefined || wrongCode ? "FAILED" : outcome.verdict, close, note, compressed }
}

/** Something that a step found wrong. */
export interface Failure {
  readonly behavior: "FAILED" | "UNIMPLEMENTED"
  readonly reason: string
}
