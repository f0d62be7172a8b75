/** A lock between processes: a file that exists as long as one of them holds it. */
import * as Effect from "effect/Effect"
import * as fs from "node:fs"

/** Milliseconds after which a lock counts as left behind by a process that ended while it held it. */
export const abandonedAfter = 5000

/** Milliseconds between attempts to get a lock. */
const retryAfter = 10

/**
 * Runs an effect while this process holds the lock, and waits for a process that holds it. `isLocked` is `false` where no
 * lock can be made: in a folder that can't be written to, or beside a file of this name that is no lock.
 *
 * The holder works for milliseconds; an empty file that is older than 5 seconds was left behind, and is removed.
 */
export const withLockFile = <A, E, R>(
  path: string,
  use: (isLocked: boolean) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.acquireUseRelease(acquire(path), use, (isLocked) => release(path, isLocked))

/** Waits on the clock of the system, since another process is waited for. */
const acquire = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    let timer: NodeJS.Timeout | undefined
    const attempt = (): void => {
      const made = make(path)
      if (made !== "exists") return resume(Effect.succeed(made === "made"))
      if (!removeAbandoned(path)) return resume(Effect.succeed(false))
      timer = setTimeout(attempt, retryAfter)
    }
    attempt()
    return Effect.sync(() => clearTimeout(timer))
  })

const make = (path: string): "made" | "exists" | "impossible" => {
  try {
    fs.closeSync(fs.openSync(path, "wx", 0o600))
    return "made"
  } catch (error) {
    return codeOf(error) === "EEXIST" ? "exists" : "impossible"
  }
}

/**
 * Removes a lock that was left behind, which a clock that was set back may have dated ahead. Returns whether there is anything to
 * wait for: not with a file of another kind, or one that can't be removed.
 */
const removeAbandoned = (path: string): boolean => {
  try {
    const file = fs.lstatSync(path)
    if (!file.isFile() || file.size > 0) return false
    if (Math.abs(Date.now() - file.mtimeMs) > abandonedAfter) fs.unlinkSync(path)
    return true
  } catch (error) {
    return codeOf(error) === "ENOENT"
  }
}

const release = (path: string, isLocked: boolean): Effect.Effect<void> =>
  Effect.sync(() => {
    if (isLocked) fs.rmSync(path, { force: true })
  })

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)
