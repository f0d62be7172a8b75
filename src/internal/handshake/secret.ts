import * as Redacted from "effect/Redacted"
import type { SecureContextOptions } from "node:tls"
import type * as Fields from "../protocol/opening/fields.ts"

/**
 * A value that may be redacted, so that the program's own logs don't show it.
 *
 * @category models
 * @since 0.2.0
 */
export type Secret<A = string> = A | Redacted.Redacted<A>

/**
 * Header fields to write, as `Header`s have them, whose values may be redacted.
 *
 * @category models
 * @since 0.2.0
 */
export type HeadersInput = Readonly<Record<string, Secret>> | ReadonlyArray<readonly [name: string, value: Secret]>

/** Returns the value itself, for the place that needs it. */
export const plain = <A>(value: Secret<A>): A => (Redacted.isRedacted(value) ? Redacted.value(value) : value)

/** Returns header fields with their values themselves. */
export const plainHeaders = (input: HeadersInput): ReadonlyArray<Fields.Header> =>
  pairsOf(input).map(([name, value]) => [name, plain(value)])

/** Returns header fields as pairs. */
export const pairsOf = (input: HeadersInput = []): ReadonlyArray<readonly [name: string, value: Secret]> =>
  Array.isArray(input) ? input : Object.entries(input)

type Key = SecureContextOptions["key"]

/** Returns TLS options with the key and the passphrase themselves. */
export const plainTls = <
  Options extends { readonly key?: Key | Redacted.Redacted<string>; readonly passphrase?: Secret | undefined }
>({
  key,
  passphrase,
  ...rest
}: Options) => ({ ...rest, key: plain<Key>(key), passphrase: plain<string | undefined>(passphrase) })
