import * as Effect from "effect/Effect"
import * as Client from "../handshake/client.ts"
import { rfc6455 } from "../handshake/drafts.ts"
import type { Draft, Negotiated } from "../handshake/model.ts"
import { accept } from "../handshake/server.ts"
import type { Role } from "../protocol/codec.ts"
import { memoryPair } from "../transport/memory.ts"
import { type HandshakeReport, reporterOf } from "../observability/reporter.ts"
import type { Transport } from "../transport/transport.ts"
import { clockTimers } from "./clockTimers.ts"
import { compressionOf, extensionsOf } from "./compression.ts"
import { WebSocketConnection } from "./webSocketConnection.ts"
import type { Scoped, Socket, SocketOptions } from "./model.ts"
import { invalidOptions } from "./failure.ts"
import { invalidOption, socketRules } from "./optionRules.ts"
import { resolve } from "./options.ts"

/**
 * How a pair in memory is made.
 *
 * @category testing
 * @since 0.1.0
 */
export interface PairOptions extends SocketOptions {
  /** The draft that both speak. Default: RFC 6455, version 13. */
  readonly draft?: Draft | undefined
  /** The subprotocols that the client asks for and the server has. */
  readonly protocols?: ReadonlyArray<string> | undefined
  /** Options of the client alone, over those of both. */
  readonly client?: SocketOptions | undefined
  /** Options of the server alone, over those of both. */
  readonly server?: SocketOptions | undefined
}

/**
 * Connects two sockets in memory, a client and a server, with all rules of the protocol. They are closed when the
 * scope ends.
 *
 * **When to use**
 *
 * Use it in tests: no port is opened, and `TestClock` drives every timeout.
 *
 * **Example** (Testing a handler)
 *
 * ```ts
 * import { Effect, Stream } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const shout = (socket: Socket.Socket) =>
 *   Stream.runForEach(socket.messages, (message) => socket.send(String(message).toUpperCase()))
 *
 * const program = Effect.gen(function* () {
 *   const [client, server] = yield* Socket.makePair()
 *   yield* Effect.forkScoped(shout(server))
 *   yield* client.send("hello")
 *   assert.strictEqual(yield* client.receive, "HELLO")
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category testing
 * @since 0.1.0
 */
export const makePair = (options: PairOptions = {}): Scoped<[client: Socket, server: Socket], never> =>
  Effect.acquireRelease(Effect.orDie(open(options)), ([client, server], exit) =>
    Effect.all([client.end(exit), server.end(exit)], { concurrency: 2, discard: true })
  )

const open = Effect.fnUntraced(function* (options: PairOptions) {
  for (const set of [options, options.client ?? {}, options.server ?? {}]) {
    const invalid = invalidOption(socketRules, set)
    if (invalid !== undefined) return yield* invalidOptions(invalid)
  }
  const draft = options.draft ?? rfc6455
  const both = { ...options, drafts: [draft], draft, extensions: extensionsOf(options.compression) }
  const context = yield* Effect.context<never>()
  const reporter = (role: Role) => reporterOf(role, { ...options, ...options[role] }, context)
  const asking = reporter("client")?.handshake()
  const request = yield* Effect.fromResult(Client.request("ws://localhost/", { ...both, headers: asking?.headers([]) }))
  const headers = Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]))
  const asked = { method: request.method, url: request.target, headers, key3: request.body }
  const answering = reporter("server")?.handshake(headers["traceparent"])
  const accepted = yield* Effect.fromResult(accept(asked, { ...both, origins: "any" }))
  const { body, headers: answer, status } = accepted.response
  const fields = Object.fromEntries(answer.map(([name, value]) => [name.toLowerCase(), value]))
  const negotiated = yield* Effect.fromResult(Client.verify(request, { status, headers: fields, body }))
  const timers = clockTimers(context)
  const [left, right] = memoryPair()
  const side = (
    role: Role,
    transport: Transport,
    agreed: Negotiated,
    report: HandshakeReport | undefined
  ): WebSocketConnection<undefined> => {
    const live = new WebSocketConnection<undefined>({
      transport,
      role,
      timers,
      settings: resolve({ ...options, ...options[role] }),
      draft,
      protocol: agreed.protocol,
      extensions: agreed.extensions,
      compression: compressionOf(agreed.extensions),
      counters: report?.counters,
      request: role === "client" ? request : asked,
      context: undefined
    })
    live.observeClose(report?.accepted(live, status))
    return live
  }
  const client = side("client", left, negotiated, asking)
  const server = side("server", right, accepted, answering)
  client.connection.start()
  server.connection.start()
  return [client, server] as [WebSocketConnection<undefined>, WebSocketConnection<undefined>]
})
