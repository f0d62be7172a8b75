/** Whether this engine captures stacks within a limit that can be set; a hardened environment may forbid that. */
const hasLimit =
  typeof Error.stackTraceLimit === "number" &&
  Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true

/**
 * Makes an error without a stack: for those of which thousands are made at once, such as when all peers leave, and whose stack
 * would only show the event loop and the inside of this library.
 */
export const withoutStack = <A>(make: () => A): A => {
  if (!hasLimit) return make()
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = limit
  }
}
