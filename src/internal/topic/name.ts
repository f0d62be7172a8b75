import * as Effect from "effect/Effect"
import { type InvalidTopic, TopicError } from "./error.ts"

// The grammar of names and filters:
//
//   name    = segment *( "." segment )
//   segment = 1*( letter / digit / "-" / "_" / ":" / "/" / "@" / "+" / "=" / "~" / "%" )
//   filter  = name, of which a segment may be "*" and the last one ">"
//
// Each name is a NATS subject and a Redis channel, and needs no escape in a pattern of either.

/**
 * Longest name or filter, in characters, which are bytes too.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxNameLength = 255

/**
 * Most segments of a name or filter.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxSegments = 16

const namePattern = /^[\w\-:/@+=~%]+(?:\.[\w\-:/@+=~%]+)*$/
const filterPattern = /^(?:>|(?:[\w\-:/@+=~%]+|\*)(?:\.(?:[\w\-:/@+=~%]+|\*))*(?:\.>)?)$/

const invalid = (topic: string, message: string): InvalidTopic => ({
  _tag: "InvalidTopic",
  message,
  topic: topic.slice(0, 64)
})

const violation = (topic: string, pattern: RegExp, what: string): InvalidTopic | undefined => {
  if (topic.length > maxNameLength) return invalid(topic, `a ${what} has at most ${maxNameLength} characters`)
  if (!pattern.test(topic)) {
    const rule = what === "filter" ? ', "*" as a segment and ">" as the last one' : ""
    return invalid(topic, `a ${what} is segments of letters, digits and -_:/@+=~% with dots between them${rule}`)
  }
  let segments = 1
  for (let at = topic.indexOf("."); at >= 0; at = topic.indexOf(".", at + 1)) segments++
  return segments > maxSegments ? invalid(topic, `a ${what} has at most ${maxSegments} segments`) : undefined
}

/** Why this is no name to publish on; `undefined` when it is. */
export const nameViolation = (name: string): InvalidTopic | undefined => violation(name, namePattern, "topic name")

/** Why this is nothing to subscribe to; `undefined` when it is. */
export const filterViolation = (filter: string): InvalidTopic | undefined => violation(filter, filterPattern, "filter")

/** Whether a valid filter stands for more than one name. */
export const isPattern = (filter: string): boolean => filter.includes("*") || filter.endsWith(">")

/**
 * Whether a valid name is one that a valid filter stands for.
 *
 * @category guards
 * @since 0.1.0
 */
export const matches = (filter: string, name: string): boolean => {
  if (!isPattern(filter)) return filter === name
  const wanted = filter.split(".")
  const given = name.split(".")
  for (const [at, segment] of wanted.entries()) {
    if (at >= given.length) return false
    if (segment === ">") return true
    if (segment !== "*" && segment !== given[at]) return false
  }
  return wanted.length === given.length
}

/**
 * One segment out of any text: what a segment can't hold is percent-encoded. For names that have parts that users chose.
 * Fails when the text is empty or holds half a surrogate pair.
 *
 * @category constructors
 * @since 0.1.0
 */
export const segment = (text: string): Effect.Effect<string, TopicError> =>
  Effect.suspend(() => {
    if (text === "" || !text.isWellFormed()) {
      return Effect.fail(new TopicError({ reason: invalid(text, "no segment can be made of this text") }))
    }
    return Effect.succeed(
      encodeURIComponent(text).replaceAll(/[.!*'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    )
  })
