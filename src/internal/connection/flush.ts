/** What gathers output and wants to write it at the end of the tick. */
export interface Flushable {
  flush(): void
}

let waiting: Array<Flushable> = []

/** What is being told a batch, and flushes at its end. */
let busy: Flushable | undefined

/** Says that a batch is being told, or, with `undefined`, that none is any more. */
export const setBusy = (one: Flushable | undefined): void => {
  busy = one
}

const flushAll = (): void => {
  const all = waiting
  waiting = []
  let at = 0
  try {
    while (at < all.length) all[at++]?.flush()
  } finally {
    // A transport that throws must not keep the others from their turn.
    for (const rest of all.slice(at)) flushSoon(rest)
  }
}

/**
 * Flushes at the end of this tick, when its promises have settled too: what many small steps send travels in one
 * write, and nothing waits longer than the tick.
 */
export const flushSoon = (one: Flushable): void => {
  if (waiting.length === 0) process.nextTick(flushAll)
  waiting.push(one)
}

let gathering: Array<Flushable> = []

const flushGathered = (): void => {
  const all = gathering
  gathering = []
  let at = 0
  try {
    while (at < all.length) all[at++]?.flush()
  } finally {
    for (const rest of all.slice(at)) flushAfterTurn(rest)
  }
}

/**
 * Flushes at the end of this turn of the event loop: behind everything that its reads brought, of all connections.
 */
export const flushAfterTurn = (one: Flushable): void => {
  if (gathering.length === 0) setImmediate(flushGathered)
  gathering.push(one)
}

// A program may send and exit in the same breath: what the system takes at once still goes out.
process.on("exit", () => {
  flushGathered()
  busy?.flush()
  flushAll()
})
