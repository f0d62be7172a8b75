/** What all connections of the process share: idle contexts, turns on the thread pool, and the bounds of both. */
import { availableParallelism } from "node:os"
import { liveContexts } from "./context.ts"
import { Limiter } from "./limiter.ts"
import { Pool } from "./pool.ts"

/** Bytes that a pooled context gives out at a time on the thread pool. */
export const pooledChunkSize = 64 * 1024

/** The same of a context that a connection keeps: smaller, since it is memory that an idle connection holds. */
export const keptChunkSize = 16 * 1024

/** The last four octets of what a flush gives, which are not sent (RFC 7692 §7.2.1). */
export const tail = Uint8Array.of(0x00, 0x00, 0xff, 0xff)

/** No bytes. */
export const nothing = new Uint8Array(0)

/** Turns on the thread pool, for compressing and decompressing together. */
export const limiter = new Limiter(Math.min(4, availableParallelism()))

/** Idle contexts that compress. */
export const deflatePool = new Pool(8)

/** Idle contexts that decompress. */
export const inflatePool = new Pool(8)

/** Compression contexts that connections with context takeover keep: how many there are, and may be. */
export const kept = { count: 0, limit: 1024 }

export interface Limits {
  /**
   * Messages that are compressed or decompressed on the thread pool at a time, at least 1. Default: the processors, at
   * most 4, which is the size of the pool.
   */
  readonly concurrency?: number | undefined
  /**
   * Compression contexts that connections with context takeover may keep, together; some 270 KB each. Connections beyond
   * that compress without takeover, which the peer need not know. Default 1024.
   */
  readonly keptContexts?: number | undefined
}

/** Sets bounds of the process. What is under way stays. */
export const setLimits = (limits: Limits): void => {
  const { concurrency, keptContexts } = limits
  if (concurrency !== undefined) {
    if (!(concurrency >= 1)) throw new RangeError(`concurrency must be at least 1, not ${concurrency}`)
    limiter.concurrency = concurrency
  }
  if (keptContexts !== undefined) {
    if (!(keptContexts >= 0)) throw new RangeError(`keptContexts must be at least 0, not ${keptContexts}`)
    kept.limit = keptContexts
  }
}

export interface Usage {
  /** Open zlib contexts, idle ones included. */
  readonly contexts: number
  /** Open contexts that wait in a pool. */
  readonly idle: number
  /** Compression contexts that connections keep. */
  readonly kept: number
  /** Messages on the thread pool. */
  readonly running: number
  /** Messages that wait for it. */
  readonly queued: number
}

/** What compression holds in this process now. */
export const usage = (): Usage => ({
  contexts: liveContexts(),
  idle: deflatePool.size + inflatePool.size,
  kept: kept.count,
  running: limiter.running,
  queued: limiter.queued
})

/** Closes the idle contexts; they open again when needed. */
export const releaseIdle = (): void => {
  deflatePool.clear()
  inflatePool.clear()
}
