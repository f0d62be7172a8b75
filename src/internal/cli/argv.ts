/**
 * Reads the command line as the `wscat`s before this one did, where the CLI module has other habits: values that begin
 * with a dash (`-x -hello`, `-w -1`), values without `=` after an option that may have none (`--passphrase secret`),
 * clusters (`-nLc url`), `-V`. What comes out says the same in one form, `--name=value`, which it can't misread.
 */
import { type Shell, shells, type Verb, verbs, type Word, wordsOf } from "./words.ts"

/** What a command line asks for. */
export type Invocation =
  | { readonly _tag: "Help"; readonly verb: Verb }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: Shell }
  | { readonly _tag: "Invalid"; readonly message: string; readonly hint: string }
  /** The subcommand, if any, then options with their values behind `=`, then what else stood there. */
  | { readonly _tag: "Run"; readonly args: ReadonlyArray<string> }

/** A command line that can't be understood. */
class Misuse extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/** An option as it was given. */
interface Given {
  readonly word: Word
  readonly value: string | undefined
}

const helpOf = (verb: Verb): string => `wscat ${verb.name === undefined ? "" : `${verb.name} `}--help lists the options`

/** How many characters must be changed, added or left out to get from one word to the other. */
const distance = (from: string, to: string): number => {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (const [at, character] of [...from].entries()) {
    const next = [at + 1]
    for (let column = 1; column <= to.length; column++) {
      const changed = (row[column - 1] ?? 0) + (character === to[column - 1] ? 0 : 1)
      next.push(Math.min(changed, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

const unknown = (verb: Verb, given: string): Misuse => {
  const name = given.replace(/^-+/, "")
  const near = wordsOf(verb)
    .map((word) => ({ word, far: distance(name, word.name) }))
    .filter(({ far }) => far <= 2)
    .toSorted((a, b) => a.far - b.far)[0]
  return new Misuse(
    `there is no option ${given}`,
    near === undefined || name.length < 2 ? helpOf(verb) : `did you mean --${near.word.name}?`
  )
}

/** Reads options and their values one after the other. */
class Reader {
  readonly given: Array<Given> = []
  readonly operands: Array<string> = []
  private readonly verb: Verb
  private readonly words: ReadonlyArray<Word>
  private readonly rest: Array<string>

  constructor(verb: Verb, args: ReadonlyArray<string>) {
    this.verb = verb
    this.words = wordsOf(verb)
    this.rest = [...args]
  }

  read(): void {
    for (let arg = this.rest.shift(); arg !== undefined; arg = this.rest.shift()) {
      if (arg === "--") {
        this.operands.push(...this.rest)
        return
      }
      if (arg.startsWith("--")) this.long(arg)
      else if (arg.length > 1 && arg.startsWith("-")) this.cluster(arg)
      else this.operands.push(arg)
    }
  }

  private long(arg: string): void {
    const end = arg.indexOf("=")
    const name = end < 0 ? arg : arg.slice(0, end)
    const word = this.words.find((word) => word.name === name.slice(2))
    if (word === undefined) throw unknown(this.verb, name)
    this.take(word, end < 0 ? undefined : arg.slice(end + 1), name)
  }

  private cluster(arg: string): void {
    for (let at = 1; at < arg.length; at++) {
      const short = arg.charAt(at)
      const word = this.words.find((word) => word.short === short)
      if (word === undefined) throw unknown(this.verb, `-${short}`)
      if (word.value !== undefined) {
        const attached = arg.slice(at + 1).replace(/^=/, "")
        this.take(word, at + 1 < arg.length ? attached : undefined, `-${short}`)
        return
      }
      this.take(word, undefined, `-${short}`)
    }
  }

  private take(word: Word, attached: string | undefined, as: string): void {
    if (word.value === undefined) {
      if (attached !== undefined) throw new Misuse(`${as} takes no value`, helpOf(this.verb))
      this.given.push({ word, value: undefined })
      return
    }
    let value = attached
    if (value === undefined) {
      const [next] = this.rest
      if (word.optionalValue === undefined || (next !== undefined && word.optionalValue.test(next))) {
        value = this.rest.shift()
      }
      if (value === undefined && word.optionalValue === undefined) {
        throw new Misuse(`${as} needs a value, ${word.value}`, helpOf(this.verb))
      }
    }
    if (!word.repeats && this.given.some((given) => given.word === word)) this.forget(word)
    this.given.push({ word, value })
  }

  /** The last one counts. */
  private forget(word: Word): void {
    this.given.splice(
      this.given.findIndex((given) => given.word === word),
      1
    )
  }
}

const [main, ...subcommands] = verbs

const interpret = (argv: ReadonlyArray<string>): Invocation => {
  const subcommand = subcommands.find(({ name }) => name === argv[0])
  const verb = subcommand ?? main
  const reader = new Reader(verb, subcommand === undefined ? argv : argv.slice(1))
  reader.read()
  const { given, operands } = reader
  const isGiven = (name: string): boolean => given.some(({ word }) => word.name === name)
  if (argv.length === 0 || isGiven("help")) return { _tag: "Help", verb }
  if (isGiven("version")) return { _tag: "Version" }
  const wanted = given.find(({ word }) => word.name === "completions")
  if (wanted !== undefined) {
    const shell = shells.find((shell) => shell === wanted.value)
    if (shell !== undefined) return { _tag: "Completions", shell }
    throw new Misuse(`there are no completions for ${wanted.value}`, `there are for ${shells.join(", ")}`)
  }
  const [url, second] = operands
  if (second !== undefined) {
    const misplaced = subcommands.some(({ name }) => operands.includes(name ?? ""))
    throw new Misuse(
      `unexpected argument: ${second}`,
      misplaced ? "a subcommand comes first" : "one URL at a time; what has spaces needs quotes"
    )
  }
  const options = given.map(({ value, word }) => (value === undefined ? `--${word.name}` : `--${word.name}=${value}`))
  if (subcommand !== undefined) {
    if (url === undefined) throw new Misuse(`wscat ${verb.name} needs a URL`, helpOf(verb))
    return { _tag: "Run", args: [verb.name ?? "", ...options, "--", url] }
  }
  if (url !== undefined && isGiven("connect")) throw new Misuse("two URLs are given", "one URL at a time")
  if (url !== undefined) options.push(`--connect=${url}`)
  const connect = isGiven("connect") || url !== undefined
  if (connect === isGiven("listen")) throw new Misuse("use either --listen or --connect", helpOf(verb))
  return { _tag: "Run", args: options }
}

/** Reads what follows the name of the program. */
export const read = (argv: ReadonlyArray<string>): Invocation => {
  try {
    return interpret(argv)
  } catch (error) {
    if (error instanceof Misuse) return { _tag: "Invalid", message: error.message, hint: error.hint }
    throw error
  }
}
