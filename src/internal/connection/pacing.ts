/** What the reader allows. */
export type Demand =
  | { readonly _tag: "Flowing" }
  /** The source is paused; what was read is delivered. `peeked` counts the bytes that came all the same. */
  | { readonly _tag: "Paused"; readonly peeked: number }
  /** Nothing is delivered either. */
  | { readonly _tag: "Held"; readonly peeked: number }

/** Whether reading may go on. */
export type Pacing =
  | Demand
  /** A message inflates on the thread pool, or the handler is busy with one: nothing is delivered meanwhile. */
  | { readonly _tag: "Waiting"; readonly demand: Demand }
  /** A close frame was read, and is being delivered. */
  | { readonly _tag: "CloseRead" }
  /** Nothing more is delivered; the handler isn't notified yet. */
  | { readonly _tag: "Stopped" }
  /** The handler knows that nothing more will come. */
  | { readonly _tag: "Ended" }

export const flowing: Pacing & Demand = { _tag: "Flowing" }
export const paused: Demand = { _tag: "Paused", peeked: 0 }
export const held: Demand = { _tag: "Held", peeked: 0 }
export const closeRead: Pacing = { _tag: "CloseRead" }
export const stopped: Pacing = { _tag: "Stopped" }
export const ended: Pacing = { _tag: "Ended" }

/** Most bytes that are read, beyond what the reader asked for, to notice whether the peer is alive. */
export const maxPeeked = 1024 * 1024

/** Whether the reader has paused reading. */
export const isPausing = (pacing: Pacing): pacing is Extract<Demand, { readonly peeked: number }> =>
  pacing._tag === "Paused" || pacing._tag === "Held"
