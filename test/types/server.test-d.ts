// What inference gives, without a cast and without an annotation, and where the compiler puts an error. Nothing here runs.
import { Config, Context, Effect, type Layer, Option, Redacted, Schema, type Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"

class Mine {
  readonly _tag = "Mine"
}

class Users extends Context.Service<Users, { readonly find: (key: string) => Effect.Effect<Option.Option<User>> }>()(
  "Users"
) {}

interface User {
  readonly name: string
}

type Of<E> = E extends Effect.Effect<infer A, infer Error, infer R> ? [A, Error, R] : never
type OfLayer<L> = L extends Layer.Layer<infer A, infer Error, infer R> ? [A, Error, R] : never

/** Whether two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(proof: Same<A, B>): void => void proof

export const contexts = (): void => {
  const authorize = (request: Server.UpgradeRequest) =>
    Effect.gen(function* () {
      const user = yield* (yield* Users).find(String(request.headers["x-key"]))
      if (Option.isNone(user)) return yield* Effect.fail(Server.reject(401))
      return user.value
    })

  const served = Server.serve({ port: 0, authorize }, (socket) => Effect.log(socket.context.name))
  same<Of<typeof served>, [never, Server.ServerError, Users | Scope.Scope]>(true)

  const layer = Server.layerServe({ port: 0, authorize }, (socket) => socket.send(socket.context.name))
  same<OfLayer<typeof layer>, [never, Server.ServerError, Users]>(true)

  const configured = Server.layerServeConfig({ port: Config.Port("PORT"), authorize }, (socket) =>
    socket.send(socket.context.name)
  )
  same<OfLayer<typeof configured>, [never, Server.ServerError | Config.ConfigError, Users]>(true)

  const accepted = Server.serve(
    { authorize: () => Effect.succeed(Server.accept({ context: { name: "ada" }, protocol: "chat" })) },
    (socket) => socket.send(socket.context.name)
  )
  same<Of<typeof accepted>[0], never>(true)

  const made = Server.make({ authorize })
  same<Of<typeof made>[0], Server.Server<User>>(true)
  const memory = Server.makeMemory({ authorize })
  same<Of<typeof memory>[0], Server.MemoryServer<User>>(true)
  const bare = Server.makeMemory()
  same<Of<typeof bare>[0], Server.MemoryServer<undefined>>(true)
}

/** A handler says that it doesn't look at the context by not naming one. */
export const handler = (socket: Server.Connection) => Stream.runForEach(socket.messages, socket.send)

export const handlersOfAnyContext = (): void => {
  same<Server.Connection["context"], unknown>(true)
  Server.serve({ authorize: () => Effect.succeed({ name: "ada" }) }, handler)
  Server.serve({}, handler)
}

export const foreignErrors = (): void => {
  Server.serve(
    {
      port: 0,
      // @ts-expect-error the error is none of this library's
      authorize: () => Effect.fail(new Mine()),
      maxConnections: 3
    },
    (socket) => Effect.log(socket.context)
  )
  Server.layerServe(
    {
      port: 0,
      // @ts-expect-error
      authorize: (request) => (request.url === "/" ? Effect.succeed({ name: "ada" }) : Effect.fail(new Mine())),
      maxConnections: 3
    },
    (socket) => Effect.log(socket.context.name)
  )
  Server.makeMemory({
    maxConnections: 3,
    // @ts-expect-error
    authorize: () => Effect.fail(new Mine())
  })
  Server.layerServeConfig(
    {
      port: Config.Port("PORT"),
      // @ts-expect-error
      authorize: () => Effect.fail(new Mine()),
      maxConnections: 3
    },
    (socket) => Effect.log(socket.context)
  )
}

class Chat extends Server.Service<Chat, User>()("Chat") {}
class Plain extends Server.Service<Plain>()("Plain") {}

export const services = (): void => {
  const live = Chat.layerServe({ port: 0, authorize: () => Effect.succeed({ name: "ada", age: 36 }) }, (socket) =>
    socket.send(socket.context.name)
  )
  same<OfLayer<typeof live>, [Chat, Server.ServerError, never]>(true)
  const found = Effect.flatMap(Chat, (server) => server.run((socket) => socket.send(socket.context.name)))
  same<Of<typeof found>, [never, never, Chat]>(true)
  // @ts-expect-error the context is a user's
  Chat.layer({ authorize: () => Effect.succeed({ age: 36 }) })
  const plain = Plain.layerConfig({ port: Config.Port("PORT") })
  same<OfLayer<typeof plain>, [Plain, Server.ServerError | Config.ConfigError, never]>(true)
}

/** Every option of a server can be a config. */
export const configs = (): void => {
  Server.layerConfig({
    port: Config.Port("PORT"),
    host: Config.String("HOST"),
    path: Config.String("PATH"),
    origins: Config.Array(Schema.String, "ORIGINS"),
    maxMessageSize: Config.ByteSize("MAX_MESSAGE_SIZE"),
    readBufferSize: 1024,
    handshakeTimeout: Config.Duration("HANDSHAKE_TIMEOUT"),
    keepAlive: { interval: Config.Duration("PING"), timeout: "10 seconds" },
    maxRate: { connections: Config.Int("RATE"), per: Config.Duration("PER") },
    compression: Config.Boolean("COMPRESSION"),
    headers: { "X-Key": Config.Redacted("KEY") },
    tls: {
      key: Config.Redacted("TLS_KEY"),
      cert: Config.String("TLS_CERT"),
      passphrase: Config.Redacted("PASSPHRASE")
    },
    trustedProxies: { addresses: ["10.0.0.0/8"] },
    onRequest: (_, response) => response.end()
  })
  Server.layerConfig(Config.all({ port: Config.Port("PORT"), host: Config.String("HOST") }))
  const wrapped: Config.Wrap<Server.ServeOptions> = { port: Config.Port("PORT") }
  Server.layerConfig(wrapped)
  // @ts-expect-error a port is no text
  Server.layerConfig({ port: Config.String("PORT") })
}

export const clients = (): void => {
  Socket.connect("wss://example.com", {
    headers: { Authorization: Redacted.make("Bearer …") },
    auth: Redacted.make("user:password"),
    proxy: Redacted.make("http://user:password@proxy.example"),
    tls: { key: Redacted.make("…"), passphrase: Redacted.make("…") },
    maxMessageSize: "16 MiB"
  })
  const pair = Socket.makePair({ context: { name: "ada" } })
  same<Of<typeof pair>[0], [client: Socket.Socket, server: Server.Connection<{ name: string }>]>(true)
  const plain = Socket.makePair({ protocol: "chat" })
  same<Of<typeof plain>[0], [client: Socket.Socket, server: Server.Connection<undefined>]>(true)
}
