/** Gathers output that is to be written soon. */
export interface Flushable {
  flush(): void
}

const rethrow = (error: unknown): never => {
  throw error
}

/** Throws an error where nothing else is interrupted by it, as an uncaught exception. */
export const throwLater = (error: unknown): void => process.nextTick(rethrow, error)

/** Flushes each of them; one that throws doesn't keep the others from their turn. */
const flushAll = (all: ReadonlyArray<Flushable>): void => {
  for (const one of all) {
    try {
      one.flush()
    } catch (error) {
      throwLater(error)
    }
  }
}

let ofTick: Array<Flushable> = []

const flushTick = (): void => {
  const all = ofTick
  ofTick = []
  flushAll(all)
}

/** Flushes at the end of this tick, after its promises have settled: what many small steps send leaves in one write. */
export const flushAtTickEnd = (one: Flushable): void => {
  if (ofTick.length === 0) process.nextTick(flushTick)
  ofTick.push(one)
}

let ofTurn: Array<Flushable> = []

const flushTurn = (): void => {
  const all = ofTurn
  ofTurn = []
  flushAll(all)
}

/** Flushes at the end of this turn of the event loop, after everything that the reads of all connections caused. */
export const flushAfterTurn = (one: Flushable): void => {
  if (ofTurn.length === 0) setImmediate(flushTurn)
  ofTurn.push(one)
}

/**
 * Those that gather until the end of a batch of input, the innermost last: the delivery of one can cause another's. The array
 * is never shortened, so that no batch allocates.
 */
const ofBatches: Array<Flushable | undefined> = []
let depth = 0

/** Notes that a batch of input is being delivered, at whose end this is flushed. */
export const beginBatch = (one: Flushable): void => {
  ofBatches[depth++] = one
}

/** The batch was delivered, or its delivery was interrupted. */
export const endBatch = (one: Flushable): void => {
  const at = ofBatches[depth - 1] === one ? depth - 1 : ofBatches.lastIndexOf(one)
  if (at < 0) return
  if (at < depth - 1) ofBatches.copyWithin(at, at + 1, depth)
  ofBatches[--depth] = undefined
}

// A program may send and exit at once: what the system takes without waiting is still written.
process.on("exit", () => {
  flushTurn()
  flushAll(ofBatches.filter((one) => one !== undefined))
  flushTick()
})
