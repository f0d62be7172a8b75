/** What a client asks for in `Sec-WebSocket-Protocol`: RFC 6455 §4.1. */
import * as Errors from "./error.ts"
import { isToken } from "../protocol/opening/token.ts"

/** What is wrong with the subprotocols of a client: each is a token, and none stands twice. */
export const checkProtocols = (protocols: ReadonlyArray<string>): Errors.HandshakeError | undefined => {
  const broken = protocols.find((protocol) => !isToken(protocol))
  if (broken !== undefined) {
    return Errors.invalidSubprotocol(broken, `the subprotocol ${JSON.stringify(broken)} is not a token`)
  }
  const twice = protocols.find((protocol, index) => protocols.indexOf(protocol) !== index)
  return twice === undefined
    ? undefined
    : Errors.invalidSubprotocol(twice, `the subprotocol ${twice} is asked for more than once`)
}
