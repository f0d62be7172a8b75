/** Completion scripts of shells, made from the words. */
import { textOf } from "./help.ts"
import { commandDefinitions, optionsOf } from "../options/definitions.ts"
import { type Shell } from "../options/groups.ts"
import type { CommandDefinition, OptionDefinition } from "../options/model.ts"

const [main, ...subcommands] = commandDefinitions

const names = subcommands.map(({ name = "" }) => name)

const dashed = ({ name, short }: OptionDefinition): ReadonlyArray<string> =>
  short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]

/** All words of all commands, each once: a name means the same everywhere. */
const everyWord: ReadonlyArray<OptionDefinition> = [
  ...new Map(commandDefinitions.flatMap((verb) => optionsOf(verb).map((word) => [word.name, word] as const))).values()
]

/** The name of the shell function for a command. */
const functionOf = ({ name }: CommandDefinition): string => (name === undefined ? "_wscat" : `_wscat_${name}`)

const patternOf = (words: ReadonlyArray<OptionDefinition>): string => words.flatMap(dashed).join("|")

const optionList = (verb: CommandDefinition): string => optionsOf(verb).flatMap(dashed).join(" ")

const bash = (): string => {
  const files = everyWord.filter(({ values }) => values === "file")
  const choices = everyWord.flatMap((word) =>
    word.values === undefined || word.values === "file"
      ? []
      : `    ${patternOf([word])}) COMPREPLY=($(compgen -W '${word.values.join(" ")}' -- "$cur")); return ;;`
  )
  const others = everyWord.filter(
    ({ optionalValue, value, values }) => value !== undefined && optionalValue === undefined && values === undefined
  )
  return `_wscat() {
  local IFS=$' \\t\\n' cur=$2 prev=$3 options
  # "--cert=file" is three words to bash.
  if [[ $cur == = ]]; then
    cur=
    prev=\${COMP_WORDS[COMP_CWORD - 1]}
  fi
  [[ $prev == = ]] && prev=\${COMP_WORDS[COMP_CWORD - 2]}
  COMPREPLY=()
  case $prev in
${choices.join("\n")}
    ${patternOf(files)})
      IFS=$'\\n'
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
      return ;;
    ${patternOf(others)}) return ;;
  esac
  options='${optionList(main)}'
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
${subcommands.map((verb) => `      ${verb.name}) options='${optionList(verb)}' ;;`).join("\n")}
    esac
  fi
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${names.join(" ")}' -- "$cur"))
  fi
}
complete -F _wscat wscat wsc
`
}

/** A text within single quotes, for a shell where a quote in it is written so. */
const quoted = (text: string, quote: string): string => `'${text.replaceAll("'", quote)}'`

const zshQuoted = (text: string): string => quoted(text, "'\\''")

/** What `_arguments` takes for an option: the others that it stands for, its forms, its text, its value. */
const zshOption = (word: OptionDefinition): string => {
  const { optionalValue, repeats, value, values } = word
  const forms = dashed(word)
  const text = textOf(word).replaceAll(/[[\]:\\]/g, "\\$&")
  const kind = values === undefined ? "" : values === "file" ? "_files" : `(${values.join(" ")})`
  const argument =
    value === undefined
      ? ""
      : `${optionalValue === undefined ? ":" : "::"}${value.slice(1, -1).replaceAll(/[[\]:\\]/g, "\\$&")}:${kind}`
  const alone = repeats === true ? "*" : `(${forms.join(" ")})`
  return forms
    .map((form) => {
      const taking = value === undefined ? form : form.startsWith("--") ? `${form}=` : `${form}+`
      return `    ${zshQuoted(`${alone}${taking}[${text}]${argument}`)}`
    })
    .join("\n")
}

/** Arguments besides the options are taken, with nothing to say: what is said of them keeps zsh from completing options. */
const zshArguments = "  _arguments -s -S $options '*: :()'"

const zsh = (): string => `#compdef wscat wsc
${commandDefinitions
  .map(
    (verb) => `${functionOf(verb)}() {
  local -a options
  options=(
${optionsOf(verb).map(zshOption).join("\n")}
  )
${
  verb === main
    ? `  if ((CURRENT > 2)) && [[ $words[2] == (${names.join("|")}) ]]; then
    local command=$words[2]
    shift words
    ((CURRENT--))
    _wscat_$command
    return
  fi
  if ((CURRENT == 2)) && [[ $PREFIX != -* ]]; then
    local -a commands
    commands=(${subcommands.map(({ name = "", summary }) => zshQuoted(`${name}:${summary.replaceAll(":", "\\:")}`)).join(" ")})
    _describe command commands
    return
  fi
${zshArguments}`
    : zshArguments
}
}`
  )
  .join("\n\n")}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _wscat "$@"
else
  compdef _wscat wscat wsc
fi
`

const fishQuoted = (text: string): string => quoted(text.replaceAll("\\", "\\\\"), "\\'")

const fishOption = (condition: string, word: OptionDefinition): string => {
  const { name, optionalValue, short, value, values } = word
  const kind =
    value === undefined || optionalValue !== undefined
      ? ""
      : values === "file"
        ? " -r -F"
        : values === undefined
          ? " -x"
          : ` -x -a ${fishQuoted(values.join(" "))}`
  return `complete -c wscat -n ${fishQuoted(condition)}${short === undefined ? "" : ` -s ${short}`} -l ${name}${kind} -d ${fishQuoted(textOf(word))}`
}

const fish = (): string =>
  `${[
    "complete -c wscat -f",
    "complete -c wsc -w wscat",
    ...subcommands.map(
      ({ name = "", summary }) => `complete -c wscat -n __fish_use_subcommand -a ${name} -d ${fishQuoted(summary)}`
    ),
    ...commandDefinitions.flatMap((verb) => {
      const condition =
        verb === main
          ? `not __fish_seen_subcommand_from ${names.join(" ")}`
          : `__fish_seen_subcommand_from ${verb.name}`
      return optionsOf(verb).map((word) => fishOption(condition, word))
    })
  ].join("\n")}\n`

const scripts = { bash, zsh, fish }

/** The script that makes a shell complete `wscat`. */
export const completions = (shell: Shell): string => scripts[shell]()
