import type { Wire } from "./link.ts"

/** Where a connection goes on in a stream, and what became of what was published meanwhile. */
export interface Resumption<Place> extends Pick<Wire, "away"> {
  /** Where it goes on; `undefined` when nothing was read before, so that it starts where the stream ends. */
  readonly last: Place | undefined
  /** Which stream it is, or which run of its server: it changes when messages may have been lost there. */
  readonly run: string
}

/** Where this process was in a stream. */
export interface Reached<Place> {
  /** The last message that was read. */
  readonly last: Place
  readonly run: string
}

/** Where this process is in a stream, over one connection after another. */
export class StreamCursor<Place> {
  private place: Reached<Place> | undefined = undefined

  /** `undefined` before the first subscription of all. */
  get reached(): Reached<Place> | undefined {
    return this.place
  }

  /** Goes on reading here, in this run. */
  begin(last: Place, run: string): void {
    this.place = { last, run }
  }

  /** Notes that a message was read. */
  advance(last: Place): void {
    if (this.place !== undefined) this.place = { last, run: this.place.run }
  }
}
