import type { IncomingMessage } from "node:http"
import type { Socket as NetSocket } from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { DuplexTransport } from "../transport/duplex.ts"
import { encodeResponse } from "../handshake/http.ts"
import type { Response } from "../handshake/model.ts"
import type { Transport } from "../transport/transport.ts"
import type { Admission } from "./admission.ts"
import type { UpgradeRequest } from "./model.ts"

/** A request to open a connection, and how it is answered over the HTTP that it came over. */
export interface Exchange {
  /** What is to become the transport. */
  readonly duplex: Duplex
  /** What came behind the request. */
  readonly head: Buffer
  /** Whether nobody is there any more to be answered. */
  readonly isGone: boolean
  readonly request: (admission: Admission) => UpgradeRequest
  /** Writes the answer that opens the connection. */
  readonly open: (response: Response) => Transport
  /** Writes an answer that opens none, and ends. */
  readonly refuse: (response: Response) => void
  /** Ends without an answer. */
  readonly drop: () => void
}

/** An upgrade of an HTTP/1.1 connection. */
export class Http1Exchange implements Exchange {
  readonly duplex: Duplex
  readonly head: Buffer
  private readonly incoming: IncomingMessage

  constructor(incoming: IncomingMessage, duplex: Duplex, head: Buffer) {
    this.incoming = incoming
    this.duplex = duplex
    this.head = head
  }

  /**
   * A TCP peer that has left has no address any more, and must not pass for the peer of a Unix socket, whose headers are
   * believed and who is counted nowhere.
   */
  get isGone(): boolean {
    const duplex = this.duplex as NetSocket
    // The local address is asked for last: it costs a system call.
    return duplex.destroyed || (duplex.remoteAddress === undefined && duplex.localAddress !== undefined)
  }

  request(admission: Admission): UpgradeRequest {
    const { headers, httpVersion, method = "", url = "" } = this.incoming
    const { encrypted, remoteAddress, remotePort } = this.duplex as TLSSocket
    return {
      method,
      url,
      httpVersion,
      headers,
      secure: encrypted === true,
      remoteAddress,
      remotePort,
      clientAddress: admission.clientAddress(remoteAddress, headers)
    }
  }

  open(response: Response): Transport {
    const { duplex } = this
    quiet(duplex)
    duplex.write(encodeResponse(response))
    return new DuplexTransport(duplex)
  }

  refuse(response: Response): void {
    const { duplex } = this
    quiet(duplex)
    duplex.end(encodeResponse(response))
    duplex.resume()
  }

  drop(): void {
    this.duplex.destroy()
  }
}

/** Node's own timers and delays off: the engine has its own. */
const quiet = (socket: Duplex): void => {
  if ("setNoDelay" in socket) (socket as NetSocket).setNoDelay(true)
  if ("setTimeout" in socket) (socket as NetSocket).setTimeout(0)
}
