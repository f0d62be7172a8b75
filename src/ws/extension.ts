/** The header `Sec-WebSocket-Extensions` (RFC 6455 §9.1): `parse` reads it, `format` writes it. */
import { isToken, isTokenCode } from "../internal/handshake/token.ts"
import type { ParsedParams } from "./PerMessageDeflate.ts"

/** Extensions by name, with the parameters of each time that they stand in the header. */
export interface ParsedExtensions {
  [name: string]: Array<ParsedParams>
}

type Values = string | number | true | ReadonlyArray<string | number | true>

/** Parameters to write: each name with its value or values, `true` for none. */
export interface FormatParams {
  readonly [name: string]: Values | undefined
}

const push = <T>(into: { [name: string]: Array<T> }, name: string, value: T): void => {
  const values = into[name]
  if (values === undefined) into[name] = [value]
  else values.push(value)
}

const unexpected = (at: number): SyntaxError => new SyntaxError(`Unexpected character at index ${at}`)

/** Reads a `Sec-WebSocket-Extensions` header, RFC 6455 §9.1. Throws a `SyntaxError` that tells where it breaks the grammar. */
export const parse = (header: string): ParsedExtensions => {
  const extensions: ParsedExtensions = Object.create(null)
  const end = header.length
  let at = 0
  const skipSpace = (): void => {
    while (at < end && (header[at] === " " || header[at] === "\t")) at++
  }
  const fail = (): SyntaxError => (at >= end ? new SyntaxError("Unexpected end of input") : unexpected(at))
  const token = (): string => {
    const start = at
    while (at < end && isTokenCode(header.charCodeAt(at))) at++
    if (at === start) throw fail()
    return header.slice(start, at)
  }
  const quoted = (): string => {
    let value = ""
    for (at++; at < end && header[at] !== '"'; at++) {
      if (header[at] === "\\") at++
      if (at < end && !isToken(header.charAt(at))) throw fail()
      value += header.charAt(at)
    }
    if (at >= end || value === "") throw fail()
    at++
    return value
  }
  while (true) {
    // The header's first character belongs to a name.
    if (at > 0) skipSpace()
    const name = token()
    const params: ParsedParams = Object.create(null)
    const closeName = at
    skipSpace()
    while (header[at] === ";") {
      at++
      skipSpace()
      const param = token()
      if (header[at] === "=") {
        at++
        push<string | true>(params, param, header[at] === '"' ? quoted() : token())
      } else {
        push<string | true>(params, param, true)
      }
      skipSpace()
    }
    push(extensions, name, params)
    if (at >= end) {
      if (at > closeName && (header[at - 1] === " " || header[at - 1] === "\t")) throw fail()
      return extensions
    }
    if (header[at] !== ",") throw fail()
    at++
  }
}

const isList = (values: Values): values is ReadonlyArray<string | number | true> => Array.isArray(values)

const formatParams = (name: string, params: FormatParams): string =>
  [
    name,
    ...Object.entries(params).flatMap(([param, values]) =>
      values === undefined
        ? []
        : (isList(values) ? values : [values]).map((value) => (value === true ? param : `${param}=${value}`))
    )
  ].join("; ")

/** Writes a `Sec-WebSocket-Extensions` header. */
export const format = (extensions: {
  readonly [name: string]: FormatParams | ReadonlyArray<FormatParams> | undefined
}): string =>
  Object.entries(extensions)
    .flatMap(([name, configurations]) =>
      configurations === undefined
        ? []
        : (Array.isArray(configurations) ? configurations : [configurations]).map((params: FormatParams) =>
            formatParams(name, params)
          )
    )
    .join(", ")
