/** The page of the manual, made from the definitions when the program is built. */
import { exitTexts } from "../errors/exitCode.ts"
import { commandDefinitions } from "../options/definitions.ts"
import type { CommandDefinition, OptionDefinition } from "../options/model.ts"
import { textOf } from "./help.ts"

/** Text for roff: no character or word is taken for a request. */
const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1")

const optionOf = (option: OptionDefinition): string => {
  const { name, short, value } = option
  const names = [...(short === undefined ? [] : [`-${short}`]), `--${name}`].map((name) => `\\fB${roff(name)}\\fR`)
  const argument = value === undefined ? "" : ` \\fI${roff(value)}\\fR`
  return `.TP\n${names.join(", ")}${argument}\n${roff(textOf(option))}`
}

const sectionsOf = (command: CommandDefinition): string => {
  const main = command.name === undefined
  const groups = command.groups.filter(({ shared }) => main || shared !== true)
  const options = groups.flatMap(({ heading, options }) => [`.SS ${roff(heading)}`, ...options.map(optionOf)])
  return main
    ? [".SH OPTIONS", ...options].join("\n")
    : [
        `.SH WSCAT ${roff(command.name?.toUpperCase() ?? "")}`,
        roff(command.summary),
        ...options,
        ".PP",
        "The options about the handshake and the transport are those of \\fBwscat\\fR."
      ].join("\n")
}

/** The page in the format of man(7). */
export const manPage = (version: string): string => {
  const [main] = commandDefinitions
  const usage = main.usage.map((line) => `.B ${roff(line)}`).join("\n.br\n")
  const examples = commandDefinitions.flatMap(({ examples }) =>
    examples.map(([command, what]) => `.TP\n.B ${roff(command)}\n${roff(what)}`)
  )
  const codes = exitTexts.map(([code, text]) => `.TP\n.B ${code}\n${roff(text)}`)
  return `${[
    `.TH WSCAT 1 "" "wscat ${version}"`,
    ".SH NAME",
    "wscat \\- WebSockets on the command line",
    ".SH SYNOPSIS",
    usage,
    ".SH DESCRIPTION",
    roff(main.summary),
    ...commandDefinitions.map(sectionsOf),
    ".SH EXAMPLES",
    ...examples,
    ".SH EXIT STATUS",
    ...codes,
    ".SH ENVIRONMENT",
    ".TP\n.B HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY\nThe proxy for wss:, for ws:, for both, and the hosts that need none.",
    ".TP\n.B WSCAT_HISTORY\nThe file of the history; empty keeps none.",
    ".TP\n.B NO_COLOR\nNo colors."
  ].join("\n")}\n`
}
