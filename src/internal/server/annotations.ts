import { pathOnly } from "../protocol/summary.ts"
import type { Connection } from "./model.ts"

type Annotations = Readonly<Record<string, unknown>>

type Annotated = Pick<Connection, "id" | "request">

const valueOf: Readonly<Record<string, (connection: Annotated) => string | undefined>> = {
  "websocket.id": ({ id }) => id,
  "network.peer.address": ({ request }) => request.remoteAddress,
  "url.path": ({ request }) => pathOnly(request.url)
}

/**
 * Returns how the logs and spans of a connection's handler are annotated: with the connection's id, the address of its peer and
 * the path, beside the annotations of the server. The values are made when they are read, so that a connection whose handler
 * logs nothing keeps none of them.
 */
export const annotating = (outer: Annotations): ((connection: Annotated) => Annotations) => {
  const read = (connection: Annotated, key: string | symbol): unknown =>
    typeof key === "string" ? (valueOf[key]?.(connection) ?? outer[key]) : undefined
  const handler: ProxyHandler<Annotated> = {
    get: read,
    has: (connection, key) => read(connection, key) !== undefined,
    ownKeys: (connection) =>
      [...new Set([...Object.keys(outer), ...Object.keys(valueOf)])].filter(
        (key) => read(connection, key) !== undefined
      ),
    getOwnPropertyDescriptor: (connection, key) => ({
      value: read(connection, key),
      enumerable: true,
      configurable: true
    })
  }
  return (connection) => new Proxy(connection, handler) as unknown as Annotations
}
