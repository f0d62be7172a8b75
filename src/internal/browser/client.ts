/**
 * A client's connections over the platform's `WebSocket`: `effect-ws/Socket`, as far as a browser can do it. It needs no
 * Node; the global `WebSocket` of Node, Deno, Bun and workers will do as well as a page's.
 */
export type { CommonClosed, CommonSocket } from "../socket/common.ts"
export { connect } from "./connect.ts"
export type { CloseFrame } from "../protocol/closeFrame.ts"
export * from "../socket/error.ts"
export type { Message } from "../socket/receiveBuffer.ts"
export { isTransient, type ReconnectingSocket, type ReconnectOptions } from "../client/reconnect.ts"
export { type CloseCause, type Closed, type ConnectOptions, isSocket, type Socket } from "./model.ts"
export { TypeId } from "../socket/typeId.ts"
export type { PlatformConstructor, PlatformWebSocket } from "./platform.ts"
export { type Reconnecting, reconnecting, type ReconnectingOptions } from "./reconnecting.ts"
export type { Malformed, MessageErrorReason, WrongShape, WrongType } from "../socket/messageError.ts"
export { MessageError } from "../socket/messageErrorSchema.ts"
export type { Directions, SchemaOptions, TypedSocketOf } from "../socket/typed.ts"
export type { MessageFormat } from "../socket/wire.ts"
export { discard, run, runBatch } from "./run.ts"
export type { Readable, Run, RunBatch } from "../socket/readable.ts"
export { type TypedSocket, withSchema } from "./withSchema.ts"
export { channel, sink, type Writable } from "../socket/views.ts"
