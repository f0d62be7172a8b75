import {
  AuthorizationError,
  connect as connectNats,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError
} from "@nats-io/transport-node"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { InvalidTopic, TopicError } from "./error.ts"
import { refused, unavailable } from "./failure.ts"
import { maxNameLength } from "./name.ts"

/**
 * The options of `connect` of the package `@nats-io/transport-node`.
 *
 * @category options
 * @since 0.2.0
 */
export type ClientOptions = NodeConnectionOptions

export const natsName = "NATS"

/** A server that vanished without a word is noticed after two pings, so many milliseconds apart, without an answer. */
const pingInterval = 10_000

export const closed = new Error("the connection was closed")

const prefixPattern = /^(?:[^\s.*>\p{Cc}]+\.)*$/u

/** Why no subject can start with this; `undefined` when subjects can. */
export const prefixViolation = (prefix: string): InvalidTopic | undefined =>
  prefix.length <= maxNameLength && prefixPattern.test(prefix)
    ? undefined
    : {
        _tag: "InvalidTopic",
        message: `unsupported prefix ${JSON.stringify(prefix.slice(0, 64))} of subjects; allowed: at most ${maxNameLength} characters, segments without white space, "*" and ">", each followed by a dot`,
        topic: prefix.slice(0, 64)
      }

/** Why these can't be a stream and the start of its subjects; `undefined` when they can. */
export const streamViolation = (prefix: string, stream: string): InvalidTopic | undefined => {
  if (prefix === "") {
    const message = 'unsupported prefix "" of a stream: its subjects would be those of the server, too'
    return { _tag: "InvalidTopic", message, topic: prefix }
  }
  if (/^[\w-]{1,200}$/.test(stream)) return undefined
  const message = `unsupported name ${JSON.stringify(stream.slice(0, 64))} of a stream; allowed: 1 to 200 letters, digits, "-" and "_"`
  return { _tag: "InvalidTopic", message, topic: stream.slice(0, 64) }
}

/** What is left in a connection's buffer when it is lost must not be sent by the next one: so there is no next one. */
export const clientOptions = (client: ClientOptions): ClientOptions => ({
  pingInterval,
  ...client,
  reconnect: false,
  noEcho: false
})

/** An open connection. It is never opened again: what is lost is followed by another one. */
export interface OpenedNats {
  readonly connection: NatsConnection
  /** Waits until the connection is lost; succeeds with why. */
  readonly lost: Effect.Effect<TopicError>
}

/** Opens a connection that ends with the scope. */
export const openNats = (client: ClientOptions): Effect.Effect<OpenedNats, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection = yield* Effect.acquireRelease(
      Effect.tryPromise({
        try: () => connectNats(clientOptions(client)),
        catch: (cause) => failure("not sent", cause)
      }),
      (connection) => Effect.ignore(Effect.tryPromise(() => connection.close()))
    )
    yield* Effect.forkScoped(
      Stream.runForEach(Stream.fromAsyncIterable(connection.status(), String), (status) =>
        status.type === "error"
          ? Effect.logWarning(`${natsName} refused something: ${status.error.message}`)
          : Effect.void
      )
    )
    const lost = Effect.map(
      Effect.promise(() => connection.closed()),
      (cause) => unavailable(natsName, "unknown", cause instanceof Error ? cause : closed)
    )
    return { connection, lost }
  })

/** Runs a request, whose failure is a `TopicError`. */
export const request = <A>(send: () => Promise<A>): Effect.Effect<A, TopicError> =>
  Effect.tryPromise({
    try: send,
    catch: (cause) => failure("unknown", cause)
  })

const failure = (outcome: "not sent" | "unknown", cause: unknown): TopicError =>
  cause instanceof AuthorizationError || cause instanceof PermissionViolationError
    ? refused(natsName, cause)
    : unavailable(natsName, outcome, cause)
