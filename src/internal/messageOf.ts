/** What was thrown, in words: anything can be. */
export const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
