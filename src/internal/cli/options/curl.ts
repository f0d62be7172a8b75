/** Reads a `curl` command, as browsers copy it, as a command line of `wscat`. */
import { InvalidArguments } from "./given.ts"

/** `$'…'` of bash: the escapes that browsers write. */
const ansi = (text: string): string =>
  text.replaceAll(/\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|([^]))/g, (_, unit?: string, byte?: string, letter = "") => {
    const code = unit ?? byte
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    return { n: "\n", r: "\r", t: "\t" }[String(letter)] ?? String(letter)
  })

/** A part of a word: in `$'…'`, in single quotes, in double quotes, after a backslash, or plain. */
const part = /\$'((?:[^'\\]|\\[^])*)'|'([^']*)'|"((?:[^"\\]|\\[^])*)"|\\([^])|([^\s'"\\]+)/y

/** The words of a shell command. */
export const shellWords = (command: string): ReadonlyArray<string> => {
  // A line may end in a backslash, or in the ^ of Windows.
  const text = command.replaceAll(/[\\^]\r?\n/g, " ").trim()
  const words: Array<string> = []
  let at = 0
  while (at < text.length) {
    let word = ""
    while (at < text.length && !/\s/.test(text.charAt(at))) {
      part.lastIndex = at
      const found = part.exec(text)
      if (found === null) throw new InvalidArguments("the curl command ends inside quotes", "paste the whole command")
      const [whole, dollar, single, double, escaped, plain] = found
      word +=
        dollar === undefined
          ? (single ?? double?.replaceAll(/\\([$`"\\])/g, "$1") ?? escaped ?? plain ?? "")
          : ansi(dollar)
      at += whole.length
    }
    words.push(word)
    while (at < text.length && /\s/.test(text.charAt(at))) at++
  }
  return words
}

/** Options of curl with a value, and those of wscat that mean the same; without one, the value is left out. */
const valued = new Map<string, string | undefined>([
  ["-H", "--header"],
  ["--header", "--header"],
  ["-b", "--cookie"],
  ["--cookie", "--cookie"],
  ["-u", "--auth"],
  ["--user", "--auth"],
  ["-x", "--proxy"],
  ["--proxy", "--proxy"],
  ["--cacert", "--ca"],
  ["-E", "--cert"],
  ["--cert", "--cert"],
  ["--key", "--key"],
  ["--connect-timeout", "--open-timeout"],
  ["--max-redirs", "--max-redirects"],
  ["-X", undefined],
  ["--request", undefined],
  ["-o", undefined],
  ["--output", undefined],
  ["-m", undefined],
  ["--max-time", undefined]
])

/** Options of curl with a value that is a header. */
const headers = new Map([
  ["-A", "User-Agent"],
  ["--user-agent", "User-Agent"],
  ["-e", "Referer"],
  ["--referer", "Referer"]
])

const switches = new Map([
  ["-k", "--no-check"],
  ["--insecure", "--no-check"],
  ["-L", "--location"],
  ["--location", "--location"],
  ["--http2", "--http2"],
  ["-v", "--verbose"],
  ["--verbose", "--verbose"]
])

/** What `wscat` is to be given for the words of a curl command. Options that mean nothing to a WebSocket are left out. */
const translate = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const rest = words[0] === "curl" ? words.slice(1) : [...words]
  const result: Array<string> = []
  let url: string | undefined
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = word, attached] = /^(--[^=]+)=(.*)$/s.exec(word) ?? []
    const short = /^-[A-Za-z].+/.test(word) && valued.has(word.slice(0, 2)) ? word.slice(0, 2) : undefined
    const option = short ?? name
    const value = (): string => {
      const found = short === undefined ? (attached ?? rest.shift()) : word.slice(2)
      if (found === undefined) throw new InvalidArguments(`${option} of curl needs a value`, "paste the whole command")
      return found
    }
    const header = headers.get(option)
    if (header !== undefined) result.push(`--header=${header}: ${value()}`)
    else if (valued.has(option)) {
      const known = valued.get(option)
      const given = value()
      if (known !== undefined) result.push(`${known}=${given}`)
    } else if (option === "--url") url = value()
    else if (switches.has(option)) result.push(switches.get(option) ?? "")
    else if (!word.startsWith("-")) url ??= word
  }
  if (url === undefined) throw new InvalidArguments("the curl command has no URL", "paste the whole command")
  return [...result, `--connect=${url}`]
}

/**
 * The command line that `wscat curl …` stands for: a command in quotes and then options of `wscat`, or the words of a
 * command as they are.
 */
export const fromCurl = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const [first = "", ...rest] = args
  return /\s/.test(first) && !first.startsWith("-") ? [...translate(shellWords(first)), ...rest] : translate(args)
}
