/**
 * The opening handshake, without I/O: requests and responses are data, a verdict is a value.
 *
 * A server calls `accept`, writes `encodeResponse(accepted.response)` and hands the transport to the draft's codec; for
 * a failure it writes `encodeResponse(refusal(error))`. A client calls `request`, writes `encodeRequest`, reads the
 * server's response and calls `verify`. Everything that negotiates is synchronous: the functions whose names end in
 * `Result` are the work, and the others lift them.
 */
export { HandshakeError } from "./internal/handshake/error.ts"
export type * from "./internal/handshake/error.ts"
export type * from "./internal/handshake/model.ts"
