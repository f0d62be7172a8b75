/**
 * What is told of handshakes and connections, beside what the program does with them.
 *
 * @category options
 * @since 0.1.0
 */
export interface ObservabilityOptions {
  /**
   * Counts connections, handshakes, messages, bytes, close codes, round trips and what is buffered, as metrics of Effect:
   * `Observability` names them. Costs an addition for each read, each write, and each message that is sent.
   * Default: off, at no cost.
   */
  readonly metrics?: boolean | undefined
  /**
   * Makes a span for each handshake, `websocket.handshake`, and one for each connection, `websocket.connection`, with
   * Effect's `Tracer`; what handles a connection runs within its span. Default: off, at no cost.
   */
  readonly tracing?: boolean | TracingOptions | undefined
}

/**
 * How handshakes and connections are traced.
 *
 * @category tracing
 * @since 0.1.0
 */
export interface TracingOptions {
  /**
   * What joins the traces of both sides, the header `traceparent` of W3C Trace Context. With `"continue"` a client sends it,
   * and a server's spans have the client's span as their parent and follow its decision about sampling. With `"link"` a
   * server's spans begin traces of their own and only link to the client's: for servers that strangers reach. With `"off"`
   * it is neither sent nor read. A header that isn't one valid value of at most 256 characters counts as none, and
   * `tracestate` is not passed on. Default `"continue"`.
   */
  readonly propagation?: "continue" | "link" | "off" | undefined
}
