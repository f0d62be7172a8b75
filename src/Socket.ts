/**
 * A live WebSocket connection, of either side: frames and messages as Streams, sends that wait for the transport, a
 * closing handshake at the end of the scope. `connect` opens one as a client, `Server` as a server, `makePair` both
 * ends in memory.
 */
export type { CloseCause, Closed, CloseFrame } from "./internal/closing.ts"
export type { WireFrame } from "./internal/observer.ts"
export { broadcast, type BroadcastOptions, type SlowPolicy } from "./internal/socket/broadcast.ts"
export type { CommonClosed, CommonSocket } from "./internal/socket/common.ts"
export { connect, type ConnectOptions } from "./internal/socket/connect.ts"
export type { DialOptions } from "./internal/socket/dial.ts"
export * from "./internal/socket/error.ts"
export type { Message } from "./internal/socket/inbox.ts"
export type { FrameObserver, KeepAliveOptions, Socket, SocketOptions } from "./internal/socket/model.ts"
export { makePair, type PairOptions } from "./internal/socket/pair.ts"
export { isTransient, type KeepUpOptions, type KeptUp } from "./internal/socket/keepUp.ts"
export { type Reconnecting, reconnecting, type ReconnectingOptions } from "./internal/socket/reconnecting.ts"
export { run, runBatch } from "./internal/socket/run.ts"
export {
  type Malformed,
  MessageError,
  type MessageErrorReason,
  type MessageFormat,
  type SchemaOptions,
  type TypedSocket,
  type WrongShape,
  type WrongType
} from "./internal/socket/schema.ts"
export { withSchema } from "./internal/socket/withSchema.ts"
