// Sides of connections in a process of their own: `side.ts <plan>`, a plan in JSON. Tells the ports of its servers, and
// when its clients are open; then it stays.
import { connect, type Face, serve } from "../faces.ts"

export interface Plan {
  readonly servers: ReadonlyArray<Face>
  readonly clients: ReadonlyArray<{ readonly face: Face; readonly port: number; readonly count: number }>
  /** Milliseconds. */
  readonly keepAlive?: number | undefined
}

const say = (what: string, value: unknown): void => void process.stdout.write(`${what} ${JSON.stringify(value)}\n`)

process.on("uncaughtException", (error) => say("uncaught", String(error)))
process.on("unhandledRejection", (error) => say("unhandled", String(error)))

const { clients, keepAlive, servers }: Plan = JSON.parse(process.argv[2] ?? "")

const running = await Promise.all(servers.map((face) => serve[face]({ keepAlive })))
say(
  "ports",
  running.map(({ port }) => port)
)

const opened = clients.flatMap(({ count, face, port }) =>
  Array.from({ length: count }, (_, index) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const client = connect[face](port, { path: `/${index}`, keepAlive, answered: () => resolve() })
    void client.over.then(resolve)
    return promise
  })
)
await Promise.all(opened)
say("open", opened.length)
// A process of clients alone would end here, were it not for their connections.
