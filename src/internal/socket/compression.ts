import {
  type DeflateOptions,
  type DeflateSettings,
  type Extension,
  type Negotiated,
  permessageDeflate
} from "../../Extension.ts"
import type { Compression } from "../connection.ts"
import { Deflate } from "../deflate/deflate.ts"

/** The extensions that the `compression` option stands for. */
export const extensionsOf = (compression: boolean | DeflateOptions | undefined): ReadonlyArray<Extension> =>
  compression === undefined || compression === false ? [] : [permessageDeflate(compression === true ? {} : compression)]

const isDeflate = (settings: unknown): settings is DeflateSettings =>
  typeof settings === "object" && settings !== null && "_tag" in settings && settings._tag === "PermessageDeflate"

/** The compression that was negotiated, for one connection. */
export const compressionOf = (extensions: ReadonlyArray<Negotiated>): Compression | undefined => {
  for (const { settings } of extensions) if (isDeflate(settings)) return new Deflate(settings)
  return undefined
}
