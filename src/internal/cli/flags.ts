/** The options as `effect/cli` flags, made from the words. */
import * as Option from "effect/Option"
import type * as Types from "effect/Types"
import { Flag } from "effect/cli"
import { textOf } from "./help.ts"
import { type Verb, verbs, type Word, wordsOf } from "./words.ts"

/** What `--passphrase` without a value stands for: no passphrase has it. */
export const ask = "\0"

/** The names of the drafts, and what else they go by. */
const drafts = [
  ["13", "rfc6455"],
  ["8", "hybi-08"],
  ["7", "hybi-07"],
  ["hixie-76", "hixie-76"]
] as const

/** Gives a flag the word's short name, description and mark for its value. */
const named = <A>(flag: Flag.Flag<A>, word: Word): Flag.Flag<A> => {
  const { short, value } = word
  const described = Flag.withDescription(flag, textOf(word))
  const marked = value === undefined ? described : Flag.withMetavar(described, value.slice(1, -1))
  return short === undefined ? marked : Flag.withAlias(marked, short)
}

const optional = <A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> =>
  Flag.map(Flag.optional(flag), Option.getOrUndefined)

/** A number of a kind, within bounds; what it should be is said in one way, whatever is wrong with it. */
const numeric = (
  flag: Flag.Flag<string>,
  kind: "a whole number" | "a number of seconds",
  least: number,
  most = Infinity
): Flag.Flag<number> =>
  Flag.filterMap(
    flag,
    (text) => {
      const value = text.trim() === "" ? Number.NaN : Number(text)
      const isKind = kind === "a whole number" ? Number.isSafeInteger(value) : Number.isFinite(value)
      return isKind && value >= least && value <= most ? Option.some(value) : Option.none()
    },
    () => (most === Infinity ? `${kind}, at least ${least}` : `${kind} from ${least} to ${most}`)
  )

/** The flags of one command. */
const flagsOf = (verb: Verb) => {
  const wordOf = (name: string): Word => {
    const word = wordsOf(verb).find((word) => word.name === name)
    if (word === undefined) throw new Error(`there is no word ${name}`)
    return word
  }
  return {
    on: (name: string): Flag.Flag<boolean> =>
      Flag.withDefault(Flag.withoutNegation(named(Flag.Boolean(name), wordOf(name))), false),
    text: (name: string): Flag.Flag<string | undefined> => optional(named(Flag.String(name), wordOf(name))),
    texts: (name: string): Flag.Flag<ReadonlyArray<string>> => Flag.atLeast(named(Flag.String(name), wordOf(name)), 0),
    file: (name: string): Flag.Flag<string | undefined> => optional(named(Flag.File(name), wordOf(name))),
    files: (name: string): Flag.Flag<ReadonlyArray<string>> => Flag.atLeast(named(Flag.File(name), wordOf(name)), 0),
    textOr: (name: string, absent: string): Flag.Flag<string | undefined> =>
      optional(Flag.withOptionalValue(named(Flag.String(name), wordOf(name)), absent)),
    whole: (name: string, least: number, most = Infinity): Flag.Flag<number | undefined> =>
      optional(numeric(named(Flag.String(name), wordOf(name)), "a whole number", least, most)),
    wholeOr: (name: string, absent: number, least: number): Flag.Flag<number | undefined> =>
      optional(
        numeric(Flag.withOptionalValue(named(Flag.String(name), wordOf(name)), String(absent)), "a whole number", least)
      ),
    seconds: (name: string, least: number): Flag.Flag<number | undefined> =>
      optional(numeric(named(Flag.String(name), wordOf(name)), "a number of seconds", least)),
    draft: (name: string) => optional(named(Flag.ChoiceWithValue(name, drafts), wordOf(name)))
  }
}

const [wscatVerb, benchVerb, doctorVerb] = verbs

/** How to connect, for all commands. */
const connecting = (verb: Verb) => {
  const { draft, file, on, seconds, text, textOr, texts, whole, wholeOr } = flagsOf(verb)
  return {
    protocol: draft("protocol"),
    subprotocol: texts("subprotocol"),
    origin: text("origin"),
    host: text("host"),
    header: texts("header"),
    auth: text("auth"),
    authFile: file("auth-file"),
    cookie: texts("cookie"),
    cookieFile: file("cookie-file"),
    location: on("location"),
    maxRedirects: wholeOr("max-redirects", 10, 0),
    compress: on("compress"),
    noCheck: on("no-check"),
    ca: file("ca"),
    cert: file("cert"),
    key: file("key"),
    passphrase: textOr("passphrase", ask),
    passphraseFile: file("passphrase-file"),
    servername: text("servername"),
    proxy: text("proxy"),
    openTimeout: seconds("open-timeout", 0.001),
    maxPayload: whole("max-payload", 1)
  }
}

/** The values of flags. */
type Values<A> = Types.Simplify<{ readonly [K in keyof A]: A[K] extends Flag.Flag<infer B> ? B : never }>

export type Connecting = Values<ReturnType<typeof connecting>>

const wscat = () => {
  const { files, on, seconds, text, texts, whole, wholeOr } = flagsOf(wscatVerb)
  return {
    connect: text("connect"),
    listen: text("listen"),
    path: text("path"),
    echo: on("echo"),
    ...connecting(wscatVerb),
    retry: wholeOr("retry", -1, -1),
    execute: texts("execute"),
    file: files("file"),
    wait: seconds("wait", -1),
    count: whole("count", 1),
    binary: on("binary"),
    hex: on("hex"),
    base64: on("base64"),
    null: on("null"),
    slash: on("slash"),
    ping: seconds("ping", 0.001),
    pongTimeout: seconds("pong-timeout", 0.001),
    showPingPong: on("show-ping-pong"),
    closeCode: whole("close-code", 1000, 4999),
    closeReason: text("close-reason"),
    json: on("json"),
    frames: on("frames"),
    timestamps: on("timestamps"),
    quiet: on("quiet"),
    noColor: on("no-color")
  }
}

/** The flags of `wscat` itself. */
export const wscatFlags = wscat()

export type Wscat = Values<typeof wscatFlags>

const bench = () => {
  const { on, seconds, whole } = flagsOf(benchVerb)
  return {
    connections: whole("connections", 1),
    outstanding: whole("outstanding", 1),
    size: whole("size", 0),
    duration: seconds("duration", 0.001),
    warmup: seconds("warmup", 0),
    binary: on("binary"),
    json: on("json"),
    quiet: on("quiet"),
    ...connecting(benchVerb)
  }
}

/** The flags of `wscat bench`. */
export const benchFlags = bench()

export type Bench = Values<typeof benchFlags>

const doctor = () => {
  const { on } = flagsOf(doctorVerb)
  return { json: on("json"), noColor: on("no-color"), ...connecting(doctorVerb) }
}

/** The flags of `wscat doctor`. */
export const doctorFlags = doctor()

export type Doctor = Values<typeof doctorFlags>
