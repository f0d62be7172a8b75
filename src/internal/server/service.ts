/** Servers as services: a class for each, with the context of its connections. */
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { type Configured, configured, type ConfiguredParts } from "../config.ts"
import type { ServerError } from "./error.ts"
import type { Connection, Options, ServeOptions, Server } from "./model.ts"
import { make } from "./start.ts"

/**
 * Options of a server that listens, of which any part may be a `Config`.
 *
 * @category options
 * @since 0.2.0
 */
export type ConfigOptions<A = undefined, R = never> =
  | Config.Config<ServeOptions<A, R>>
  | Config.Wrap<ServeOptions<A, R>>
  | (ConfiguredParts<Omit<ServeOptions, "authorize">> & {
      readonly authorize?: Options<A, R>["authorize"] | Config.Config<Options<A, R>["authorize"]>
    })

/** Reads the options of a server that are configs. */
export const config = <A = undefined, R = never>(options: ConfigOptions<A, R>): Config.Config<ServeOptions<A, R>> =>
  configured(options as Configured<ServeOptions<A, R>>)

type Handler<A, X, E, R> = (socket: Connection<A>) => Effect.Effect<X, E, R>

/** What a layer requires of its environment: its connections and handlers get their scope from the server. */
type Rest<R> = Exclude<R, Scope.Scope>

/** Listens, and handles each connection in the layer's scope. */
export const makeServing = <A, R, X, E, RH>(
  options: ServeOptions<A, R>,
  handler: Handler<A, X, E, RH>
): Effect.Effect<Server<A>, ServerError, Rest<R> | Rest<RH> | Scope.Scope> =>
  Effect.tap(make(options), (server) => Effect.forkScoped(server.run(handler)))

/**
 * The class of a server's service, with layers.
 *
 * @category models
 * @since 0.2.0
 */
export interface ServiceClass<in out Self, in out Id extends string, in out A> extends Context.ServiceClass<
  Self,
  Id,
  Server<A>
> {
  /** `make` as a layer. */
  readonly layer: <R = never>(options: ServeOptions<A, R>) => Layer.Layer<Self, ServerError, Rest<R>>
  /** The same, with options that are configs. */
  readonly layerConfig: <R = never>(
    options: ConfigOptions<A, R>
  ) => Layer.Layer<Self, ServerError | Config.ConfigError, Rest<R>>
  /** Listens, and handles each connection until the layer's scope ends. */
  readonly layerServe: <X, E, RH, R = never>(
    options: ServeOptions<A, R>,
    handler: Handler<A, X, E, RH>
  ) => Layer.Layer<Self, ServerError, Rest<R> | Rest<RH>>
  /** The same, with options that are configs. */
  readonly layerServeConfig: <X, E, RH, R = never>(
    options: ConfigOptions<A, R>,
    handler: Handler<A, X, E, RH>
  ) => Layer.Layer<Self, ServerError | Config.ConfigError, Rest<R> | Rest<RH>>
}

export const Service =
  <Self, A = undefined>() =>
  <const Id extends string>(id: Id): ServiceClass<Self, Id, A> => {
    const service = Context.Service<Self, Server<A>>()(id)
    return Object.assign(service, {
      layer: <R = never>(options: ServeOptions<A, R>) => Layer.effect(service, make(options)),
      layerConfig: <R = never>(options: ConfigOptions<A, R>) =>
        Layer.effect(service, Effect.flatMap(config(options), make)),
      layerServe: <X, E, RH, R = never>(options: ServeOptions<A, R>, handler: Handler<A, X, E, RH>) =>
        Layer.effect(service, makeServing(options, handler)),
      layerServeConfig: <X, E, RH, R = never>(options: ConfigOptions<A, R>, handler: Handler<A, X, E, RH>) =>
        Layer.effect(
          service,
          Effect.flatMap(config(options), (options) => makeServing(options, handler))
        )
    })
  }
