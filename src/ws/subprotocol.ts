/** The header `Sec-WebSocket-Protocol` (RFC 6455 §11.3.4): `parse` reads it. */
import { isTokenCode } from "../internal/protocol/opening/token.ts"

/**
 * Reads a `Sec-WebSocket-Protocol` header into the set of its subprotocols, RFC 6455 §11.3.4. Throws a `SyntaxError` for
 * one that breaks the grammar or has a name twice.
 *
 * @category parsing and formatting
 * @since 0.1.0
 */
export const parse = (header: string): Set<string> => {
  const protocols = new Set<string>()
  const end = header.length
  let at = 0
  const isSpace = (): boolean => header[at] === " " || header[at] === "\t"
  while (true) {
    // The header's first character belongs to a name.
    if (at > 0) while (at < end && isSpace()) at++
    const start = at
    while (at < end && isTokenCode(header.charCodeAt(at))) at++
    if (at === start) {
      throw new SyntaxError(at >= end ? "Unexpected end of input" : `Unexpected character at index ${at}`)
    }
    const protocol = header.slice(start, at)
    const closeName = at
    while (at < end && isSpace()) at++
    if (at < end && header[at] !== ",") throw new SyntaxError(`Unexpected character at index ${at}`)
    if (at >= end && at > closeName) throw new SyntaxError("Unexpected end of input")
    if (protocols.has(protocol)) throw new SyntaxError(`The "${protocol}" subprotocol is duplicated`)
    protocols.add(protocol)
    if (at >= end) return protocols
    at++
  }
}
