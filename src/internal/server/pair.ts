import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Client from "../handshake/client.ts"
import { rfc6455 } from "../handshake/drafts.ts"
import type { Draft, HeaderFields, Negotiated } from "../handshake/model.ts"
import { accept } from "../handshake/server.ts"
import type { Role } from "../protocol/codec.ts"
import { joinFields } from "../protocol/opening/http.ts"
import { memoryPair } from "../transport/memory.ts"
import { type HandshakeReport, reporterOf } from "../observability/reporter.ts"
import type { Transport } from "../transport/transport.ts"
import { clockTimers } from "../socket/clockTimers.ts"
import { compressionOf, extensionsOf } from "../socket/compression.ts"
import { WebSocketConnection } from "../socket/webSocketConnection.ts"
import type { Scoped, Socket, SocketOptions } from "../socket/model.ts"
import { invalidOptions } from "../socket/failure.ts"
import {
  boolean,
  draft as draftRule,
  integer,
  invalidOption,
  isObject,
  objectOf,
  type RulesOf,
  string,
  subprotocol,
  subprotocols
} from "../socket/optionRules.ts"
import { socketRules } from "../socket/socketRules.ts"
import { resolve } from "../socket/options.ts"
import { ServerConnection } from "./connection.ts"
import type { Connection, UpgradeRequest } from "./model.ts"
import { ReceivedRequest } from "./request.ts"

/**
 * Options of `makePair`.
 *
 * @category testing
 * @since 0.1.0
 */
export interface PairOptions extends SocketOptions {
  /** The draft that both speak. Default: RFC 6455, version 13. */
  readonly draft?: Draft | undefined
  /** The subprotocols that the client asks for and the server has. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** The subprotocol of the connection: `protocols` with this one alone. */
  readonly protocol?: string | undefined
  /**
   * What the server's side has as its `request`: its `url`, `headers` and addresses, for handlers that look at them. Header
   * fields are added to those of the handshake. Default: a request for `/` from 127.0.0.1.
   */
  readonly request?: Partial<UpgradeRequest> | undefined
  /** Options of the client alone, over those of both. */
  readonly client?: SocketOptions | undefined
  /** Options of the server alone, over those of both. */
  readonly server?: SocketOptions | undefined
}

/**
 * Makes a client and a server joined in memory, after a real handshake; the end of the scope closes both. An invalid option is a
 * defect: a `SocketError` with reason `InvalidOptions`, which names it.
 *
 * **Details**
 *
 * The server's side is a `Server.Connection`, as a handler gets it: `context` and `request` are those of the options, and its
 * `draining` completes when the scope ends. To test `authorize`, limits and draining, use `Server.makeMemory`.
 *
 * @category testing
 * @since 0.1.0
 */
export const makePair: {
  <A>(
    options: PairOptions & {
      /** The context of the server's side. */
      readonly context: A
    }
  ): Scoped<[client: Socket, server: Connection<A>], never>
  (options?: PairOptions): Scoped<[client: Socket, server: Connection<undefined>], never>
} = <A>(
  options: PairOptions & { readonly context?: A } = {}
): Scoped<[client: Socket, server: Connection<A | undefined>], never> => {
  const draining = Latch.makeUnsafe(false)
  return Effect.acquireRelease(Effect.orDie(open(options, draining.await)), ([client, server], exit) =>
    Effect.andThen(draining.open, Effect.all([client.end(exit), server.end(exit)], { concurrency: 2, discard: true }))
  )
}

/** Header fields as Node gives them. */
const lowerCase = (headers: HeaderFields): HeaderFields =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

type Pair<A> = [client: WebSocketConnection<undefined>, server: ServerConnection<A>]

const requestRules = {
  method: string,
  url: string,
  httpVersion: string,
  headers: { allowed: "an object of header fields", check: isObject },
  secure: boolean,
  authority: string,
  key3: { allowed: "a Uint8Array", check: (value) => value instanceof Uint8Array },
  remoteAddress: string,
  remotePort: integer(0, 65_535),
  clientAddress: string
} satisfies RulesOf<Partial<UpgradeRequest>>

/** The rules of the options of a pair. */
export const pairRules = {
  ...socketRules,
  draft: draftRule,
  protocols: subprotocols,
  protocol: subprotocol,
  request: objectOf("an object of the fields of a request", requestRules),
  client: objectOf("an object of options", socketRules),
  server: objectOf("an object of options", socketRules)
} satisfies RulesOf<PairOptions>

const open = Effect.fnUntraced(function* <A>(
  options: PairOptions & { readonly context?: A },
  draining: Effect.Effect<void>
) {
  const invalid = invalidOption(pairRules, options)
  if (invalid !== undefined) return yield* invalidOptions(invalid)
  const draft = options.draft ?? rfc6455
  const protocols = options.protocol === undefined ? options.protocols : [options.protocol]
  const both = { ...options, drafts: [draft], draft, protocols, extensions: extensionsOf(options.compression) }
  const context = yield* Effect.context<never>()
  const reporter = (role: Role) => reporterOf(role, { ...options, ...options[role] }, context)
  const asking = reporter("client")?.handshake()
  const { url = "/" } = options.request ?? {}
  const sent = yield* Effect.fromResult(
    Client.request(`ws://localhost${url}`, { ...both, headers: asking?.headers([]) })
  )
  const request = new ReceivedRequest({
    method: sent.method,
    url: sent.target,
    httpVersion: sent.httpVersion,
    secure: false,
    remoteAddress: "127.0.0.1",
    remotePort: undefined,
    clientAddress: "127.0.0.1",
    key3: sent.body,
    ...options.request,
    headers: { ...lowerCase(options.request?.headers ?? {}), ...joinFields(sent.headers) }
  })
  const answering = reporter("server")?.handshake(request.headers["traceparent"])
  const accepted = yield* Effect.fromResult(accept(request, { ...both, origins: "any" }))
  const { body, headers, status } = accepted.response
  const negotiated = yield* Effect.fromResult(Client.verify(sent, { status, headers: joinFields(headers), body }))
  const timers = clockTimers(context)
  const [left, right] = memoryPair()
  const parts = (role: Role, transport: Transport, agreed: Negotiated, report: HandshakeReport | undefined) => ({
    transport,
    role,
    timers,
    settings: resolve({ ...options, ...options[role] }),
    draft,
    protocol: agreed.protocol,
    extensions: agreed.extensions,
    compression: compressionOf(agreed.extensions),
    counters: report?.counters
  })
  const client = new WebSocketConnection({
    ...parts("client", left, negotiated, asking),
    request: sent,
    context: undefined
  })
  const server = new ServerConnection<A | undefined>(
    { ...parts("server", right, accepted, answering), request, context: options.context },
    draining,
    undefined
  )
  client.observeClose(asking?.accepted(client, status))
  server.observeClose(answering?.accepted(server, status))
  client.connection.start()
  server.connection.start()
  const pair: Pair<A | undefined> = [client, server]
  return pair
})
