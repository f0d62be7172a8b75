/** How many parts a doubling of the value is cut into: what is read back is wrong by 1.6 % at most. */
const partsPerDoubling = 64

/** Counts durations in a fixed amount of memory, by classes that grow with the value. */
export class Histogram {
  count = 0
  least = Infinity
  most = 0
  private sum = 0
  private readonly counts = new Map<number, number>()

  /** Counts a duration, in milliseconds. */
  add(milliseconds: number): void {
    const value = Math.max(milliseconds, smallest)
    this.count++
    this.sum += milliseconds
    this.least = Math.min(this.least, milliseconds)
    this.most = Math.max(this.most, milliseconds)
    const index = Math.floor(Math.log2(value / smallest) * partsPerDoubling)
    this.counts.set(index, (this.counts.get(index) ?? 0) + 1)
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.sum / this.count
  }

  /** The duration that this share of all, from 0 to 1, doesn't exceed. */
  quantile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.count))
    let seen = 0
    for (const [index, count] of this.sorted()) {
      seen += count
      if (seen >= wanted) return Math.min(this.most, upperEnd(index))
    }
    return this.most
  }

  /** Rows of durations and how many there were, from the shortest to the longest: at most `limit`. */
  rows(limit: number): ReadonlyArray<{ readonly upTo: number; readonly count: number }> {
    const sorted = this.sorted()
    const [first] = sorted[0] ?? []
    const [last] = sorted.at(-1) ?? []
    if (first === undefined || last === undefined) return []
    const width = Math.ceil((last - first + 1) / limit)
    const rows = Array.from({ length: Math.ceil((last - first + 1) / width) }, (_, at) => ({
      upTo: upperEnd(first + (at + 1) * width - 1),
      count: 0
    }))
    for (const [index, count] of sorted) {
      const row = rows[Math.floor((index - first) / width)]
      if (row !== undefined) row.count += count
    }
    return rows
  }

  private sorted(): ReadonlyArray<readonly [index: number, count: number]> {
    return [...this.counts].toSorted(([a], [b]) => a - b)
  }
}

/** The shortest duration that has a class of its own, in milliseconds. */
const smallest = 0.001

const upperEnd = (index: number): number => smallest * 2 ** ((index + 1) / partsPerDoubling)
