import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createClient } from "redis"
import { messageOf } from "../messageOf.ts"
import { type BrokerUnavailable, TopicError } from "./error.ts"
import { refused, unavailable } from "./failure.ts"

/** A connection to Redis. */
export type Client = ReturnType<typeof createClient>

/** What `createClient` of the package `redis` takes. */
export type ClientOptions = NonNullable<Parameters<typeof createClient>[0]>

/**
 * A client of the package `redis`, whatever its modules and scripts are.
 *
 * @category models
 * @since 0.2.0
 */
export interface ExistingClient {
  readonly options?: object
  duplicate(overrides?: object): unknown
}

/**
 * How to reach Redis: options for connections, or a client that exists, whose options they get.
 *
 * @category models
 * @since 0.2.0
 */
export type ClientSource = ClientOptions | ExistingClient

export const redisName = "Redis"

/** An open connection. It is never opened again: what is lost is followed by another one. */
export interface Opened {
  readonly client: Client
  /** Waits until the connection is lost; succeeds with why. */
  readonly lost: Effect.Effect<TopicError>
}

/** A server that vanished without a word is noticed after this many milliseconds of silence to a ping. */
const pingInterval = 10_000
const socketTimeout = 30_000

const isClient = (source: ClientSource): source is ExistingClient =>
  "duplicate" in source && typeof source.duplicate === "function"

/** A client that isn't connected, of the same class as one that was given. `withResp2` has replies come as RESP 2 has them. */
const create = (source: ClientSource, withResp2: boolean): Client => {
  const given: ClientOptions = isClient(source) ? { ...source.options } : source
  const own: ClientOptions = {
    pingInterval: given.pingInterval ?? pingInterval,
    // What can't be sent at once must fail, since sent later it might be sent twice.
    disableOfflineQueue: true,
    commandOptions: {},
    socket: { socketTimeout, ...given.socket, reconnectStrategy: false }
  }
  if (withResp2) {
    Object.assign(own, { RESP: 2, maintNotifications: "disabled", clientSideCache: undefined })
  }
  return isClient(source) ? (source.duplicate(own) as Client) : createClient({ ...source, ...own })
}

/** Opens a connection that ends with the scope. A client that was given stays as it is. */
export const open = (source: ClientSource, withResp2 = false): Effect.Effect<Opened, TopicError, Scope.Scope> =>
  Effect.gen(function* () {
    const lost = yield* Deferred.make<TopicError>()
    const client = yield* Effect.acquireRelease(
      Effect.try({ try: () => create(source, withResp2), catch: invalidClient }),
      (client) => Effect.sync(() => end(client))
    )
    client.on("error", (cause: unknown) => {
      end(client)
      Deferred.doneUnsafe(lost, Effect.succeed(unavailable(redisName, "unknown", cause)))
    })
    yield* request(() => client.connect())
    return { client, lost: Deferred.await(lost) }
  })

const invalidClient = (cause: unknown): TopicError =>
  new TopicError({
    reason: {
      _tag: "InvalidOptions",
      message: `invalid option client: ${messageOf(cause)}; allowed: what createClient of redis takes`,
      option: "client",
      allowed: "what createClient of redis takes"
    }
  })

const end = (client: Client): void => {
  if (client.isOpen) client.destroy()
}

/**
 * Whether Redis answered with an error, which starts with a code in capitals. The classes of the client's errors are of no use: `redis`
 * 5.0 does not export them.
 */
export const isRefusal = (cause: unknown): boolean =>
  cause instanceof Error && !("code" in cause) && /^[A-Z][A-Z0-9]+\b/.test(cause.message)

/** Whether Redis will not do it later either: not while it loads its data or waits for its primary. */
export const isFinal = (cause: unknown): boolean =>
  isRefusal(cause) && !/^(?:LOADING|BUSY|TRYAGAIN|CLUSTERDOWN|MASTERDOWN)\b/.test(messageOf(cause))

/** The answer of Redis; a failure is `"not sent"` where the command can't have reached it. */
export const request = <A>(send: () => Promise<A>): Effect.Effect<A, TopicError> =>
  Effect.tryPromise({
    try: send,
    catch: (cause) => (isRefusal(cause) ? refused(redisName, cause) : unavailable(redisName, outcomeOf(cause), cause))
  })

const outcomeOf = (cause: unknown): BrokerUnavailable["outcome"] =>
  cause instanceof Error && /^The client is (?:closed|offline)$/.test(cause.message) ? "not sent" : "unknown"
