/**
 * Whether a server or a client reports metrics and traces of its handshakes and connections.
 *
 * @category options
 * @since 0.1.0
 */
export interface ObservabilityOptions {
  /**
   * Whether connections, handshakes, messages, bytes, close codes, round trips and buffered bytes are counted, as
   * the metrics of `Observability`. Costs an addition for each read, each write, and each message that is sent.
   * Default: `false`, at no cost.
   */
  readonly metrics?: boolean | undefined
  /**
   * Whether each handshake has a span, `websocket.handshake`, and each connection, `websocket.connection`, of
   * Effect's `Tracer`. The handler of a connection runs within its span. Default: `false`, at no cost.
   */
  readonly tracing?: boolean | TracingOptions | undefined
}

/**
 * Options of traces.
 *
 * @category tracing
 * @since 0.1.0
 */
export interface TracingOptions {
  /**
   * How the traces of both sides are joined, by the header `traceparent` of W3C Trace Context. Default:
   * `"continue"`.
   *
   * - `"continue"`: a client sends the header; a server's spans have the client's span as their parent and follow its decision about sampling.
   * - `"link"`: a server's spans begin traces of their own and link to the client's. For servers that strangers reach.
   * - `"off"`: the header is neither sent nor read.
   *
   * A header that isn't one valid value of at most 256 characters counts as absent; `tracestate` is not passed on.
   */
  readonly propagation?: "continue" | "link" | "off" | undefined
}
