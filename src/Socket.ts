/**
 * WebSocket connections, of either side: frames and messages as Streams, sends that wait for the transport, and a closing
 * handshake at the end of the scope. `connect` opens a connection as a client, `Server` accepts them, and `makePair` connects
 * two sockets in memory.
 *
 * @since 0.1.0
 */
export type { CloseFrame } from "./internal/protocol/closeFrame.ts"
export type { CloseCause, Closed } from "./internal/protocol/closeHandshake.ts"
export type { WireFrame } from "./internal/connection/frameObserver.ts"
export { broadcast, type BroadcastOptions, type SlowPolicy } from "./internal/socket/broadcast.ts"
export type { CommonClosed, CommonSocket } from "./internal/socket/common.ts"
export { connect, type ConnectOptions } from "./internal/client/connect.ts"
export type { DialOptions, TlsOptions } from "./internal/client/dial.ts"
export * from "./internal/socket/error.ts"
export { SocketError } from "./internal/socket/errorSchema.ts"
export type { Message } from "./internal/socket/receiveBuffer.ts"
export {
  type FrameObserver,
  isSocket,
  type KeepAliveOptions,
  type Socket,
  type SocketOptions,
  type StreamedMessage
} from "./internal/socket/model.ts"
export { TypeId } from "./internal/socket/typeId.ts"
export { makePair, type PairOptions } from "./internal/server/pair.ts"
export { isTransient, type ReconnectingSocket, type ReconnectOptions } from "./internal/client/reconnect.ts"
export { type Reconnecting, reconnecting, type ReconnectingOptions } from "./internal/client/reconnecting.ts"
export type { Readable, Run, RunBatch } from "./internal/socket/readable.ts"
export { discard, run, runBatch } from "./internal/socket/run.ts"
export type { Malformed, MessageErrorReason, WrongShape, WrongType } from "./internal/socket/messageError.ts"
export { MessageError } from "./internal/socket/messageErrorSchema.ts"
export type { Directions, SchemaOptions, TypedSocketOf } from "./internal/socket/typed.ts"
export type { MessageFormat } from "./internal/socket/wire.ts"
export { type TypedSocket, withSchema } from "./internal/socket/withSchema.ts"
export { channel, sink, type Writable } from "./internal/socket/views.ts"
