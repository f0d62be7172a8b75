/** Servers, from their options: the bodies of `Server`'s constructors. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { HandshakeError } from "../handshake/error.ts"
import { acceptorOf, drain } from "./acceptor.ts"
import { addressList, readAddress } from "./address.ts"
import { attachHandler, type HttpServer, isFree } from "./attachment.ts"
import type { ServerConnection } from "./connection.ts"
import type { ServerError } from "./error.ts"
import type { Exchange } from "./exchange.ts"
import { invalidOptions } from "./failure.ts"
import { addressOf, listen, makeListener, stop, yieldPort } from "./listener.ts"
import type { Acceptor, ListenOptions, Options, ServeOptions, Server } from "./model.ts"
import { listenSettingsOf, settingsOf } from "./options.ts"
import type { ProxyProtocol } from "./proxyProtocol.ts"
import { UpgradeHandler } from "./upgradeHandler.ts"

/** What the effect of a constructor requires: `authorize` gets the connection's scope from the server. */
type Requirements<R> = Exclude<R, Scope.Scope> | Scope.Scope

export const make = <A = undefined, R = never>(
  options: ServeOptions<A, R>
): Effect.Effect<Server<A>, ServerError, Requirements<R>> =>
  Effect.gen(function* () {
    const settings = yield* Effect.fromResult(listenSettingsOf(options))
    const upgrades = new UpgradeHandler(options, settings, yield* Effect.context<Exclude<R, Scope.Scope>>())
    const listener = yield* makeListener({
      ...options,
      headTimeout: settings.handshakeTimeout,
      onSession: (session, ownResponses) => upgrades.sessions.watch(session, ownResponses),
      proxyHeaders: proxyHeadersOf(options, upgrades)
    })
    attachHandler(listener.server, undefined, upgrades)
    yield* Effect.acquireRelease(listen(listener, options), () => stop(listener))
    const yielding = yieldPort(listener, options)
    yield* Effect.addFinalizer(() => drain(upgrades, settings.drainGrace, yielding))
    return { address: addressOf(listener), ...acceptorOf(upgrades, yielding) }
  })

/** From which peers headers of the PROXY protocol are read, if from any. */
const proxyHeadersOf = <A, R>(
  { proxyProtocol = false }: ListenOptions,
  { admission, settings, timers }: UpgradeHandler<A, R>
): ProxyProtocol | undefined => {
  if (proxyProtocol === false) return undefined
  const isListed = proxyProtocol === true ? undefined : addressList(proxyProtocol.addresses)
  return {
    isTrusted: (peer) =>
      isListed === undefined
        ? admission.isTrusted(peer)
        : peer.isLocal || isListed(readAddress(peer.address ?? "") ?? ""),
    timers,
    limit: settings.handshakeTimeout
  }
}

export const attach = <A, R>(
  server: HttpServer,
  options: Options<A, R>
): Effect.Effect<Acceptor<A>, ServerError, Requirements<R>> =>
  Effect.gen(function* () {
    const upgrades = yield* makeUpgradeHandler(options)
    const { path } = options
    if (!isFree(server, path)) {
      const place = path === undefined ? "without a path" : `at ${path}`
      return yield* Effect.fail(
        invalidOptions({
          option: "path",
          allowed: "a path at which no WebSocket server is attached",
          message: `invalid option path: a WebSocket server ${place} is already attached`
        })
      )
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => attachHandler(server, path, upgrades)),
      (detach) => Effect.andThen(drain(upgrades, upgrades.settings.drainGrace), Effect.sync(detach))
    )
    return acceptorOf(upgrades)
  })

/** An upgrade handler without a listener, for callers that have the requests. */
export const makeUpgradeHandler = <A, R>(
  options: Options<A, R>
): Effect.Effect<UpgradeHandler<A, R>, ServerError, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const settings = yield* Effect.fromResult(settingsOf(options))
    return new UpgradeHandler(options, settings, yield* Effect.context<Exclude<R, Scope.Scope>>())
  })

export const open = <A, R>(
  exchange: Exchange,
  options: Options<A, R>
): Effect.Effect<ServerConnection<A>, HandshakeError, Requirements<R>> =>
  Effect.flatMap(Effect.orDie(makeUpgradeHandler(options)), (upgrades) => upgrades.open(exchange))
