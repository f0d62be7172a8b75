import { exitTexts } from "../errors/exitCode.ts"
import type { CommandDefinition, Group, OptionDefinition } from "../options/model.ts"

/** What terminals are wide, at least. */
const width = 80

/** Where the explanations begin. */
const column = 30

/** Where what an example does begins. */
const exampleColumn = 44

const title = (word: Pick<OptionDefinition, "name" | "short"> & { readonly value?: string | undefined }): string => {
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

const usageText = ({ usage }: CommandDefinition): string =>
  usage.map((line, at) => (at === 0 ? `Usage: ${line}` : `       ${line}`)).join("\n")

const examplesText = ({ examples }: CommandDefinition): string =>
  ["Examples:", ...examples.map(([command, what]) => `  ${command.padEnd(exampleColumn - 2)}${what}`)].join("\n")

/** The help of a command, for a terminal of 80 columns. */
export const helpText = (command: CommandDefinition): string => {
  const summary = wrap(command.summary, width).join("\n")
  const codes = `Exit codes:\n${exitTexts.map(([code, text]) => `  ${String(code).padEnd(4)}${text}`).join("\n")}`
  const sections = [usageText(command), summary, ...command.groups.map(section), examplesText(command), codes]
  return `${sections.join("\n\n")}\n`
}

/** The most used options of `wscat`, or all of a subcommand that are its own, on one screen. */
export const briefText = (command: CommandDefinition): string => {
  const options = command.groups
    .filter(({ shared }) => shared !== true || command.name === undefined)
    .flatMap(({ options }) => options)
    .filter(({ brief }) => command.name !== undefined || brief !== undefined)
  const lines = options.map((option) => {
    const whole = title(option)
    const head = whole.length + 2 <= column ? whole : title({ ...option, value: undefined })
    const room = width - column
    const text = option.brief ?? textOf(option)
    return head.padEnd(column) + (text.length <= room ? text : `${text.slice(0, room - 1).replace(/\s+\S*$/, "")}…`)
  })
  const more = command.name === undefined ? [] : [`wscat ${command.name} --help lists everything.`]
  return `${[usageText(command), lines.join("\n"), ...more].join("\n\n")}\n`
}
