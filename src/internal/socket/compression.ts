import {
  type DeflateOptions,
  deflateSettings,
  type Extension,
  type Negotiated,
  permessageDeflate
} from "../handshake/extension.ts"
import type { Compression } from "../connection/compression.ts"
import { Deflate } from "../deflate/deflate.ts"

/** The extensions that the `compression` option stands for. */
export const extensionsOf = (compression: boolean | DeflateOptions | undefined): ReadonlyArray<Extension> =>
  compression === undefined || compression === false ? [] : [permessageDeflate(compression === true ? {} : compression)]

/** The compression that was negotiated, for one connection. */
export const compressionOf = (extensions: ReadonlyArray<Negotiated>): Compression | undefined => {
  const settings = deflateSettings(extensions)
  return settings === undefined ? undefined : new Deflate(settings)
}
