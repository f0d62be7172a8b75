import * as Effect from "effect/Effect"
import type { Readable } from "node:stream"

/** Bytes of a refusal's body that are kept. */
const maxSize = 64 * 1024

/** How long the rest of a body is waited for. */
const maxWait = "1 second"

/**
 * Reads the body of a response that opens no connection: at most 64 KiB, and what has come when it ends, breaks, or has taken
 * one second. Leaves the stream to its owner.
 */
export const readRefusedBody = (stream: Readable): Effect.Effect<Buffer> =>
  Effect.suspend(() => {
    const chunks: Array<Buffer> = []
    let size = 0
    const read = Effect.callback<void>((resume) => {
      const done = (): void => resume(Effect.void)
      const onData = (chunk: Buffer): void => {
        chunks.push(chunk.subarray(0, maxSize - size))
        size = Math.min(maxSize, size + chunk.length)
        if (size === maxSize) done()
      }
      const onError = (): void => done()
      stream.on("data", onData)
      stream.on("end", done)
      stream.on("close", done)
      stream.on("error", onError)
      return Effect.sync(() => {
        stream.pause()
        stream.off("data", onData)
      })
    })
    return Effect.map(Effect.timeoutOption(read, maxWait), () => Buffer.concat(chunks, size))
  })
