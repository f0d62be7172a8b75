import { createServer, type Server } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { announce, mode } from "./program.ts"

/** A server without routes, over TLS when the mode says so. */
export const makeHttpServer = (): Server => (mode.tls === undefined ? createServer() : createTlsServer(mode.tls))

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === "object" && address !== null

/** Listens on a free port of every loopback address and announces it. */
export const listen = (server: Server): void => {
  server.listen(0, "0.0.0.0", () => {
    const address = server.address()
    if (isAddress(address)) announce(address.port)
  })
}
