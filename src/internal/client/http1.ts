import * as Effect from "effect/Effect"
import * as http from "node:http"
import type * as net from "node:net"
import type { Readable } from "node:stream"
import { DuplexTransport } from "../transport/duplex.ts"
import type { ClientRequest, ServerResponse } from "../handshake/model.ts"
import { readExactly } from "../transport/readExactly.ts"
import type { Transport } from "../transport/transport.ts"
import type { SocketError } from "../socket/error.ts"
import { openFailed } from "../socket/failure.ts"

/** The server's response, and the transport that it came on. */
export interface Answer {
  readonly response: ServerResponse
  readonly transport: Transport
  /** The body of a response that opens no connection. Nothing of it was read. */
  readonly body: Readable | undefined
}

const lost = (cause: unknown): SocketError => openFailed("the connection was lost during the handshake", cause)

/** Writes the request to an open transport and reads the response; destroys the transport when interrupted. */
export const exchange = (socket: net.Socket, request: ClientRequest): Effect.Effect<Answer, SocketError> =>
  Effect.callback((resume) => {
    const outgoing = http.request({
      createConnection: () => socket,
      method: request.method,
      path: request.target,
      headers: request.headers.flat(),
      setHost: false
    })
    const open = (incoming: http.IncomingMessage, head: Buffer, body?: Buffer): void => {
      socket.setNoDelay(true)
      socket.setTimeout(0)
      // What came behind the handshake is read like the rest, once the caller had its chance to read it.
      if (head.length > 0) socket.unshift(head)
      const response = { status: incoming.statusCode ?? 0, headers: incoming.headers, body }
      resume(Effect.succeed({ response, transport: new DuplexTransport(socket), body: undefined }))
    }
    outgoing.once("upgrade", (incoming: http.IncomingMessage, _, head: Buffer) => {
      const size = request.draft.bodyLength.response
      if (size === 0) return open(incoming, head)
      readExactly(socket, head, size, (bytes) =>
        bytes === undefined
          ? resume(Effect.fail(lost("it ended")))
          : open(incoming, bytes.subarray(size), bytes.subarray(0, size))
      )
    })
    outgoing.once("response", (incoming: http.IncomingMessage) => {
      const response = { status: incoming.statusCode ?? 0, headers: incoming.headers }
      resume(Effect.succeed({ response, transport: new DuplexTransport(socket), body: incoming }))
    })
    outgoing.on("error", (cause) => resume(Effect.fail(lost(cause))))
    if (request.body !== undefined) outgoing.once("finish", () => socket.write(request.body ?? ""))
    outgoing.end()
    return Effect.sync(() => socket.destroy())
  })
