/**
 * Frames (RFC 6455 §5): a tagged union of plain values with its Schema, and the codec between bytes and frames.
 *
 * Nothing here reads from a socket. However the bytes are cut, they give the same frames or the same error.
 *
 * @since 0.1.0
 */
export { type Assembler, makeAssembler } from "./internal/frame/assembler.ts"
export {
  decode,
  defaultMaxMessageSize,
  encode,
  type EncodeOptions,
  makeParser,
  type Parser,
  type ParserOptions
} from "./internal/frame/codec.ts"
export { closeViolation, type FrameErrorReason } from "./internal/frame/error.ts"
export { FrameError } from "./internal/frame/errorSchema.ts"
export { binary, close, continuation, type DataOptions, ping, pong, text } from "./internal/frame/make.ts"
export {
  Binary,
  Close,
  CloseCode,
  Continuation,
  type ControlFrame,
  type DataFrame,
  Frame,
  isControl,
  isValidCloseCode,
  maxControlSize,
  opcode,
  Ping,
  Pong,
  Text
} from "./internal/frame/model.ts"
