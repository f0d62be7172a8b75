import { randomBytes } from "node:crypto"

const ids = new WeakMap<object, string>()

/** Tells the processes apart whose logs are read together. */
let prefix: string | undefined
let last = 0

/**
 * Returns the id of a connection: the same at every call, and no other connection's. It is made at the first call, so that a
 * connection whose id is never read keeps none.
 */
export const idOf = (connection: object): string => {
  const known = ids.get(connection)
  if (known !== undefined) return known
  prefix ??= randomBytes(6).toString("hex")
  const id = `${prefix}-${++last}`
  ids.set(connection, id)
  return id
}
