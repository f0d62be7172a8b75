/** A server without a port: its clients reach it in memory. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Duplex } from "node:stream"
import { connectThrough, type ConnectOptions, type Exchange as ClientExchange } from "../client/connect.ts"
import type { Answer } from "../client/http1.ts"
import type { ClientRequest, Response } from "../handshake/model.ts"
import { joinFields } from "../protocol/opening/http.ts"
import type { SocketError } from "../socket/error.ts"
import { openFailed } from "../socket/failure.ts"
import type { Scoped, Socket } from "../socket/model.ts"
import { holding } from "../socket/opened.ts"
import { memoryPair } from "../transport/memory.ts"
import type { Transport } from "../transport/transport.ts"
import { acceptorOf, drain } from "./acceptor.ts"
import type { Admission } from "./admission.ts"
import type { ServerError } from "./error.ts"
import type { Exchange } from "./exchange.ts"
import type { Acceptor, ServeOptions, UpgradeRequest } from "./model.ts"
import { listenSettingsOf } from "./options.ts"
import { ReceivedRequest } from "./request.ts"
import { UpgradeHandler } from "./upgradeHandler.ts"

/**
 * A server without a port, whose clients reach it in memory.
 *
 * @category models
 * @since 0.2.0
 */
export interface MemoryServer<A> extends Acceptor<A> {
  /**
   * Opens a connection as a client, as `Socket.connect` does, with the same options and errors: a refusal is a
   * `HandshakeError` with the status, the header fields and the body of the response. The end of the scope closes it.
   *
   * A path, with or without a query, stands for `ws://localhost` with that path; a whole URL can be given too: `wss:` makes a
   * request that came over TLS. `net.localAddress` is the address that the server sees, 127.0.0.1 by default. `proxy` and
   * `tls` have no effect.
   */
  readonly connect: (path: string, options?: ConnectOptions) => Effect.Effect<Socket, SocketError, Scope.Scope>
}

/** The address of a client that names none. */
const defaultAddress = "127.0.0.1"

/** A request that a client in memory sends, in whichever version of HTTP it composed it. */
class MemoryExchange implements Exchange {
  /** Stands for the connection until it is open: it carries no bytes, and closes when either side leaves. */
  readonly duplex = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  readonly head: Buffer
  readonly session = undefined
  readonly isInTurn = true
  readonly invalid = undefined
  private readonly sent: ClientRequest
  private readonly peer: ConnectOptions["net"]
  private readonly answer: (answer: Answer | undefined) => void

  constructor(sent: ClientRequest, peer: ConnectOptions["net"], answer: (answer: Answer | undefined) => void) {
    this.sent = sent
    this.peer = peer
    this.answer = answer
    this.head = Buffer.from(sent.body ?? [])
  }

  get isGone(): boolean {
    return this.duplex.destroyed
  }

  request(admission: Admission): UpgradeRequest {
    const { httpVersion, method, secure, target } = this.sent
    const headers = joinFields(this.sent.headers)
    const address = this.peer?.localAddress ?? defaultAddress
    const client = admission.client({ address, isLocal: false }, headers)
    return new ReceivedRequest({
      method,
      url: target,
      httpVersion,
      headers,
      secure: client.secure ?? secure,
      authority: client.authority,
      remoteAddress: address,
      remotePort: this.peer?.localPort,
      clientAddress: client.address
    })
  }

  open(response: Response): Transport {
    const [client, server] = memoryPair()
    this.respond(response, client)
    return server
  }

  refuse(response: Response): void {
    const [client] = memoryPair()
    this.respond(response, client)
    this.duplex.destroy()
  }

  drop(): void {
    this.duplex.destroy()
    this.answer(undefined)
  }

  private respond({ body, headers, status }: Response, transport: Transport): void {
    this.answer({ response: { status, headers: joinFields(headers), body }, transport, body: undefined })
  }
}

export const makeMemory = <A = undefined, R = never>(
  options: ServeOptions<A, R> = {}
): Effect.Effect<MemoryServer<A>, ServerError, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* Effect.fromResult(listenSettingsOf(options))
    const upgrades = new UpgradeHandler(options, settings, yield* Effect.context<Exclude<R, Scope.Scope>>())
    let listening = true
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        drain(upgrades, settings.drainGrace),
        Effect.sync(() => {
          listening = false
        })
      )
    )
    return {
      ...acceptorOf(upgrades),
      connect: (path: string, options: ConnectOptions = {}): Scoped<Socket, SocketError> =>
        Effect.suspend(() => {
          let home: string | undefined
          const exchange: ClientExchange = (request, { net }) => {
            const place = `${request.host}:${request.port}`
            home ??= place
            return listening && place === home
              ? send(request, net, (exchange) => upgrades.negotiate(exchange, upgrades.enqueue))
              : Effect.fail(openFailed(`cannot connect to ${place}`, listening ? elsewhere : stopped))
          }
          return connectThrough(exchange, urlOf(path), options)
        })
    }
  })

const stopped = new Error("the server has stopped")

const elsewhere = new Error("a redirect to another server leaves memory")

/** A path stands for a URL on `localhost`. */
const urlOf = (path: string): string => (path.startsWith("/") ? `ws://localhost${path}` : path)

/** Hands a request to the server and waits for its response; when interrupted, the client has left. */
const send = (
  request: ClientRequest,
  peer: ConnectOptions["net"],
  receive: (exchange: Exchange) => void
): Effect.Effect<Answer, SocketError> =>
  Effect.flatMap(holding, (hold) =>
    Effect.callback((resume) => {
      const exchange = new MemoryExchange(request, peer, (answer) => {
        if (answer === undefined) return resume(Effect.fail(lost))
        hold(answer.transport)
        resume(Effect.succeed(answer))
      })
      receive(exchange)
      return Effect.sync(() => exchange.duplex.destroy())
    })
  )

const lost = openFailed("the connection was lost during the handshake", "it ended")
