/** What gathers output and wants to write it at the end of the tick. */
export interface Flushable {
  flush(): void
}

let waiting: Array<Flushable> = []

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
