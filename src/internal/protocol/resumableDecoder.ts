import type { Borrowed, Decoder } from "./codec.ts"
import type { Violation } from "./protocolError.ts"

/**
 * What the decoders of all drafts have in common: pausing in the middle of what was read, and going on from there, also
 * when the sink itself feeds, suspends, resumes or throws.
 */
export abstract class ResumableDecoder implements Decoder {
  suspended = false
  violation: Violation | undefined = undefined
  /** How far the chunk under way is taken. Kept by `parse` for each call of a sink, which may throw. */
  protected taken = 0
  /** Whether a sink is being called, or may be: what it feeds or resumes waits for the bytes under way. */
  private parsing = false
  /** What came while suspended. */
  private backlog: Array<Buffer> | undefined = undefined

  abstract readonly partial: boolean
  abstract readonly partialSize: number

  /** The same while nothing that came before waits. */
  protected abstract readonly roomAhead: Buffer | undefined

  /**
   * Parses a chunk until its end, a violation or a suspension, and answers how far it came. Of a borrowed one it hands nothing on
   * where it stands: it may stop anywhere, and gets the rest again in memory of its own. What is borrowed until the first delivery
   * must end with the frame that it tells of.
   */
  protected abstract parse(chunk: Buffer, borrowed: Borrowed | undefined): number

  /** Gives up what is of no use after a violation. */
  protected abstract release(): void

  get atRest(): boolean {
    return (
      !this.suspended &&
      !this.parsing &&
      !this.partial &&
      this.violation === undefined &&
      (this.backlog === undefined || this.backlog.length === 0)
    )
  }

  get readTarget(): Buffer | undefined {
    const isBehind = this.suspended || this.parsing || (this.backlog !== undefined && this.backlog.length > 0)
    return isBehind ? undefined : this.roomAhead
  }

  feed(chunk: Buffer, borrowed?: Borrowed): Violation | undefined {
    if (this.violation === undefined && chunk.length > 0) {
      if (this.suspended || this.parsing)
        (this.backlog ??= []).push(borrowed === undefined ? chunk : Buffer.from(chunk))
      else this.read(chunk, borrowed)
    }
    return this.proceed()
  }

  suspend(): void {
    this.suspended = true
  }

  resume(): Violation | undefined {
    this.suspended = false
    return this.proceed()
  }

  private proceed(): Violation | undefined {
    while (!this.suspended && !this.parsing && this.violation === undefined) {
      const chunk = this.backlog?.shift()
      if (chunk === undefined) break
      this.read(chunk, undefined)
    }
    return this.violation
  }

  private read(chunk: Buffer, borrowed: Borrowed | undefined): void {
    let thrown = true
    this.parsing = true
    this.taken = 0
    try {
      this.taken = this.parse(chunk, borrowed)
      thrown = false
    } finally {
      this.parsing = false
      // A sink has thrown: what follows its frame waits for `resume`.
      if (thrown) this.suspended = true
      if (this.violation !== undefined) {
        this.backlog = undefined
        this.release()
      } else if (this.taken < chunk.length) {
        const rest = chunk.subarray(this.taken)
        ;(this.backlog ??= []).unshift(borrowed === undefined ? rest : Buffer.from(rest))
      }
    }
  }
}
