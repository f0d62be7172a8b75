/**
 * The opening handshake without I/O: requests and responses are data.
 *
 * A server calls `accept`, writes `encodeResponse(accepted.response)` and passes the transport to the draft's codec. For a
 * failure it writes `encodeResponse(rejection(error))`. A client calls `request`, writes `encodeRequest(request)`, reads the
 * server's response and calls `verify`. Negotiation is synchronous: the functions whose names end in `Result` return a
 * `Result`, and those without the ending are effects.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import { dual } from "effect/Function"
import * as Client from "./internal/handshake/client.ts"
import type { HandshakeError } from "./internal/handshake/errorSchema.ts"
import type {
  Accepted,
  AcceptOptions,
  ClientRequest,
  Negotiated,
  Request,
  RequestOptions,
  ServerResponse
} from "./internal/handshake/model.ts"
import * as Server from "./internal/handshake/server.ts"

export { all, defaults, hixie76, hybi07, hybi08, rfc6455 } from "./internal/handshake/drafts.ts"
export { HandshakeError } from "./internal/handshake/errorSchema.ts"
export {
  headersTooLarge,
  shuttingDown,
  timeout,
  tooManyConnections,
  tooManyRequests
} from "./internal/handshake/error.ts"
export type * from "./internal/protocol/opening/reason.ts"
export type { InvalidField } from "./internal/protocol/opening/rules.ts"
export { encodeRequest, encodeResponse } from "./internal/protocol/opening/http.ts"
export type * from "./internal/handshake/model.ts"
export { reject, rejection, type Rejection, selectDraft } from "./internal/handshake/server.ts"

/**
 * The former name of `rejection`.
 *
 * @deprecated Use `rejection`.
 * @category accessors
 * @since 0.1.0
 */
export const refusal = Server.rejection

/**
 * The former name of `reject`.
 *
 * @deprecated Use `reject`.
 * @category errors
 * @since 0.1.0
 */
export const rejected = Server.reject

/**
 * Server: decides about a request. It selects the draft, validates the request by the draft's rules, applies the
 * policies, negotiates, and composes the response (RFC 6455 §4.2). Fails with a `HandshakeError` whose reason
 * names what is wrong.
 *
 * **Example** (Accepting a request without I/O)
 *
 * ```ts
 * import { Result } from "effect"
 * import { Handshake } from "effect-ws"
 * import assert from "node:assert"
 *
 * const sent = Result.getOrThrow(Handshake.requestResult("ws://localhost:8080/chat", { protocols: ["chat"] }))
 *
 * const accepted = Result.getOrThrow(
 *   Handshake.acceptResult(
 *     {
 *       method: sent.method,
 *       url: sent.target,
 *       headers: Object.fromEntries(sent.headers.map(([name, value]) => [name.toLowerCase(), value]))
 *     },
 *     { protocols: ["chat"] }
 *   )
 * )
 *
 * assert.strictEqual(accepted.protocol, "chat")
 * assert.strictEqual(accepted.response.status, 101)
 * ```
 *
 * @category server
 * @since 0.1.0
 */
export const acceptResult: (request: Request, options?: AcceptOptions) => Result.Result<Accepted, HandshakeError> =
  Server.accept

/**
 * Runs `acceptResult` as an effect.
 *
 * @category server
 * @since 0.1.0
 */
export const accept = (request: Request, options?: AcceptOptions): Effect.Effect<Accepted, HandshakeError> =>
  Effect.suspend(() => Effect.fromResult(Server.accept(request, options)))

/**
 * Client: composes the request for a connection to a URL, with a challenge from the system's secure random source
 * (RFC 6455 §4.1).
 *
 * **Details**
 *
 * The URL's scheme is `ws`, `wss`, `http` or `https`, or `ws+unix:/path/to.sock:/target` for a Unix socket. A user
 * and a password in it become basic authentication. Fails with `InvalidUrl`, `InvalidSubprotocol`, `UnsafeHeader`,
 * or with `Unsupported` where the draft can't do what the options ask for.
 *
 * @category client
 * @since 0.1.0
 */
export const requestResult: (
  url: string | URL,
  options?: RequestOptions
) => Result.Result<ClientRequest, HandshakeError> = Client.request

/**
 * Runs `requestResult` as an effect, which draws a fresh challenge each time that it runs.
 *
 * @category client
 * @since 0.1.0
 */
export const request = (url: string | URL, options?: RequestOptions): Effect.Effect<ClientRequest, HandshakeError> =>
  Effect.suspend(() => Effect.fromResult(Client.request(url, options)))

/**
 * Client: verifies a response against the request that it answers (RFC 6455 §4.1). Fails with `UnexpectedStatus`
 * when the status is not 101, and with `InvalidHeader`, `InvalidBody`, `InvalidSubprotocol` or `InvalidExtension`.
 *
 * @category client
 * @since 0.1.0
 */
export const verifyResult: {
  (response: ServerResponse): (request: ClientRequest) => Result.Result<Negotiated, HandshakeError>
  (request: ClientRequest, response: ServerResponse): Result.Result<Negotiated, HandshakeError>
} = dual(2, Client.verify)

/**
 * Runs `verifyResult` as an effect.
 *
 * @category client
 * @since 0.1.0
 */
export const verify: {
  (response: ServerResponse): (request: ClientRequest) => Effect.Effect<Negotiated, HandshakeError>
  (request: ClientRequest, response: ServerResponse): Effect.Effect<Negotiated, HandshakeError>
} = dual(2, (request: ClientRequest, response: ServerResponse) =>
  Effect.suspend(() => Effect.fromResult(Client.verify(request, response)))
)
