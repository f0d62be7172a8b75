/**
 * A client's connections over the platform's `WebSocketStream` or `WebSocket`: `effect-ws/Socket`, as far as a browser has it.
 * It needs no Node; the global `WebSocket` of Node, Deno, Bun and workers can be used, too.
 *
 * @since 0.1.0
 */
export type { CommonClosed, CommonSocket } from "../internal/socket/common.ts"
export { connect } from "../internal/browser/connect.ts"
export type { CloseFrame } from "../internal/protocol/closeFrame.ts"
export * from "../internal/socket/error.ts"
export type { Message } from "../internal/socket/receiveBuffer.ts"
export { isTransient, type ReconnectingSocket, type ReconnectOptions } from "../internal/client/reconnect.ts"
export { type CloseCause, type Closed, type ConnectOptions, isSocket, type Socket } from "../internal/browser/model.ts"
export { TypeId } from "../internal/socket/typeId.ts"
export type { PlatformConstructor, PlatformWebSocket } from "../internal/browser/platform.ts"
export { type Reconnecting, reconnecting, type ReconnectingOptions } from "../internal/browser/reconnecting.ts"
export type { Malformed, MessageErrorReason, WrongShape, WrongType } from "../internal/socket/messageError.ts"
export { MessageError } from "../internal/socket/messageErrorSchema.ts"
export type { Directions, SchemaOptions, TypedSocketOf } from "../internal/socket/typed.ts"
export type { MessageFormat } from "../internal/socket/wire.ts"
export { discard, run, runBatch } from "../internal/browser/run.ts"
export type { Readable, Run, RunBatch } from "../internal/socket/readable.ts"
export { type TypedSocket, withSchema } from "../internal/browser/withSchema.ts"
export { channel, sink, type Writable } from "../internal/socket/views.ts"
