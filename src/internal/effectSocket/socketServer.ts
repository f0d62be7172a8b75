import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NetAddress from "effect/net/NetAddress"
import * as EffectSocket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import type * as Server from "../server/model.ts"
import { make as makeServer } from "../server/start.ts"
import { SocketError } from "../socket/error.ts"
import { ofOpen } from "./adapter.ts"

/**
 * The connection of the socket that a handler of `layerSocketServer` gets: its request, subprotocol, context and
 * pings.
 *
 * **When to use**
 *
 * Handlers access it with `Effect.serviceOption`, since the type of `SocketServer.run` doesn't have it.
 *
 * @category services
 * @since 0.1.0
 */
export class Connection extends Context.Service<Connection, Server.Connection<unknown>>()(
  "effect-ws/EffectSocket/Connection"
) {}

/**
 * Creates the server of `layerSocketServer`, which listens until the end of the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeSocketServer = <A = undefined, R = never>(
  options: Server.ServeOptions<A, R>
): Effect.Effect<SocketServer.SocketServer["Service"], SocketServer.SocketServerError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* Effect.mapError(makeServer(options), openFailed)
    const { host, port } = server.address
    const address =
      options.socketPath === undefined
        ? yield* Effect.mapError(Effect.fromResult(NetAddress.inetAddressFromIpString(host, port)), openFailed)
        : NetAddress.unixPathAddress(host)
    return SocketServer.SocketServer.of({
      address,
      run: (handler) =>
        server.run((connection) => Effect.provideService(ended(handler(ofOpen(connection))), Connection, connection))
    })
  })

const openFailed = (cause: unknown): SocketServer.SocketServerError =>
  new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })

/** A handler ends when its connection does, and that is no failure; what our side says of others is said by us. */
const ended = <A, E, R>(handler: Effect.Effect<A, E, R>): Effect.Effect<unknown, E | SocketError, R> =>
  Effect.catch(handler, (error): Effect.Effect<void, E | SocketError> => {
    if (!EffectSocket.isSocketError(error)) return Effect.fail(error)
    const { reason } = error
    if (reason._tag === "SocketCloseError") return Effect.void
    return Effect.fail("cause" in reason && reason.cause instanceof SocketError ? reason.cause : error)
  })
