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
export { isTransient, type KeepUpOptions, type KeptUp } from "../internal/client/reconnect.ts"
export type { CloseCause, Closed, ConnectOptions, Socket } from "../internal/browser/model.ts"
export type { PlatformConstructor, PlatformWebSocket } from "../internal/browser/platform.ts"
export { type Reconnecting, reconnecting, type ReconnectingOptions } from "../internal/browser/reconnecting.ts"
export {
  type Malformed,
  MessageError,
  type MessageErrorReason,
  type MessageFormat,
  type SchemaOptions,
  type TypedSocket,
  type WrongShape,
  type WrongType
} from "../internal/socket/typed.ts"
export { withSchema } from "../internal/browser/withSchema.ts"
