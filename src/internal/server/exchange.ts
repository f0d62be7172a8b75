import type { IncomingMessage } from "node:http"
import type { Socket as NetSocket } from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import { DuplexTransport } from "../transport/duplex.ts"
import { encodeResponse } from "../protocol/opening/http.ts"
import { invalidHeader, type Reason } from "../protocol/opening/reason.ts"
import type { Response } from "../handshake/model.ts"
import type { Transport } from "../transport/transport.ts"
import type { Admission, Peer } from "./admission.ts"
import { earlierResponseOn } from "./departure.ts"
import type { UpgradeRequest } from "./model.ts"
import { ReceivedRequest } from "./request.ts"

/** A request to open a connection, and how it is answered in the version of HTTP in which it was sent. */
export interface Exchange {
  /** The stream that becomes the transport. */
  readonly duplex: Duplex
  /** The bytes that followed the request. */
  readonly head: Buffer
  /** The HTTP/2 session of the request. */
  readonly session: object | undefined
  /** Whether the client has left, so that no answer reaches it. */
  readonly isGone: boolean
  /** Whether the responses to all earlier requests on the connection are written. */
  readonly isInTurn: boolean
  /** Why the head can't be taken for one request, if so. */
  readonly invalid: Reason | undefined
  readonly request: (admission: Admission) => UpgradeRequest
  /** Writes the response that opens the connection. */
  readonly open: (response: Response) => Transport
  /** Writes a response that opens none, and ends. */
  readonly refuse: (response: Response) => void
  /** Ends without a response. */
  readonly drop: () => void
}

/** An upgrade of an HTTP/1.1 connection. */
export class Http1Exchange implements Exchange {
  readonly duplex: Duplex
  readonly head: Buffer
  readonly session = undefined
  private readonly incoming: IncomingMessage

  constructor(incoming: IncomingMessage, duplex: Duplex, head: Buffer) {
    this.incoming = incoming
    this.duplex = duplex
    this.head = head
  }

  /** A TCP peer that has left has no address any more. The local address is read last: that is a system call. */
  get isGone(): boolean {
    const duplex = this.duplex as NetSocket
    // An earlier response may have been the last one of the connection.
    if (duplex.destroyed || duplex.writableEnded) return true
    return duplex.remoteAddress === undefined && duplex.localAddress !== undefined
  }

  get isInTurn(): boolean {
    return earlierResponseOn(this.duplex) === undefined
  }

  /** RFC 9112 §3.2. Node gives the first of several fields alone. */
  get invalid(): Reason | undefined {
    // Absent in requests that a framework made by itself.
    const rawHeaders: ReadonlyArray<string> | undefined = this.incoming.rawHeaders
    const length = rawHeaders?.length ?? 0
    let hosts = 0
    for (let at = 0; at < length; at += 2) {
      const name = rawHeaders?.[at]
      if (name?.length === 4 && name.toLowerCase() === "host") hosts++
    }
    return hosts > 1 ? invalidHeader({ field: "host", reason: "a single field", section: "RFC 9112 §3.2" }) : undefined
  }

  request(admission: Admission): UpgradeRequest {
    const { headers, httpVersion, method = "", url = "" } = this.incoming
    const { encrypted, remotePort } = this.duplex as TLSSocket
    const peer = peerOf(this.duplex as NetSocket)
    const client = admission.client(peer, headers)
    return new ReceivedRequest({
      method,
      url,
      httpVersion,
      headers,
      secure: client.secure ?? encrypted === true,
      authority: client.authority ?? authorityOf(url),
      remoteAddress: peer.address,
      remotePort,
      clientAddress: client.address
    })
  }

  open(response: Response): Transport {
    const { duplex } = this
    disableTimers(duplex)
    duplex.write(encodeResponse(response))
    return new DuplexTransport(duplex)
  }

  refuse(response: Response): void {
    const { duplex } = this
    disableTimers(duplex)
    duplex.end(encodeResponse(response))
    duplex.resume()
  }

  drop(): void {
    this.duplex.destroy()
  }
}

/** RFC 9112 §3.2.2: the host of a target in absolute form counts, and not the Host field. */
const authorityOf = (url: string): string | undefined =>
  url.startsWith("/") ? undefined : /^https?:\/\/(?:[^/?#@]*@)?([^/?#]+)/i.exec(url)?.[1]

/** The peer of a socket that a server accepted. Only a server on a Unix socket has a text for an address. */
export const peerOf = (socket: NetSocket): Peer => {
  const address = socket.remoteAddress
  if (address !== undefined) return { address, isLocal: false }
  const { server } = socket as { readonly server?: { readonly address?: () => unknown } }
  return { address, isLocal: typeof server?.address?.() === "string" }
}

/** Turns Node's own timers and delays off: the engine has its own. */
const disableTimers = (socket: Duplex): void => {
  if ("setNoDelay" in socket) (socket as NetSocket).setNoDelay(true)
  if ("setTimeout" in socket) (socket as NetSocket).setTimeout(0)
}
