import * as Inspectable from "effect/Inspectable"
import { pathOnly } from "../protocol/summary.ts"
import type { Connection } from "./model.ts"

type Annotations = Readonly<Record<string, unknown>>

const valueOf: Readonly<Record<string, (connection: Connection) => string | undefined>> = {
  "websocket.id": ({ id }) => id,
  "network.peer.address": ({ request }) => request.remoteAddress,
  "url.path": ({ request }) => pathOnly(request.url)
}

/** What the annotations of a connection are read from. */
class Annotated {
  readonly connection: Connection

  constructor(connection: Connection) {
    this.connection = connection
  }

  /** `util.inspect` looks at the target of a proxy, but calls this with the proxy. */
  [Inspectable.NodeInspectSymbol](): object {
    return { ...this }
  }
}

/**
 * Returns how the logs and spans of a connection's handler are annotated: with the connection's id, the address of its peer and
 * the path, beside the annotations of the server. The values are made when they are read, so that a connection whose handler
 * logs nothing keeps none of them.
 */
export const annotating = (outer: Annotations): ((connection: Connection) => Annotations) => {
  const keys = [...new Set([...Object.keys(outer), ...Object.keys(valueOf)])]
  const read = ({ connection }: Annotated, key: string): unknown => valueOf[key]?.(connection) ?? outer[key]
  const handler: ProxyHandler<Annotated> = {
    get: (target, key) => (typeof key === "string" ? read(target, key) : Reflect.get(target, key)),
    has: (target, key) => typeof key === "string" && read(target, key) !== undefined,
    ownKeys: (target) => keys.filter((key) => read(target, key) !== undefined),
    getOwnPropertyDescriptor: (target, key) => {
      const value = typeof key === "string" ? read(target, key) : undefined
      return value === undefined ? undefined : { value, enumerable: true, configurable: true }
    }
  }
  return (connection) => new Proxy(new Annotated(connection), handler) as object as Annotations
}
