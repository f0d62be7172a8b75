/** The subprotocols of a client's request and of a server's response: RFC 6455 §4.1 and §4.2.2. */
import { splitList } from "./checks.ts"
import { invalidSubprotocol, type Reason } from "./reason.ts"
import { isToken } from "./token.ts"

/** Returns what is wrong with the subprotocols of a client: each is a token, and none stands twice. */
export const checkProtocols = (protocols: ReadonlyArray<string>): Reason | undefined => {
  const broken = protocols.find((protocol) => !isToken(protocol))
  if (broken !== undefined) {
    return invalidSubprotocol(broken, `the subprotocol ${JSON.stringify(broken)} is not a token`)
  }
  const twice = protocols.find((protocol, index) => protocols.indexOf(protocol) !== index)
  return twice === undefined
    ? undefined
    : invalidSubprotocol(twice, `the subprotocol ${twice} is asked for more than once`)
}

/** A server's subprotocols, the preferred first, or a function that chooses one of those offered. */
export type ProtocolChoice<Request> =
  | ReadonlyArray<string>
  | ((offered: ReadonlyArray<string>, request: Request) => string | undefined)

/** Server: chooses among the subprotocols of a valid `Sec-WebSocket-Protocol`. */
export const chooseProtocol = <Request>(
  choice: ProtocolChoice<Request> | undefined,
  header: string | undefined,
  request: Request
): { readonly protocol: string | undefined } | Reason => {
  if (choice === undefined || header === undefined) return { protocol: undefined }
  const offered = splitList(header)
  if (typeof choice !== "function") return { protocol: choice.find((protocol) => offered.includes(protocol)) }
  const protocol = choice(offered, request)
  return protocol === undefined || offered.includes(protocol)
    ? { protocol }
    : invalidSubprotocol(protocol, "the server chose a subprotocol that the client did not offer")
}

/** Client: returns what is wrong with the subprotocol of a response. */
export const checkChosenProtocol = (
  protocol: string | undefined,
  asked: ReadonlyArray<string>,
  required: boolean
): Reason | undefined => {
  if (protocol === undefined) {
    return required && asked.length > 0
      ? invalidSubprotocol(protocol, "the server chose none of the subprotocols")
      : undefined
  }
  return asked.includes(protocol)
    ? undefined
    : invalidSubprotocol(protocol, `the server chose the subprotocol ${protocol}, which was not asked for`)
}
