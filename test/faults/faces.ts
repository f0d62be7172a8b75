// Servers and clients of every face, that write down how each of their connections went.
import { Cause, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import * as http from "node:http"
import * as https from "node:https"
import * as peer from "ws"
import { fork, run } from "./watch.ts"

/** `peer` is `ws` itself, for what the `ws` face has to do as it does. */
export type Face = "Effect" | "ws" | "legacy" | "peer"

/** What one side of a connection was told, in order. */
export type Told = ReadonlyArray<string>

/** The drafts that the faces spell differently. */
export type DraftName = "13" | "8" | "7" | "hixie-76"

export interface Certificate {
  readonly key: string
  readonly cert: string
}

export interface ServerSettings {
  readonly tls?: Certificate | undefined
  /** Milliseconds; the `ws` faces leave it to Node. */
  readonly handshakeTimeout?: number | undefined
  /** Milliseconds between the pings of the Effect face, and for their answers. */
  readonly keepAlive?: number | undefined
  /** Milliseconds; the legacy face has 30 seconds. */
  readonly closeTimeout?: number | undefined
}

export interface Running {
  readonly port: number
  /** What the server's side of the connection to a path was told. */
  readonly told: (path: string) => Told
  /** What was logged as an error. */
  readonly logged: ReadonlyArray<string>
  readonly stop: () => Promise<void>
}

export interface ClientSettings {
  readonly path: string
  readonly tls?: Certificate | undefined
  /** On the Effect face alone. */
  readonly http2?: boolean | undefined
  readonly draft?: DraftName | undefined
  /** Milliseconds that opening may take. */
  readonly openTimeout?: number | undefined
  readonly keepAlive?: number | undefined
  readonly closeTimeout?: number | undefined
  /** What is done when the connection is open. Default: to send `hello`. */
  readonly opened?: ((client: Client) => void) | undefined
  /** What is done with an answer. Default: to close. */
  readonly answered?: ((client: Client, message: string) => void) | undefined
}

/** Milliseconds that are longer than any test: for time limits that aren't the subject. */
export const unlimited = 3_600_000

/** The time limits of a client that only its server, or what lies between, may end. */
export const untimed = { openTimeout: unlimited, keepAlive: unlimited, closeTimeout: unlimited } as const

/** One connection of a client. */
export interface Client {
  readonly told: Told
  /** Nothing more will be told. */
  readonly over: Promise<void>
  readonly send: (text: string) => void
  readonly close: () => void
  /** Gives up at once, whatever is under way: an interrupt, or `terminate`. */
  readonly giveUp: () => void
}

const lost = new Set(["ECONNRESET", "EPIPE", "ECONNABORTED"])

/** An error by what is said of it; where only Node's timing decides the words, by what they have in common. */
export const nameOf = (error: unknown): string => {
  if (error === "it ended") return "lost"
  if (!(error instanceof Error)) return String(error)
  if (error.message === "socket hang up") return "lost"
  const code = "code" in error ? String(error.code) : ""
  if (lost.has(code)) return "lost"
  if (code.startsWith("HPE_")) return "no HTTP"
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") return "no TLS"
  return error.message
}

/** How the Effect face names a failure. */
const reasonOf = ({ reason }: Socket.SocketError): string => {
  switch (reason._tag) {
    case "OpenFailed":
      return `OpenFailed ${nameOf(reason.cause)}`
    case "HandshakeFailed":
      return `HandshakeFailed ${reason.error.reason._tag} ${reason.error.reason.status}`
    case "ConnectionClosed":
      return `ConnectionClosed ${reason.closeCode}`
    case "ProtocolViolation":
      return `ProtocolViolation ${reason.closeCode} ${reason.violation._tag}`
    default:
      return reason._tag
  }
}

const endOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "end"
  const error = Cause.squash(exit.cause)
  return error instanceof Socket.SocketError
    ? reasonOf(error)
    : Cause.hasInterruptsOnly(exit.cause)
      ? "interrupted"
      : nameOf(error)
}

/** Reads a socket to its end, and tells how that was. */
const readToEnd = (
  socket: Socket.Socket,
  tell: (what: string) => void,
  each: (message: string) => Effect.Effect<unknown, Socket.SocketError>
) =>
  Stream.runForEach(socket.messages, (message) => {
    tell(`message ${String(message)}`)
    return each(String(message))
  }).pipe(
    Effect.exit,
    Effect.flatMap((exit) => Effect.map(socket.closed, ({ cause }) => tell(`${endOf(exit)} ${cause._tag}`)))
  )

/** The notes of a server, by path. */
class Notes {
  private readonly all = new Map<string, Array<string>>()

  readonly about = (path: string): Array<string> => {
    let notes = this.all.get(path)
    if (notes === undefined) this.all.set(path, (notes = []))
    return notes
  }
}

const drafts: { readonly [D in DraftName]: Handshake.Draft } = {
  "13": Handshake.rfc6455,
  "8": Handshake.hybi08,
  "7": Handshake.hybi07,
  "hixie-76": Handshake.hixie76
}

export type Handler = (
  socket: Server.Connection,
  tell: (what: string) => void
) => Effect.Effect<unknown, unknown, Scope.Scope>

const echo: Handler = (socket, tell) => readToEnd(socket, tell, (message) => socket.send(message))

/** A server of the Effect face; `handlers` has others than an echo, by path. */
export const serveEffect = async (
  settings: ServerSettings = {},
  handlers: { readonly [path: string]: Handler } = {},
  options: Partial<Server.ServeOptions> = {}
): Promise<Running> => {
  const scope = Effect.runSync(Scope.make())
  const notes = new Notes()
  const logged: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    if (logLevel === "Error") logged.push(String(Array.isArray(message) ? message[0] : message))
  })
  const server = await run(
    Effect.gen(function* () {
      const server = yield* Server.make({
        host: "127.0.0.1",
        drafts: Handshake.all,
        shutdownTimeout: "200 millis",
        ...(settings.tls === undefined ? {} : { tls: settings.tls }),
        ...(settings.handshakeTimeout === undefined ? {} : { handshakeTimeout: settings.handshakeTimeout }),
        ...(settings.closeTimeout === undefined ? {} : { closeTimeout: settings.closeTimeout }),
        ...(settings.keepAlive === undefined
          ? {}
          : { keepAlive: { interval: settings.keepAlive, timeout: settings.keepAlive } }),
        ...options
      })
      yield* Effect.forkScoped(
        server.run((socket) => {
          const told = notes.about(socket.request.url)
          told.push("open")
          return (handlers[socket.request.url] ?? echo)(socket, (what) => void told.push(what))
        }),
        { startImmediately: true }
      )
      return server
    }).pipe(Scope.provide(scope), Effect.provide(Logger.layer([logger])))
  )
  return {
    port: server.address.port,
    told: notes.about,
    logged,
    stop: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const httpServer = (settings: ServerSettings): http.Server =>
  settings.tls === undefined ? http.createServer() : https.createServer(settings.tls)

const listen = async (server: http.Server): Promise<number> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : 0
}

const stop = (server: http.Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

/** `ws` by the types of the face, which has all that is used here. */
const original = peer as unknown as typeof ws

const serveWs =
  (lib: typeof ws) =>
  async (settings: ServerSettings = {}): Promise<Running> => {
    const web = httpServer(settings)
    const { closeTimeout } = settings
    const options = { server: web, ...(closeTimeout === undefined ? {} : { closeTimeout }) }
    const server = new lib.WebSocketServer(options)
    const notes = new Notes()
    server.on("connection", (socket, request) => {
      const told = notes.about(request.url ?? "")
      told.push("open")
      socket.on("message", (data) => {
        told.push(`message ${String(data)}`)
        socket.send(String(data))
      })
      socket.on("error", (error) => told.push(`error ${nameOf(error)}`))
      socket.on("close", (code) => told.push(`close ${code}`))
    })
    return {
      port: await listen(web),
      told: notes.about,
      logged: [],
      stop: () => {
        for (const client of server.clients) client.terminate()
        server.close()
        return stop(web)
      }
    }
  }

const serveLegacy = async (settings: ServerSettings = {}): Promise<Running> => {
  const web = httpServer(settings)
  const server = new legacy.Server({ server: web, handshakeTimeout: settings.handshakeTimeout })
  const notes = new Notes()
  server.on("connection", (socket) => {
    const told = notes.about(socket.upgradeReq?.url ?? "")
    told.push("open")
    socket.on("message", (data) => {
      told.push(`message ${String(data)}`)
      socket.send(String(data), () => {})
    })
    socket.on("error", (error) => told.push(`error ${nameOf(error)}`))
    socket.on("close", (code) => told.push(`close ${code}`))
  })
  return {
    port: await listen(web),
    told: notes.about,
    logged: [],
    stop: () => {
      server.close()
      return stop(web)
    }
  }
}

export const serve: { readonly [F in Face]: (settings?: ServerSettings) => Promise<Running> } = {
  Effect: serveEffect,
  ws: serveWs(ws),
  legacy: serveLegacy,
  peer: serveWs(original)
}

export const sayHello = (client: Client): void => client.send("hello")

const bidFarewell = (client: Client): void => client.close()

const urlOf = (port: number, { path, tls }: ClientSettings): string =>
  `${tls === undefined ? "ws" : "wss"}://127.0.0.1:${port}${path}`

const connectEffect = (port: number, settings: ClientSettings): Client => {
  const {
    answered = bidFarewell,
    closeTimeout,
    draft = "13",
    http2,
    keepAlive,
    opened = sayHello,
    openTimeout,
    tls
  } = settings
  const told: Array<string> = []
  let socket: Socket.Socket | undefined
  const tell = (what: string): void => void told.push(what)
  const program = Effect.gen(function* () {
    const live = yield* Socket.connect(urlOf(port, settings), {
      draft: drafts[draft],
      ...(http2 === undefined ? {} : { http2 }),
      ...(tls === undefined ? {} : { tls: { ca: tls.cert } }),
      ...(openTimeout === undefined ? {} : { openTimeout }),
      ...(closeTimeout === undefined ? {} : { closeTimeout }),
      ...(keepAlive === undefined ? {} : { keepAlive: { interval: keepAlive, timeout: keepAlive } })
    })
    socket = live
    tell("open")
    opened(client)
    yield* readToEnd(live, tell, (message) => Effect.sync(() => answered(client, message)))
  })
  const fiber = fork(Effect.scoped(program))
  fiber.addObserver((exit) => {
    if (Exit.isFailure(exit)) tell(endOf(exit))
  })
  const act = (use: (socket: Socket.Socket) => Effect.Effect<unknown, Socket.SocketError>): void => {
    if (socket !== undefined) fork(Effect.ignore(use(socket)))
  }
  const client: Client = {
    told,
    over: Effect.runPromise(Effect.asVoid(Fiber.await(fiber))),
    send: (text) => act((live) => live.send(text)),
    close: () => act((live) => live.close()),
    giveUp: () => fiber.interruptUnsafe()
  }
  return client
}

const connectWs =
  (lib: typeof ws) =>
  (port: number, settings: ClientSettings): Client => {
    const { answered = bidFarewell, closeTimeout, draft = "13", opened = sayHello, openTimeout, tls } = settings
    const told: Array<string> = []
    const socket = new lib.WebSocket(urlOf(port, settings), {
      perMessageDeflate: false,
      protocolVersion: Number(draft),
      ...(tls === undefined ? {} : { ca: tls.cert }),
      ...(openTimeout === undefined ? {} : { handshakeTimeout: openTimeout }),
      ...(closeTimeout === undefined ? {} : { closeTimeout })
    })
    const over = Promise.withResolvers<void>()
    socket.on("open", () => {
      told.push("open")
      opened(client)
    })
    socket.on("message", (data) => {
      told.push(`message ${String(data)}`)
      answered(client, String(data))
    })
    socket.on("error", (error) => told.push(`error ${nameOf(error)}`))
    socket.on("close", (code) => {
      told.push(`close ${code}`)
      over.resolve()
    })
    const client: Client = {
      told,
      over: over.promise,
      send: (text) => socket.send(text, () => {}),
      close: () => socket.close(1000),
      giveUp: () => socket.terminate()
    }
    return client
  }

const connectLegacy = (port: number, settings: ClientSettings): Client => {
  const { answered = bidFarewell, draft = "13", opened = sayHello, openTimeout, tls } = settings
  const told: Array<string> = []
  const protocolVersion = draft === "hixie-76" ? draft : (Number(draft) as 7 | 8 | 13)
  const socket = new legacy.WebSocket(urlOf(port, settings), {
    protocolVersion,
    handshakeTimeout: openTimeout,
    ca: tls?.cert
  })
  const over = Promise.withResolvers<void>()
  let isOpen = false
  socket.on("open", () => {
    told.push("open")
    isOpen = true
    opened(client)
  })
  socket.on("message", (data) => {
    told.push(`message ${String(data)}`)
    answered(client, String(data))
  })
  socket.on("error", (error) => {
    told.push(`error ${nameOf(error)}`)
    // A connection that never opened has no `close`.
    if (!isOpen) over.resolve()
  })
  socket.on("close", (code) => {
    told.push(`close ${code}`)
    over.resolve()
  })
  const client: Client = {
    told,
    over: over.promise,
    send: (text) => socket.send(text, () => {}),
    close: () => socket.close(draft === "hixie-76" ? undefined : 1000),
    giveUp: () => {
      socket.terminate()
      // It drops its listeners before it is open, and has nothing more to say.
      if (!isOpen) over.resolve()
    }
  }
  return client
}

export const connect: { readonly [F in Face]: (port: number, settings: ClientSettings) => Client } = {
  Effect: connectEffect,
  ws: connectWs(ws),
  legacy: connectLegacy,
  peer: connectWs(original)
}

/** A connection beside those that have faults: it must not notice. */
export class Bystander {
  private readonly client: Client
  private waiting: { readonly text: string; readonly resolve: () => void } | undefined = undefined
  private count = 0
  private readonly ready: Promise<void>

  constructor(face: Face, port: number, tls?: Certificate) {
    const ready = Promise.withResolvers<void>()
    this.ready = ready.promise
    this.client = connect[face](port, {
      path: "/bystander",
      tls,
      ...untimed,
      opened: () => ready.resolve(),
      answered: (_, message) => {
        if (message === this.waiting?.text) this.waiting.resolve()
      }
    })
  }

  /** Sends a message and waits for its echo. */
  async check(): Promise<void> {
    const text = `still here ${this.count++}`
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => late.reject(new Error("a bystander gets no answer")), 120_000)
    timer.unref()
    const echoed = new Promise<void>((resolve) => {
      this.waiting = { text, resolve }
    })
    const talk = async (): Promise<void> => {
      await this.ready
      this.client.send(text)
      await echoed
    }
    await Promise.race([talk(), late.promise])
    clearTimeout(timer)
  }

  async leave(): Promise<void> {
    this.client.close()
    await this.client.over
  }
}
