/**
 * Extensions of the protocol: the grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1), the point where an extension
 * plugs into the handshake, and the parameters of permessage-deflate (RFC 7692 §7.1).
 *
 * An extension is negotiated here and applied by the connection: this module knows parameters, not payloads.
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
