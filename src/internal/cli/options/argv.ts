/**
 * Reads the command line as the `wscat`s before this one did, where `effect/cli` has other rules: values that begin with
 * a dash (`-x -hello`, `-w -1`), values without `=` after an option whose value is optional (`--passphrase secret`),
 * clusters (`-nLc url`), `-V`.
 */
import { commandDefinitions, optionsOf } from "./definitions.ts"
import { type Shell, shells } from "./groups.ts"
import type { CommandDefinition, OptionDefinition } from "./model.ts"
import { fromCurl } from "./curl.ts"
import { type GivenOption, helpHint, InvalidArguments } from "./given.ts"

/** What to do for a command line. */
export type Invocation =
  | {
      readonly _tag: "Help"
      readonly verb: CommandDefinition
      /** `-h`, and not `--help`. */
      readonly brief: boolean
    }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: Shell }
  | { readonly _tag: "Invalid"; readonly message: string; readonly hint: string }
  | {
      readonly _tag: "Run"
      readonly command: string | undefined
      readonly given: ReadonlyArray<GivenOption>
      /** Arguments beside the options: what the command is to work with. */
      readonly operands: ReadonlyArray<string>
    }

/** An option as it was given. */
interface Given {
  readonly word: OptionDefinition
  readonly value: string | undefined
  /** The name by which it was given. */
  readonly as: string
}

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

const unknown = (verb: CommandDefinition, given: string): InvalidArguments => {
  const name = given.replace(/^-+/, "")
  const near = optionsOf(verb)
    .map((word) => ({ word, far: distance(name, word.name) }))
    .filter(({ far, word }) => far <= 2 || (name.length > 2 && word.name.startsWith(name)))
    .toSorted(
      (a, b) => Number(!a.word.name.startsWith(name)) - Number(!b.word.name.startsWith(name)) || a.far - b.far
    )[0]
  return new InvalidArguments(
    `there is no option ${given}`,
    near === undefined || name.length < 2 ? helpHint(verb.name) : `did you mean --${near.word.name}?`
  )
}

/** Reads options and their values one after the other. */
class Reader {
  readonly given: Array<Given> = []
  readonly operands: Array<string> = []
  private readonly verb: CommandDefinition
  private readonly words: ReadonlyArray<OptionDefinition>
  private readonly rest: Array<string>

  constructor(verb: CommandDefinition, args: ReadonlyArray<string>) {
    this.verb = verb
    this.words = optionsOf(verb)
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

  private take(word: OptionDefinition, attached: string | undefined, as: string): void {
    if (word.value === undefined) {
      if (attached !== undefined) throw new InvalidArguments(`${as} takes no value`, helpHint(this.verb.name))
      this.given.push({ word, value: undefined, as })
      return
    }
    let value = attached
    if (value === undefined) {
      const [next] = this.rest
      if (word.optionalValue === undefined || (next !== undefined && word.optionalValue.test(next))) {
        value = this.rest.shift()
      }
      if (value === undefined && word.optionalValue === undefined) {
        throw new InvalidArguments(`${as} needs a value, ${word.value}`, helpHint(this.verb.name))
      }
    }
    if (!word.repeats && this.given.some((given) => given.word === word)) this.forget(word)
    this.given.push({ word, value, as })
  }

  /** The last one counts. */
  private forget(word: OptionDefinition): void {
    this.given.splice(
      this.given.findIndex((given) => given.word === word),
      1
    )
  }
}

const [main, ...subcommands] = commandDefinitions

const interpret = (argv: ReadonlyArray<string>): Invocation => {
  // A name of its own, and nothing else of its own: it is `wscat` with the options that the curl command stands for.
  if (argv[0] === "curl") return interpret(fromCurl(argv.slice(1)))
  const subcommand = subcommands.find(({ name }) => name === argv[0])
  const verb = subcommand ?? main
  const reader = new Reader(verb, subcommand === undefined ? argv : argv.slice(1))
  reader.read()
  const { given, operands } = reader
  const isGiven = (name: string): boolean => given.some(({ word }) => word.name === name)
  if (argv.length === 0 || isGiven("help")) {
    return { _tag: "Help", verb, brief: !given.some(({ as }) => as === "--help") }
  }
  if (isGiven("version")) return { _tag: "Version" }
  const wanted = given.find(({ word }) => word.name === "completions")
  if (wanted !== undefined) {
    const shell = shells.find((shell) => shell === wanted.value)
    if (shell !== undefined) return { _tag: "Completions", shell }
    throw new InvalidArguments(`there are no completions for ${wanted.value}`, `there are for ${shells.join(", ")}`)
  }
  const { operands: names = [], required = 0 } = verb
  const surplus = operands[subcommand === undefined ? 1 : names.length]
  if (surplus !== undefined) {
    const misplaced = subcommands.some(({ name }) => operands.includes(name ?? ""))
    throw new InvalidArguments(
      `unexpected argument: ${surplus}`,
      misplaced ? "a subcommand comes first" : "one URL at a time; what has spaces needs quotes"
    )
  }
  const options = given.map(({ value, word }) => ({ name: word.name, value }))
  if (subcommand !== undefined) {
    const missing = operands.length < required ? names[operands.length] : undefined
    if (missing !== undefined) {
      throw new InvalidArguments(
        `wscat ${verb.name} needs a ${missing === "url" ? "URL" : missing}`,
        helpHint(verb.name)
      )
    }
    return { _tag: "Run", command: verb.name, given: options, operands }
  }
  const [url] = operands
  if (url !== undefined && isGiven("connect")) throw new InvalidArguments("two URLs are given", "one URL at a time")
  if (url !== undefined) options.push({ name: "connect", value: url })
  const connect = isGiven("connect") || url !== undefined
  if (connect === isGiven("listen")) throw new InvalidArguments("use either --listen or --connect", helpHint(verb.name))
  return { _tag: "Run", command: undefined, given: options, operands: [] }
}

/** Reads what follows the name of the program. */
export const read = (argv: ReadonlyArray<string>): Invocation => {
  try {
    return interpret(argv)
  } catch (error) {
    if (error instanceof InvalidArguments) return { _tag: "Invalid", message: error.message, hint: error.hint }
    throw error
  }
}
