/** What `--expect` describes: which messages must come, in this order. */
import * as Effect from "effect/Effect"
import type { Message } from "../../socket/receiveBuffer.ts"
import { misuse, type WscatError } from "../errors/failure.ts"

type Test = (text: string) => boolean

/** Whether a value contains another: an object its members, a list its items in their places, anything else its equal. */
const contains = (value: unknown, wanted: unknown): boolean => {
  if (Array.isArray(wanted)) {
    return Array.isArray(value) && wanted.every((item, at) => at < value.length && contains(value[at], item))
  }
  if (typeof wanted !== "object" || wanted === null) return Object.is(value, wanted)
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const members = new Map<string, unknown>(Object.entries(value))
  return Object.entries(wanted).every(([key, item]) => members.has(key) && contains(members.get(key), item))
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `/pattern/flags`; a pattern that isn't one is said to be wrong. */
const pattern = /^\/(.+)\/([a-z]*)$/s

const testOf = (description: string): Effect.Effect<Test, WscatError> => {
  const [, source, flags] = pattern.exec(description) ?? []
  if (source !== undefined) {
    return Effect.try({
      try: () => {
        const regular = new RegExp(source, flags)
        return (text: string) => text.search(regular) >= 0
      },
      catch: () => misuse(`--expect ${description} is not a regular expression`)
    })
  }
  const wanted = parsed(description)
  return Effect.succeed(
    typeof wanted === "object" && wanted !== null
      ? (text: string) => contains(parsed(text), wanted)
      : (text: string) => text === description
  )
}

/** Messages that are waited for. */
export class Expectation {
  /** How long to wait, in seconds. */
  readonly within: number
  private readonly wanted: ReadonlyArray<{ readonly description: string; readonly test: Test }>
  private met = 0

  private constructor(wanted: Expectation["wanted"], within: number) {
    this.wanted = wanted
    this.within = within
  }

  static make(descriptions: ReadonlyArray<string>, within: number): Effect.Effect<Expectation, WscatError> {
    return Effect.map(
      Effect.forEach(descriptions, (description) => Effect.map(testOf(description), (test) => ({ description, test }))),
      (wanted) => new Expectation(wanted, within)
    )
  }

  /** Takes a message into account; returns whether all that was expected has come. */
  receive(message: Message): boolean {
    const next = this.wanted[this.met]
    const text = typeof message === "string" ? message : Buffer.from(message).toString("utf8")
    if (next?.test(text) === true) this.met++
    return this.isMet
  }

  get isMet(): boolean {
    return this.met === this.wanted.length
  }

  /** The message that is waited for. */
  get missing(): string {
    return this.wanted[this.met]?.description ?? ""
  }
}
