/** graphql-ws, server and client: the subprotocol, a query, a subscription, a query amid it, refusals, the end. */
import assert from "node:assert/strict"
import { buildSchema, type ExecutionResult } from "graphql"
import { createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL } from "graphql-ws"
import { useServer } from "graphql-ws/use/ws"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { WebSocket, WebSocketServer } from "ws"
import { first, listen } from "./support.ts"

const { port, server: web } = await listen()
const server = new WebSocketServer({ server: web, path: "/graphql" })
const url = `ws://127.0.0.1:${port}/graphql`

async function* count(limit: number): AsyncGenerator<{ count: number }> {
  for (let number = 1; number <= limit; number++) yield { count: number }
}

async function* endless(): AsyncGenerator<{ endless: number }> {
  for (let number = 1; ; number++) {
    yield { endless: number }
    await setTimeout(1)
  }
}

const graphql = useServer(
  {
    schema: buildSchema(`
      type Query { hello(name: String!): String! }
      type Subscription { count(limit: Int!): Int! endless: Int! }
    `),
    roots: {
      query: { hello: ({ name }: { name: string }) => `Hello, ${name}` },
      subscription: { count: ({ limit }: { limit: number }) => count(limit), endless }
    },
    onConnect: ({ connectionParams }) => connectionParams?.["token"] === "right"
  },
  server,
  1000
)

const opened = once(server, "connection") as Promise<[WebSocket]>
const client = createClient({
  url,
  webSocketImpl: WebSocket,
  connectionParams: { token: "right" },
  lazy: false,
  retryAttempts: 0,
  onNonLazyError: () => {}
})
const [socket] = await opened
assert.ok(socket instanceof WebSocket)
assert.equal(socket.protocol, GRAPHQL_TRANSPORT_WS_PROTOCOL)

// The server's keepalive is a ping of the protocol, which the client's side answers
const alive = once(socket, "pong")

const collect = async (query: string): Promise<ReadonlyArray<unknown>> => {
  const results: Array<ExecutionResult["data"]> = []
  for await (const { data, errors } of client.iterate({ query })) {
    assert.equal(errors, undefined)
    results.push({ ...data })
  }
  return results
}

assert.deepEqual(await collect(`{ hello(name: "Jörg ✓") }`), [{ hello: "Hello, Jörg ✓" }])
assert.deepEqual(
  await collect("subscription { count(limit: 500) }"),
  Array.from({ length: 500 }, (_, index) => ({ count: index + 1 }))
)

// A query while a subscription runs, which its consumer ends
const running = client.iterate({ query: "subscription { endless }" })
assert.deepEqual({ ...(await running.next()).value?.data }, { endless: 1 })
assert.deepEqual(await collect(`{ hello(name: "again") }`), [{ hello: "Hello, again" }])
await running.return?.()

// Refusals: by the server's program, and by the path
const refusal = async (wrongUrl: string): Promise<{ code: number; reason: string }> => {
  const refused = createClient({
    url: wrongUrl,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => {}
  })
  const [{ code, reason }] = await first<[{ code: number; reason: string }]>((listener) =>
    refused.on("closed", (event) => listener(event as { code: number; reason: string }))
  )
  return { code, reason }
}
assert.deepEqual(await refusal(url), { code: 4403, reason: "Forbidden" })
assert.deepEqual(await refusal(`ws://127.0.0.1:${port}/elsewhere`), { code: 1006, reason: "" })

// The end
await alive
const closed = first<[unknown]>((listener) => client.on("closed", listener))
await graphql.dispose()
const [event] = await closed
assert.deepEqual([Reflect.get(Object(event), "code"), Reflect.get(Object(event), "reason")], [1001, "Going away"])
await client.dispose()
web.close()
