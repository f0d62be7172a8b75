/** Whether this engine captures stacks within a limit that can be set; a hardened environment may forbid that. */
const hasLimit =
  typeof Error.stackTraceLimit === "number" &&
  Object.getOwnPropertyDescriptor(Error, "stackTraceLimit")?.writable === true

/**
 * Makes an error without a stack. It is for errors that are made by the thousand, such as when all peers disconnect at once, and whose stack
 * would show only the event loop and this library.
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
