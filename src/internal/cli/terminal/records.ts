/** Cuts what comes in a pipe into records: lines, or what ends with a zero byte. */
export class RecordSplitter {
  private readonly separator: number
  /** Bytes of the longest record. */
  readonly limit: number
  private readonly keepsCarriageReturn: boolean
  private partial: Array<Buffer> = []
  private size = 0

  /** `limit` is the longest record in bytes; in records that are bytes, a carriage return before the line feed is one. */
  constructor(separator: "line" | "null", limit: number, bytes = false) {
    this.separator = separator === "line" ? newline : 0
    this.keepsCarriageReturn = bytes || separator === "null"
    this.limit = limit
  }

  /** The records that end in this chunk; `undefined` when one is longer than the limit. */
  feed(chunk: Buffer): Array<Buffer> | undefined {
    const records: Array<Buffer> = []
    let start = 0
    for (let end = chunk.indexOf(this.separator); end >= 0; end = chunk.indexOf(this.separator, start)) {
      const record = this.join(chunk.subarray(start, end))
      if (record === undefined) return undefined
      records.push(record)
      start = end + 1
    }
    const rest = chunk.subarray(start)
    this.size += rest.length
    // The separator may be preceded by a carriage return, which doesn't count.
    if (this.size > this.limit + 1) return undefined
    if (rest.length > 0) this.partial.push(rest)
    return records
  }

  /** Returns the record after the last separator, unless it is empty. */
  end(): Array<Buffer> | undefined {
    if (this.size === 0) return []
    const record = this.join(empty)
    return record === undefined ? undefined : [record]
  }

  private join(last: Buffer): Buffer | undefined {
    const whole = this.partial.length === 0 ? last : Buffer.concat([...this.partial, last])
    this.partial = []
    this.size = 0
    const stripped = !this.keepsCarriageReturn && whole.at(-1) === carriageReturn ? whole.subarray(0, -1) : whole
    return stripped.length > this.limit ? undefined : stripped
  }
}

const newline = 0x0a
const carriageReturn = 0x0d
const empty = Buffer.alloc(0)
