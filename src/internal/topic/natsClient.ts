import {
  AuthorizationError,
  connect as connectNats,
  type NatsConnection,
  type NodeConnectionOptions,
  PermissionViolationError
} from "@nats-io/transport-node"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { TopicError } from "./error.ts"
import { refused, unavailable } from "./failure.ts"

/** How to reach NATS: options for connections, or a connection that exists. */
export interface NatsSource {
  /** Options; together with a connection those for the other servers of its cluster. */
  readonly client: ClientOptions | undefined
  readonly connection: NatsConnection | undefined
}

/**
 * The options of `connect` of the package `@nats-io/transport-node`.
 *
 * @category options
 * @since 0.2.0
 */
export type ClientOptions = NodeConnectionOptions

/**
 * A connection to NATS, as `connect` of the package `@nats-io/transport-node` returns it.
 *
 * @category models
 * @since 0.2.0
 */
export type Connection = NatsConnection

export const natsName = "NATS"

/** A server that vanished without a word is noticed after two pings, so many milliseconds apart, without an answer. */
const pingInterval = 10_000

export const closed = new Error("the connection was closed")

/** What is left in a connection's buffer when it is lost must not be sent by the next one: so there is no next one. */
export const clientOptions = (client: ClientOptions): ClientOptions => ({
  pingInterval,
  ...client,
  reconnect: false,
  noEcho: false
})

/** An open connection, until it is lost. One of ours is never opened again: what is lost is followed by another one. */
export interface OpenedNats {
  readonly connection: NatsConnection
  /** Waits until the connection is lost; succeeds with why. */
  readonly lost: Effect.Effect<TopicError>
}

/** Opens a connection that ends with the scope, or takes one that was given, which stays open. */
export const openNats = ({
  client = {},
  connection: given
}: NatsSource): Effect.Effect<OpenedNats, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const connection =
      given ??
      (yield* Effect.acquireRelease(
        Effect.tryPromise({
          try: () => connectNats(clientOptions(client)),
          catch: (cause) => failure("not sent", cause)
        }),
        (connection) => Effect.ignore(Effect.tryPromise(() => connection.close()))
      ))
    const disconnected = yield* Deferred.make<TopicError>()
    yield* Effect.forkScoped(
      Stream.runForEach(Stream.fromAsyncIterable(connection.status(), String), (status) => {
        if (status.type === "error") return Effect.logWarning(`${natsName} refused something: ${status.error.message}`)
        return status.type === "disconnect"
          ? Deferred.succeed(disconnected, unavailable(natsName, "unknown", new Error("the connection was lost")))
          : Effect.void
      }),
      { startImmediately: true }
    )
    // A connection that was given may be about to connect again, which is waited for.
    if (given !== undefined) yield* isUsable(given)
    const ended = Effect.map(
      Effect.promise(() => connection.closed()),
      (cause) => unavailable(natsName, "unknown", cause instanceof Error ? cause : closed)
    )
    return { connection, lost: given === undefined ? ended : Effect.raceFirst(ended, Deferred.await(disconnected)) }
  })

/** Done when a connection that was given answers. */
const isUsable = (connection: NatsConnection): Effect.Effect<void, TopicError> =>
  Effect.suspend(() => {
    if (connection.isClosed() || connection.isDraining()) return Effect.fail(unavailable(natsName, "not sent", closed))
    if (isSilent(connection)) return Effect.fail(noEcho)
    return Effect.tryPromise({ try: () => connection.flush(), catch: (cause) => failure("not sent", cause) })
  })

/** Whether what is published on a connection isn't delivered to its own subscriptions, as far as its class says. */
const isSilent = (connection: NatsConnection): boolean => {
  const options: unknown = Reflect.get(connection, "options")
  return typeof options === "object" && options !== null && Reflect.get(options, "noEcho") === true
}

const noEcho = new TopicError({
  reason: {
    _tag: "InvalidOptions",
    message: "invalid option connection: one with noEcho; allowed: a connection without noEcho",
    option: "connection",
    allowed: "a connection without noEcho"
  }
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
