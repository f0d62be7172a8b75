/** tRPC over WebSocket: queries, mutations, a subscription, errors, and a connection that the server ends. */
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client"
import { initTRPC, TRPCError } from "@trpc/server"
import { applyWSSHandler } from "@trpc/server/adapters/ws"
import { once } from "node:events"
import { WebSocket, WebSocketServer } from "ws"
import { listen, log } from "./support.ts"

const { port, server: web } = await listen()
const { procedure, router } = initTRPC.context().create()
const stored = []
const input = (value) => value
const app = router({
  hello: procedure.input(input).query(({ input: name, ctx }) => `hello ${name}, ${ctx.agent}`),
  store: procedure.input(input).mutation(({ input: item }) => stored.push(item)),
  fail: procedure.query(() => {
    throw new TRPCError({ code: "FORBIDDEN", message: "not for you" })
  }),
  count: procedure.input(input).subscription(async function* ({ input: to }) {
    for (let number = 1; number <= to; number++) yield number
  })
})
const server = new WebSocketServer({ server: web })
const handler = applyWSSHandler({
  wss: server,
  router: app,
  createContext: ({ req }) => ({ agent: req.headers["x-agent"] ?? "nobody" }),
  keepAlive: { enabled: true, pingMs: 20, pongWaitMs: 1000 }
})

/** Counts the connections that a client opened. */
let opened = 0
let closed = 0
const socket = createWSClient({
  url: `ws://127.0.0.1:${port}`,
  WebSocket,
  retryDelayMs: () => 10,
  onOpen: () => opened++,
  onClose: () => closed++
})
const client = createTRPCClient({ links: [wsLink({ client: socket })] })

log(await client.hello.query("Jörg ✓"))
log(await Promise.all(Array.from({ length: 50 }, (_, at) => client.store.mutate(at))))
log(await client.fail.query().catch(({ data, message, shape }) => [message, data.code, shape.code]))
const counted = []
await new Promise((resolve, reject) => {
  client.count.subscribe(300, {
    onData: (number) => counted.push(number),
    onError: reject,
    onComplete: () => resolve(undefined)
  })
})
log(counted.length, counted.at(-1))

const again = once(server, "connection")
for (const one of server.clients) one.terminate()
await again
log(await client.hello.query("again"), opened, closed)

await socket.close()
handler.broadcastReconnectNotification()
server.close()
web.close()
