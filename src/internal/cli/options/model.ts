/** What an option and a command are, as data. */

/** An option. */
export interface OptionDefinition {
  /** The long name, without its dashes. */
  readonly name: string
  /** The short name, one character. */
  readonly short?: string
  /** What stands for its value in the help; without it the option is a switch. */
  readonly value?: string
  /** The value may be left out. What follows is taken for it when it matches. */
  readonly optionalValue?: RegExp
  /** What the value is: a file, or one of these. */
  readonly values?: "file" | ReadonlyArray<string>
  /** May be given more than once. */
  readonly repeats?: boolean
  /** What it does, for the help. */
  readonly text: string
  /** What it does, in the few words of the short help, which lists the options that have them. */
  readonly brief?: string
  /** What it does under `--listen`, where that is another thing. */
  readonly listening?: string | undefined
}

/** Options under one heading of the help. */
export interface Group {
  readonly heading: string
  /** Every command has these options. */
  readonly shared?: boolean
  readonly options: ReadonlyArray<OptionDefinition>
}

/** A command: `wscat` itself, or one of its subcommands. */
export interface CommandDefinition {
  /** Absent for `wscat` itself. */
  readonly name?: string
  /** What stands beside the options: what must, then what may. */
  readonly operands?: ReadonlyArray<string>
  /** How many of the operands must be given. */
  readonly required?: number
  readonly usage: ReadonlyArray<string>
  readonly summary: string
  readonly groups: ReadonlyArray<Group>
  /** Command lines to begin with, and what they do. */
  readonly examples: ReadonlyArray<readonly [command: string, what: string]>
}
