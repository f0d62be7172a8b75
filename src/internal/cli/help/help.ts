import type { Group, CommandDefinition, OptionDefinition } from "../options/definitions.ts"

/** What terminals are wide, at least. */
const width = 80

/** Where the explanations begin. */
const column = 30

/** Where what an example does begins. */
const exampleColumn = 44

const title = (word: OptionDefinition): string => {
  const short = word.short === undefined ? "    " : `-${word.short}, `
  return `  ${short}--${word.name}${word.value === undefined ? "" : ` ${word.value}`}`
}

/** Breaks a text between words into lines of at most so many characters. */
const wrap = (text: string, limit: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`
    if (longer.length <= limit || line === "") {
      line = longer
    } else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}

/** What an option does, when connecting and when listening. */
export const textOf = ({ listening, text }: OptionDefinition): string =>
  listening === undefined ? text : `${text}; listen: ${listening}`

const lineOf = (word: OptionDefinition): string => {
  const head = title(word)
  const lines = wrap(textOf(word), width - column)
  const first = head.length + 2 <= column ? head.padEnd(column) + lines[0] : `${head}\n${" ".repeat(column)}${lines[0]}`
  return [first, ...lines.slice(1).map((line) => " ".repeat(column) + line)].join("\n")
}

const section = ({ heading, options }: Group): string => `${heading}:\n${options.map(lineOf).join("\n")}`

/** The help of a command, for a terminal of 80 columns. */
export const helpText = (verb: CommandDefinition): string => {
  const usage = verb.usage.map((line, at) => (at === 0 ? `Usage: ${line}` : `       ${line}`)).join("\n")
  const summary = wrap(verb.summary, width).join("\n")
  const examples = verb.examples.map(([command, what]) => `  ${command.padEnd(exampleColumn - 2)}${what}`)
  return `${[usage, summary, ...verb.groups.map(section), ["Examples:", ...examples].join("\n")].join("\n\n")}\n`
}
