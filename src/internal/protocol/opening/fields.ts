/** Header fields, as they are read and as they are written. */

/**
 * Header fields by lower-case name, as `node:http` and `node:http2` provide them: over HTTP/2 with `:authority`
 * and the like.
 *
 * @category models
 * @since 0.1.0
 */
export interface HeaderFields {
  readonly [name: string]: string | ReadonlyArray<string> | undefined
}

/**
 * One header field to write.
 *
 * @category models
 * @since 0.1.0
 */
export type Header = readonly [name: string, value: string]

/**
 * Header fields to write: by name, or as pairs, in which a name may appear twice.
 *
 * @category models
 * @since 0.1.0
 */
export type HeadersInput = Readonly<Record<string, string>> | ReadonlyArray<Header>

/** The value of a header field that satisfies its rule, which makes it a text. */
export const textOf = ({ headers }: { readonly headers: HeaderFields }, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === "string" ? value : undefined
}
