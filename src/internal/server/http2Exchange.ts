import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2"
import type { Socket as NetSocket } from "node:net"
import { encodeFields } from "../protocol/opening/http.ts"
import type { Response } from "../handshake/model.ts"
import { cancelStream, Http2ServerTransport } from "../transport/http2.ts"
import type { Transport } from "../transport/transport.ts"
import type { Admission, Peer } from "./admission.ts"
import { type Exchange, peerOf } from "./exchange.ts"
import type { UpgradeRequest } from "./model.ts"
import { ReceivedRequest } from "./request.ts"

const unknown: Peer = { address: undefined, isLocal: false }

/** An extended CONNECT on a stream of an HTTP/2 connection: RFC 8441. */
export class Http2Exchange implements Exchange {
  readonly duplex: ServerHttp2Stream
  readonly head = Buffer.alloc(0)
  /** Every stream has its own responses. */
  readonly isInTurn = true
  /** Node itself refuses a second `:authority` (RFC 9113 §8.3). */
  readonly invalid = undefined
  private readonly headers: IncomingHttpHeaders

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.duplex = stream
    this.headers = headers
  }

  get session(): object | undefined {
    return this.duplex.session
  }

  /** As over HTTP/1.1, a TCP peer that has left has no address, even before its session has noticed. */
  get isGone(): boolean {
    const { closed, destroyed, headersSent, session } = this.duplex
    if (destroyed || closed || headersSent || session === undefined || session.destroyed) return true
    const { destroyed: lost, localAddress, remoteAddress } = session.socket
    return lost || (remoteAddress === undefined && localAddress !== undefined)
  }

  request(admission: Admission): UpgradeRequest {
    const { duplex, headers } = this
    const { session } = duplex
    const peer = session === undefined || session.destroyed ? unknown : peerOf(session.socket as NetSocket)
    const client = admission.client(peer, headers)
    return new ReceivedRequest({
      method: headers[":method"] ?? "",
      url: headers[":path"] ?? "",
      httpVersion: "2.0",
      headers,
      secure: client.secure ?? session?.encrypted === true,
      authority: client.authority,
      remoteAddress: peer.address,
      remotePort: peer.address === undefined ? undefined : session?.socket.remotePort,
      clientAddress: client.address
    })
  }

  open({ headers, status }: Response): Transport {
    this.duplex.respond({ ":status": status, ...encodeFields(headers) })
    return new Http2ServerTransport(this.duplex)
  }

  /** The server doesn't need the rest of the request: RFC 9113 §8.1 lets it say so with NO_ERROR. */
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
