import { messageOf } from "../../messageOf.ts"

/** What the system's errors say, in plain words: Node's own have the call, the address and the inside of OpenSSL in them. */

/** The system's name for an error, such as `ECONNREFUSED`; empty when it has none. */
export const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

/** Plain words for error codes; a code that is worth looking up follows its words. */
const words = new Map([
  ["EACCES", "permission denied (EACCES)"],
  ["EADDRINUSE", "the address is in use (EADDRINUSE)"],
  ["EADDRNOTAVAIL", "the address is not here (EADDRNOTAVAIL)"],
  ["EAI_AGAIN", "the name can't be looked up (EAI_AGAIN)"],
  ["ECONNREFUSED", "connection refused (ECONNREFUSED)"],
  ["EHOSTUNREACH", "no way to the host (EHOSTUNREACH)"],
  ["EISDIR", "it is a directory"],
  ["ENETUNREACH", "no way to the network (ENETUNREACH)"],
  ["ENOENT", "there is no such file"],
  ["ENOSPC", "no space is left (ENOSPC)"],
  ["ENOTDIR", "there is no such file"],
  ["ENOTFOUND", "no such host (ENOTFOUND)"],
  ["EPERM", "permission denied (EPERM)"],
  ["ETIMEDOUT", "no answer (ETIMEDOUT)"]
])

/** `[error number]:error:…:library:function:reason:…`, as OpenSSL writes it. */
const openSsl = /(?:^|:)error:[\dA-F]+:[^:]*:[^:]*:([^:\n]+)/

/** What an error says, in plain words. */
export const plain = (cause: unknown): string => {
  const code = codeOf(cause)
  const known = words.get(code)
  if (known !== undefined) return known
  const text = messageOf(cause)
  if (code.startsWith("HPE_")) return "what answers there does not speak HTTP"
  if (text === "socket hang up") return "the other end hung up"
  return (openSsl.exec(text)?.[1] ?? text.split("\n", 1)[0] ?? text).trim()
}
