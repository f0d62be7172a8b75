import type { HeadersInput } from "../handshake/model.ts"

/**
 * Options of `Server.accept`.
 *
 * @category authorizing
 * @since 0.2.0
 */
export interface AcceptanceOptions {
  /**
   * Header fields to add to the response, such as `Set-Cookie`, after those of the server's option `headers`.
   * Default: none.
   */
  readonly headers?: HeadersInput | undefined
  /**
   * The subprotocol, in place of the one that the option `protocols` would choose. One that the client did not offer is
   * answered with 500 (RFC 6455 §4.2.2).
   */
  readonly protocol?: string | undefined
}

/**
 * The result of `Server.accept`.
 *
 * @category authorizing
 * @since 0.2.0
 */
export class Acceptance<out A> {
  /** The context of the connection. */
  readonly context: A
  /** Header fields to add to the response. */
  readonly headers: HeadersInput
  /** The subprotocol to select, if it is not left to the option `protocols`. */
  readonly protocol: string | undefined

  constructor(context: A, headers: HeadersInput, protocol: string | undefined) {
    this.context = context
    this.headers = headers
    this.protocol = protocol
  }
}
