import type { Draft } from "../../handshake/model.ts"
import { optionsOf } from "./definitions.ts"
import type { CommandDefinition } from "./model.ts"

/** A command line that can't be used. */
export class InvalidArguments extends Error {
  readonly hint: string

  constructor(message: string, hint: string) {
    super(message)
    this.hint = hint
  }
}

/** An option as the command line has it; the value is absent from a switch, and where it was left out. */
export interface GivenOption {
  readonly name: string
  readonly value: string | undefined
}

/** The names of the drafts, and other names that users know. */
const drafts = new Map<string, Draft["id"]>([
  ["13", "rfc6455"],
  ["8", "hybi-08"],
  ["7", "hybi-07"],
  ["hixie-76", "hixie-76"]
])

/** Milliseconds in the units of a duration. */
const units = new Map([
  ["ms", 1],
  ["s", 1000],
  ["", 1000],
  ["m", 60_000],
  ["h", 3_600_000]
])

/** Reads the options of one command as typed values. Each method throws `InvalidArguments` for a value out of bounds. */
export class OptionReader {
  private readonly given: ReadonlyArray<GivenOption>
  private readonly definition: CommandDefinition

  constructor(definition: CommandDefinition, given: ReadonlyArray<GivenOption>) {
    this.definition = definition
    this.given = given
  }

  private all(name: string): ReadonlyArray<string | undefined> {
    if (!optionsOf(this.definition).some((option) => option.name === name)) throw new Error(`no option ${name}`)
    return this.given.flatMap((option) => (option.name === name ? [option.value] : []))
  }

  on(name: string): boolean {
    return this.all(name).length > 0
  }

  /** Every value of an option that may be repeated. */
  texts(name: string): ReadonlyArray<string> {
    return this.all(name).map((value) => value ?? "")
  }

  /** The last value; `absent` when the option stands without one. */
  text(name: string, absent = ""): string | undefined {
    const all = this.all(name)
    return all.length === 0 ? undefined : (all.at(-1) ?? absent)
  }

  /** A whole number within bounds; `absent` when the option stands without a value. */
  whole(name: string, min: number, max = Infinity, absent?: number): number | undefined {
    const expected = max === Infinity ? `a whole number, at least ${min}` : `a whole number from ${min} to ${max}`
    return this.number(name, expected, absent, (value) => Number.isSafeInteger(value) && value >= min && value <= max)
  }

  /** Seconds as a number; with a unit (`500ms`, `2s`, `1m`) the duration in seconds. */
  seconds(name: string, min: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const [, digits = "", unit = ""] = /^(-?[\d.]+)(ms|s|m|h|)$/.exec(text.trim()) ?? []
    const value = digits === "" ? Number.NaN : (Number(digits) * (units.get(unit) ?? 1)) / 1000
    if (Number.isFinite(value) && value >= min) return value
    throw this.invalid(name, text, `a number of seconds, at least ${min}, or with a unit: 500ms, 2s, 1m`)
  }

  /** A number, not only a whole one. */
  factor(name: string, min: number): number | undefined {
    return this.number(name, `a number, at least ${min}`, undefined, (value) => Number.isFinite(value) && value >= min)
  }

  oneOf<A extends string>(name: string, values: ReadonlyArray<A>): A | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const found = values.find((value) => value === text)
    if (found !== undefined) return found
    throw this.invalid(name, text, values.join(", "))
  }

  draft(name: string): Draft["id"] | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const id = drafts.get(text)
    if (id !== undefined) return id
    throw this.invalid(name, text, [...drafts.keys()].join(", "))
  }

  private number(
    name: string,
    expected: string,
    absent: number | undefined,
    accepts: (value: number) => boolean
  ): number | undefined {
    const text = this.text(name, absent === undefined ? "" : String(absent))
    if (text === undefined) return undefined
    const value = text.trim() === "" ? Number.NaN : Number(text)
    if (accepts(value)) return value
    throw this.invalid(name, text, expected)
  }

  private invalid(name: string, value: string, expected: string): InvalidArguments {
    const { name: command } = this.definition
    return new InvalidArguments(
      `--${name} ${JSON.stringify(value)} can't be used; expected: ${expected}`,
      helpHint(command)
    )
  }
}

/** Where the options of a command are listed. */
export const helpHint = (command: string | undefined): string =>
  `wscat ${command === undefined ? "" : `${command} `}--help lists the options`
