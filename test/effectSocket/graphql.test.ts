import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, type Scope, Stream } from "effect"
import { GraphQL, GraphQLClient, GraphQLGroup, GraphQLProtocol } from "effect/graphql"
import * as EffectSocket from "effect-ws/EffectSocket"
import { Server, type Socket } from "effect-ws"
// The file that `graphql-ws` loads: Vite would take another one, and GraphQL refuses the schemas of a second copy.
import { buildSchema } from "graphql/index.js"
import { makeServer } from "graphql-ws"

const Hello = GraphQL.query("Hello", {
  document: "query Hello($name:String!){hello(name:$name)}",
  variables: { name: Schema.String },
  result: Schema.Struct({ hello: Schema.String })
})

const Count = GraphQL.subscription("Count", {
  document: "subscription Count($to:Int!){count(to:$to)}",
  variables: { to: Schema.Int },
  result: Schema.Struct({ count: Schema.Int })
})

const Operations = GraphQLGroup.make(Hello, Count)

async function* count(to: number): AsyncGenerator<{ count: number }> {
  for (let number = 1; number <= to; number++) yield { count: number }
}

const graphql = makeServer<{ token?: unknown }, { token: string }>({
  schema: buildSchema(`
    type Query { hello(name: String!): String! }
    type Subscription { count(to: Int!): Int! }
  `),
  roots: {
    query: { hello: ({ name }: { name: string }) => `Hello, ${name}` },
    subscription: { count: ({ to }: { to: number }) => count(to) }
  },
  onConnect: ({ connectionParams, extra }) => connectionParams?.token === "right" && extra.token === "right"
})

/** Runs a GraphQL server on one connection: what `graphql-ws` sends waits for a client that doesn't read. */
const serve = (socket: Server.Connection<string>): Effect.Effect<void, Socket.SocketError> =>
  Effect.gen(function* () {
    const run = Effect.runPromiseWith(yield* Effect.context<never>())
    let receive: ((message: string) => Promise<void>) | undefined
    const closed = graphql.opened(
      {
        protocol: socket.protocol ?? "",
        send: (message) => run(socket.send(message)),
        close: async (code, reason) => void (await run(Effect.ignore(socket.close(code, reason)))),
        onMessage: (callback) => {
          receive = callback
        }
      },
      { token: socket.context }
    )
    yield* Stream.runForEach(socket.messages, (message) => Effect.promise(async () => receive?.(String(message)))).pipe(
      Effect.ensuring(Effect.promise(async () => closed()))
    )
  })

/** Serves on a free port; returns the URL. */
const listening: Effect.Effect<string, unknown, Scope.Scope> = Effect.gen(function* () {
  const server = yield* Server.make({
    host: "127.0.0.1",
    port: 0,
    protocols: ["graphql-transport-ws"],
    authorize: ({ headers }) => Effect.succeed(String(headers["x-token"]))
  })
  yield* Effect.forkScoped(server.run(serve))
  return `ws://127.0.0.1:${server.address.port}/graphql`
})

const clientOf = (url: string, token: string) =>
  Effect.gen(function* () {
    const protocol = yield* Layer.build(
      GraphQLProtocol.layerWebSocket({
        url,
        headers: { "x-token": "right" },
        connectionParams: Effect.succeed({ token }),
        idleTimeout: "1 minute"
      }).pipe(Layer.provide(EffectSocket.layerWebSocketConstructor))
    )
    return yield* Effect.provideContext(GraphQLClient.make(Operations), protocol)
  })

describe("effect/graphql", () => {
  it.live("runs queries and subscriptions over layerWebSocketConstructor", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(yield* listening, "right")
      assert.deepStrictEqual(yield* client.Hello({ name: "you" }), { hello: "Hello, you" })
      const counting = yield* Effect.forkChild(Stream.runCollect(client.Count({ to: 100 })))
      assert.deepStrictEqual(yield* client.Hello({ name: "both" }), { hello: "Hello, both" })
      assert.deepStrictEqual(
        yield* Fiber.join(counting),
        Array.from({ length: 100 }, (_, at) => ({ count: at + 1 }))
      )
    })
  )

  it.live("fails with the server's close code when the server refuses the connection's parameters", () =>
    Effect.gen(function* () {
      const client = yield* clientOf(yield* listening, "wrong")
      const { reason } = yield* Effect.flip(client.Hello({ name: "you" }))
      assert.strictEqual(reason._tag, "TransportError")
      assert.match(reason.message, /4403/)
    })
  )
})
