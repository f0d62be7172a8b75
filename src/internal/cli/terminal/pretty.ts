/** JSON over several lines, with colours. The digits of numbers and the escapes of strings stay as they are. */
import { harmless } from "./safeText.ts"

const colors = { key: 36, string: 32, number: 33, literal: 35 } as const

const paint = (text: string, kind: keyof typeof colors, colored: boolean): string =>
  colored ? `\u001B[${colors[kind]}m${text}\u001B[39m` : text

const isJson = (text: string): boolean => {
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** An object or array as JSON over several lines; `undefined` when the text is something else. */
export const prettyJson = (text: string, colored: boolean): string | undefined => {
  if (!isJson(text)) return undefined
  let out = ""
  let depth = 0
  const line = (): string => `\n${"  ".repeat(depth)}`
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^\s[\]{},:"]+/g)].map(([token]) => token)
  for (const [at, token] of tokens.entries()) {
    const next = tokens[at + 1]
    if (token === "{" || token === "[") {
      depth++
      out += token
      if (next !== "}" && next !== "]") out += line()
    } else if (token === "}" || token === "]") {
      depth--
      const previous = tokens[at - 1]
      out += (previous === "{" || previous === "[" ? "" : line()) + token
    } else if (token === ",") out += `,${line()}`
    else if (token === ":") out += ": "
    else if (token.startsWith('"')) out += paint(harmless(token), next === ":" ? "key" : "string", colored)
    else out += paint(token, /^[-\d]/.test(token) ? "number" : "literal", colored)
  }
  return out
}
