import type { InvalidKey } from "./error.ts"

/** Longest key, in characters. */
const maxKeyLength = 255

/** For how many milliseconds a key is remembered. */
export const keyTime = 120_000

/** Most keys that are remembered in memory. Beyond it the oldest are forgotten. */
const maxKeys = 100_000

/** Why this is no key; `undefined` when it is. */
export const keyViolation = (key: string): InvalidKey | undefined =>
  key.length > 0 && key.length <= maxKeyLength
    ? undefined
    : { _tag: "InvalidKey", message: `unsupported key of ${key.length} characters; allowed: 1 to ${maxKeyLength}` }

/** The keys of messages that were published in this process. */
export class PublishKeys {
  /** When each is forgotten, the oldest first. */
  private readonly until = new Map<string, number>()

  /** Whether a key is new; remembers it. */
  admit(key: string, now: number): boolean {
    const { until } = this
    for (const [old, time] of until) {
      if (time > now && until.size < maxKeys) break
      until.delete(old)
    }
    if (until.has(key)) return false
    until.set(key, now + keyTime)
    return true
  }
}
