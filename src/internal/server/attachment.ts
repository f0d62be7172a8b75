import type { IncomingMessage, Server } from "node:http"
import type { Duplex } from "node:stream"

type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** The gates of one HTTP server, by path; under `undefined` the one for every other path. */
interface Attached {
  readonly gates: Map<string | undefined, Upgrade>
  readonly listener: Upgrade
}

const attached = new WeakMap<Server, Attached>()

/** Lets a gate have a server's upgrades; answers how to let go of them. Throws when the path is taken. */
export const attachGate = (server: Server, path: string | undefined, upgrade: Upgrade): (() => void) => {
  const { gates, listener } = attached.get(server) ?? begin(server)
  if (gates.has(path)) throw new Error(`something is attached already at ${path ?? "every path"}`)
  gates.set(path, upgrade)
  return () => {
    gates.delete(path)
    if (gates.size > 0) return
    server.off("upgrade", listener)
    attached.delete(server)
  }
}

const begin = (server: Server): Attached => {
  const gates = new Map<string | undefined, Upgrade>()
  const listener: Upgrade = (request, socket, head) => {
    const path = request.url?.split("?", 1)[0]
    const gate = gates.get(path) ?? gates.get(undefined)
    if (gate !== undefined) return gate(request, socket, head)
    // A gate for another path answers that there is nothing here, unless somebody else may have it.
    const [any] = gates.values()
    if (server.listenerCount("upgrade") === 1) any?.(request, socket, head)
  }
  const entry = { gates, listener }
  attached.set(server, entry)
  server.on("upgrade", listener)
  return entry
}
