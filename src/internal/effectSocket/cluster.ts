import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { LazyArg } from "effect/Function"
import * as HttpRunner from "effect/cluster/HttpRunner"
import type { MessageStorage } from "effect/cluster/MessageStorage"
import type { RunnerHealth } from "effect/cluster/RunnerHealth"
import * as RunnerServer from "effect/cluster/RunnerServer"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as Runners from "effect/cluster/Runners"
import type { Sharding } from "effect/cluster/Sharding"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import { ServeError } from "effect/http/HttpServerError"
import * as NetAddress from "effect/net/NetAddress"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as EffectSocket from "effect/socket/Socket"
import * as http from "node:http"
import type * as https from "node:https"
import { connect, type ConnectOptions } from "../client/connect.ts"
import { ofConnect } from "./adapter.ts"
import { makeHttpServer, type WebSocketOptions } from "./httpServer.ts"

/**
 * Options of the connections to the runners of a cluster.
 *
 * @category options
 * @since 0.2.0
 */
export interface RunnerClientOptions {
  /**
   * The path at which every runner accepts the others. Default: `"/"`.
   */
  readonly path?: HttpRouter.PathInput | undefined
  /**
   * Whether the runners are reached over TLS, as they have to be when `createServer` makes an HTTPS server.
   * Default: `false`.
   */
  readonly secure?: boolean | undefined
  /**
   * Options of each connection: TLS, header fields, limits and timeouts. `maxMessageSize` limits a batch of
   * replies; default: 1 MiB.
   */
  readonly connect?: ConnectOptions | undefined
}

/**
 * Options of a runner: of its connections to the others, and of its server.
 *
 * @category options
 * @since 0.2.0
 */
export interface RunnerOptions extends RunnerClientOptions {
  /**
   * Creates the HTTP server that listens at the runner's address. Default: `http.createServer`.
   */
  readonly createServer?: LazyArg<http.Server | https.Server> | undefined
  /**
   * Options of the connections that other runners open, and limits of the server. `maxMessageSize` limits a batch
   * of requests; default: 1 MiB.
   */
  readonly websocket?: WebSocketOptions | undefined
}

/**
 * The services that every process of a cluster needs.
 *
 * @category models
 * @since 0.2.0
 */
export type RunnerServices = ShardingConfig | MessageStorage | RunnerStorage | RpcSerialization.RpcSerialization

/** The protocol with which a process calls runners: one connection for each runner that it has to do with. */
export const layerRunnerClientProtocol = ({
  connect: options,
  path = "/",
  secure = false
}: RunnerClientOptions): Layer.Layer<Runners.RpcClientProtocol, never, RpcSerialization.RpcSerialization> =>
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.map(RpcSerialization.RpcSerialization, (serialization) => ({
      codecFor: serialization.codecFor,
      make: ({ host, port }) => {
        const url = `${secure ? "wss" : "ws"}://${NetAddress.formatUrlHostString(host)}:${port}${path}`
        return RpcClient.makeProtocolSocket().pipe(
          Effect.provideService(EffectSocket.Socket, ofConnect(connect(url, options), "often")),
          Effect.provideService(RpcSerialization.RpcSerialization, serialization)
        )
      }
    }))
  )

/** A runner that serves the others at its address. */
export const layerRunner = (
  options: RunnerOptions
): Layer.Layer<Sharding | Runners.Runners, ServeError, RunnerServices | RunnerHealth> =>
  HttpRouter.serve(HttpRunner.layerWebsocketOptions({ path: options.path ?? "/" })).pipe(
    Layer.provide([layerRunnerClientProtocol(options), layerRunnerServer(options)])
  )

/** A process that calls runners and is none itself. */
export const layerRunnerClientOnly = (
  options: RunnerClientOptions
): Layer.Layer<Sharding | Runners.Runners, never, RunnerServices> =>
  Layer.provide(RunnerServer.layerClientOnly, layerRunnerClientProtocol(options))

const layerRunnerServer = ({ createServer = http.createServer, websocket }: RunnerOptions) =>
  Layer.effect(
    HttpServer.HttpServer,
    Effect.gen(function* () {
      const { runnerAddress, runnerListenAddress } = yield* ShardingConfig
      const address = Option.getOrUndefined(Option.orElse(runnerListenAddress, () => runnerAddress))
      if (address === undefined) {
        const cause = new Error("ShardingConfig has no runnerAddress to listen at; a runner needs one")
        return yield* Effect.fail(new ServeError({ cause }))
      }
      return yield* makeHttpServer(createServer, { host: address.host, port: address.port, websocket })
    })
  )
