/** Options that are read from Effect's `ConfigProvider`. */
import * as Config from "effect/Config"

/**
 * Options of which any part may be a `Config`: all of them, one option, or one of a nested option. A superset of Effect's
 * `Config.Wrap`, which has no values beside configs: functions such as `authorize` come from the program.
 *
 * @category options
 * @since 0.2.0
 */
export type Configured<Options> = Config.Config<Options> | ConfiguredParts<Options>

/**
 * `Configured` without a `Config` of all options.
 *
 * @category options
 * @since 0.2.0
 */
export type ConfiguredParts<Options> = { readonly [Option in keyof Options]: ConfiguredValue<Options[Option]> }

/**
 * An option's value, a `Config` of it, or a nested option with configs in it.
 *
 * @category options
 * @since 0.2.0
 */
export type ConfiguredValue<Value> = Value | Config.Config<Value> | Nested<Value>

type Nested<Value> = Value extends (...args: never) => unknown
  ? never
  : Value extends ReadonlyArray<infer Item>
    ? ReadonlyArray<ConfiguredValue<Item>>
    : Value extends object
      ? ConfiguredParts<Value>
      : never

/** Reads the parts of options that are configs; the rest stays as it is. */
export const configured = <Options>(options: Configured<Options>): Config.Config<Options> =>
  read(options) as Config.Config<Options>

const read = (value: unknown): Config.Config<unknown> => {
  if (Config.isConfig(value)) return value
  // What has no config in it stays the same object.
  if (!hasConfig(value)) return Config.succeed(value)
  if (Array.isArray(value)) return Config.all(value.map(read))
  return Config.all(Object.fromEntries(Object.entries(Object(value)).map(([name, part]) => [name, read(part)])))
}

const hasConfig = (value: unknown): boolean =>
  Config.isConfig(value) ||
  (Array.isArray(value) ? value.some(hasConfig) : isRecord(value) && Object.values(value).some(hasConfig))

/** Buffers, secrets, durations and instances of other classes are values. */
const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
