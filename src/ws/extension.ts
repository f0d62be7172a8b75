/** The header `Sec-WebSocket-Extensions` (RFC 6455 §9.1): `parse` reads it, `format` writes it. */
import { formatExtensions, type Param, type Params } from "../internal/protocol/opening/extensions.ts"
import { offersOf } from "./internal/offers.ts"
import type { ParsedParams } from "./PerMessageDeflate.ts"

/**
 * Extensions by name, with the parameters of each time that they stand in the header.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParsedExtensions {
  [name: string]: Array<ParsedParams>
}

type Values = string | number | true | ReadonlyArray<string | number | true>

/**
 * Parameters to write: each name with its value or values, `true` for none.
 *
 * @category models
 * @since 0.1.0
 */
export interface FormatParams {
  readonly [name: string]: Values | undefined
}

const push = <T>(into: { [name: string]: Array<T> }, name: string, value: T): void => {
  const values = into[name]
  if (values === undefined) into[name] = [value]
  else values.push(value)
}

/**
 * Reads a `Sec-WebSocket-Extensions` header, RFC 6455 §9.1. Throws a `SyntaxError` with the place where it breaks the grammar.
 *
 * @category parsing and formatting
 * @since 0.1.0
 */
export const parse = (header: string): ParsedExtensions => {
  const extensions: ParsedExtensions = Object.create(null)
  for (const { name, params } of offersOf(header)) {
    const parsed: ParsedParams = Object.create(null)
    for (const [param, value] of params) push(parsed, param, value)
    push(extensions, name, parsed)
  }
  return extensions
}

const isList = (values: Values): values is ReadonlyArray<string | number | true> => Array.isArray(values)

const paramsOf = (params: FormatParams): Params =>
  Object.entries(params).flatMap(([name, values]) =>
    values === undefined
      ? []
      : (isList(values) ? values : [values]).map((value): Param => [name, value === true ? true : String(value)])
  )

/**
 * Writes a `Sec-WebSocket-Extensions` header.
 *
 * @category parsing and formatting
 * @since 0.1.0
 */
export const format = (extensions: {
  readonly [name: string]: FormatParams | ReadonlyArray<FormatParams> | undefined
}): string =>
  formatExtensions(
    Object.entries(extensions).flatMap(([name, configurations]) =>
      configurations === undefined
        ? []
        : (Array.isArray(configurations) ? configurations : [configurations]).map((params: FormatParams) => ({
            name,
            params: paramsOf(params)
          }))
    )
  )
