import type { HeadersInput } from "../handshake/model.ts"

/**
 * The answer to a request that `authorize` accepts.
 *
 * @category authorizing
 * @since 0.2.0
 */
export interface AcceptanceOptions {
  /** Header fields to add to the answer, such as `Set-Cookie`, after those of the server's option `headers`. */
  readonly headers?: HeadersInput | undefined
  /**
   * The subprotocol, in place of the one that the option `protocols` would choose. One that the client did not offer is
   * answered with 500 (RFC 6455 §4.2.2).
   */
  readonly protocol?: string | undefined
}

/**
 * A request that `authorize` accepts, with more than a context: what `Server.accept` returns.
 *
 * @category authorizing
 * @since 0.2.0
 */
export class Acceptance<out A> {
  readonly context: A
  readonly headers: HeadersInput
  readonly protocol: string | undefined

  constructor(context: A, headers: HeadersInput, protocol: string | undefined) {
    this.context = context
    this.headers = headers
    this.protocol = protocol
  }
}
