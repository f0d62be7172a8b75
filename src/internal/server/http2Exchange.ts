import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2"
import { encodeFields } from "../handshake/http.ts"
import type { Response } from "../handshake/model.ts"
import { cancelStream, Http2Transport } from "../transport/http2.ts"
import type { Transport } from "../transport/transport.ts"
import type { Admission } from "./admission.ts"
import type { Exchange } from "./exchange.ts"
import type { UpgradeRequest } from "./model.ts"

/** An extended CONNECT on a stream of an HTTP/2 connection: RFC 8441. */
export class Http2Exchange implements Exchange {
  readonly duplex: ServerHttp2Stream
  readonly head = Buffer.alloc(0)
  private readonly headers: IncomingHttpHeaders

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.duplex = stream
    this.headers = headers
  }

  get isGone(): boolean {
    const { closed, destroyed, headersSent, session } = this.duplex
    return destroyed || closed || headersSent || session === undefined || session.destroyed
  }

  request(admission: Admission): UpgradeRequest {
    const { duplex, headers } = this
    const socket = duplex.session?.socket
    const remoteAddress = socket?.remoteAddress
    return {
      method: headers[":method"] ?? "",
      url: headers[":path"] ?? "",
      httpVersion: "2.0",
      headers,
      secure: duplex.session?.encrypted === true,
      remoteAddress,
      remotePort: socket?.remotePort,
      clientAddress: admission.clientAddress(remoteAddress, headers)
    }
  }

  open({ headers, status }: Response): Transport {
    this.duplex.respond({ ":status": status, ...encodeFields(headers) })
    return new Http2Transport(this.duplex)
  }

  /** What the client still sends isn't needed for the answer: RFC 9113 §8.1 has a server say so with NO_ERROR. */
  refuse({ body, headers, status }: Response): void {
    const { duplex } = this
    duplex.respond({ ":status": status, ...encodeFields(headers) })
    duplex.end(body)
    duplex.close()
    duplex.resume()
  }

  drop(): void {
    cancelStream(this.duplex)
  }
}
