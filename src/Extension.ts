/**
 * Extensions of the protocol: the grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), the interface that the opening
 * handshake negotiates with, and the parameters of permessage-deflate (RFC 7692 §7.1).
 *
 * @since 0.1.0
 */
export {
  deflateSettings,
  format,
  parse,
  permessageDeflate,
  ExtensionSyntaxError
} from "./internal/handshake/extension.ts"
export type {
  Agreement,
  DeflateDirection,
  DeflateOptions,
  DeflateSettings,
  Extension,
  Negotiated,
  Offer,
  Param,
  Params,
  WindowBits
} from "./internal/handshake/extension.ts"
