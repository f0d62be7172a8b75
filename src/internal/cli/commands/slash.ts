import { isValidCloseCode, maxControlSize } from "../../frame/model.ts"
import { maxReasonSize } from "../../protocol/closeCode.ts"
import { parseHex } from "../terminal/payload.ts"

/** A command that begins with a slash. */
export type SlashCommand =
  | { readonly _tag: "Ping" | "Pong"; readonly data: Uint8Array | undefined }
  | { readonly _tag: "Close"; readonly code: number | undefined; readonly reason: string }
  | { readonly _tag: "Binary"; readonly bytes: Uint8Array }
  | { readonly _tag: "File"; readonly path: string }
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Help" }
  | { readonly _tag: "Problem"; readonly message: string }

/** What can be said, for `/help` and for completion. */
export const slashCommands = [
  ["/ping [data]", "send a ping"],
  ["/pong [data]", "send a pong"],
  ["/close [code [reason]]", "close the connection"],
  ["/binary <hex>", "send bytes, given in hexadecimal"],
  ["/file <path>", "send a file as one binary message"],
  ["//text", "send text that begins with a slash"],
  ["/help", "list these commands"]
] as const

const problem = (message: string): SlashCommand => ({ _tag: "Problem", message })

/** Reads a line that begins with a slash. */
export const parseSlash = (line: string): SlashCommand => {
  if (line.startsWith("//")) return { _tag: "Text", text: line.slice(1) }
  const end = line.search(/\s/)
  const name = end < 0 ? line : line.slice(0, end)
  const rest = end < 0 ? "" : line.slice(end).trim()
  switch (name) {
    case "/ping":
    case "/pong": {
      const data = rest === "" ? undefined : Buffer.from(rest)
      if (data !== undefined && data.length > maxControlSize) {
        return problem(`${name} carries at most ${maxControlSize} bytes`)
      }
      return { _tag: name === "/ping" ? "Ping" : "Pong", data }
    }
    case "/close": {
      const [, digits = "", reason = ""] = /^(\S*)\s*(.*)$/s.exec(rest) ?? []
      if (digits === "") return { _tag: "Close", code: undefined, reason: "" }
      const code = Number(digits)
      if (!isValidCloseCode(code))
        return problem(`${digits} is no close code that may be sent: 1000 to 1003, 1007 to 1014, 3000 to 4999`)
      if (Buffer.byteLength(reason) > maxReasonSize) return problem(`a reason has at most ${maxReasonSize} bytes`)
      return { _tag: "Close", code, reason }
    }
    case "/binary": {
      const parsed = parseHex(rest)
      return "problem" in parsed ? problem(`/binary: ${parsed.problem}`) : { _tag: "Binary", bytes: parsed.message }
    }
    case "/file": {
      return rest === "" ? problem("/file needs a path") : { _tag: "File", path: rest }
    }
    case "/help": {
      return { _tag: "Help" }
    }
    default: {
      return problem(`there is no command ${name}; /help lists them, and //… sends a slash`)
    }
  }
}
