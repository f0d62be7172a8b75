/** Counts times in buckets of 1 µs up to 100 ms: cheap enough for every message. */
export class LatencyHistogram {
  readonly #buckets = new Uint32Array(100_000)
  #count = 0

  /** @param milliseconds one round trip */
  record(milliseconds: number): void {
    const bucket = Math.min(this.#buckets.length - 1, Math.max(0, Math.floor(milliseconds * 1000)))
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count++
  }

  clear(): void {
    this.#buckets.fill(0)
    this.#count = 0
  }

  /** The time in microseconds that the given share (0 to 1) of the round trips stayed within. */
  percentile(share: number): number {
    let left = this.#count * share
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      left -= this.#buckets[bucket] ?? 0
      if (left <= 0) return bucket + 1
    }
    return this.#buckets.length
  }
}
