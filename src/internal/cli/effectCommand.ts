/** The commands as a `Command` of `effect/cli`, made from the definitions of the options. */
import * as Effect from "effect/Effect"
import { Argument, Command, Flag } from "effect/cli"
import { commands, type Execute } from "./main.ts"
import { textOf } from "./help/help.ts"
import { commandDefinitions, optionsOf } from "./options/definitions.ts"
import { answered } from "./options/groups.ts"
import type { CommandDefinition, OptionDefinition } from "./options/model.ts"
import type { GivenOption } from "./options/given.ts"

/** An optional value that was left out: no value contains it. */
const leftOut = "\0"

/** A flag whose value is what the command line has for this option. */
const flagOf = (option: OptionDefinition): Flag.Flag<ReadonlyArray<GivenOption>> => {
  const { name, optionalValue, short, value, values } = option
  const described = <A>(flag: Flag.Flag<A>): Flag.Flag<A> => {
    const flagged = Flag.withDescription(flag, textOf(option))
    const marked = value === undefined ? flagged : Flag.withMetavar(flagged, value.slice(1, -1))
    return short === undefined ? marked : Flag.withAlias(marked, short)
  }
  if (value === undefined) {
    const flag = Flag.withDefault(Flag.withoutNegation(described(Flag.Boolean(name))), false)
    return Flag.map(flag, (on) => (on ? [{ name, value: undefined }] : []))
  }
  const text =
    values === undefined ? Flag.String(name) : values === "file" ? Flag.File(name) : Flag.Literals(name, values)
  if (optionalValue !== undefined) {
    const flag = Flag.optional(Flag.withOptionalValue(described(text), leftOut))
    return Flag.map(flag, (given) =>
      given._tag === "None" ? [] : [{ name, value: given.value === leftOut ? undefined : given.value }]
    )
  }
  return Flag.map(Flag.atLeast(described(text), 0), (given) => given.map((value) => ({ name, value })))
}

const commandOf = <Name extends string>(
  called: Name,
  definition: CommandDefinition,
  execute: Execute = () => Effect.die(called)
) => {
  const { examples, summary } = definition
  const flags = optionsOf(definition)
    .filter((option) => !answered.includes(option))
    .map(flagOf)
  const { operands: names = [], required = 0 } = definition
  const operands = names.map((name, at) => {
    const operand = Argument.String(name)
    return at < required
      ? Argument.map(operand, (value) => [value])
      : Argument.map(Argument.optional(operand), (value) => (value._tag === "None" ? [] : [value.value]))
  })
  return Command.make(called, { flags, operands }, ({ flags, operands }) =>
    execute(flags.flat(), operands.flat())
  ).pipe(
    Command.withDescription(summary),
    Command.withExamples(examples.map(([command, description]) => ({ command, description })))
  )
}

const [main, ...subcommands] = commandDefinitions

/** `wscat` and its subcommands. */
export const command = commandOf("wscat", main, commands.get(undefined)).pipe(
  Command.withSubcommands(
    subcommands.map((definition) => commandOf(definition.name ?? "", definition, commands.get(definition.name)))
  )
)
