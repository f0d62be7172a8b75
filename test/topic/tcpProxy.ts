import { createServer, connect, type Server, type Socket } from "node:net"

/** Passes connections on to a port of this machine, until it is cut. */
export class TcpProxy {
  private readonly target: number
  private readonly sockets = new Set<Socket>()
  private readonly server: Server
  private isCut = false

  constructor(target: number) {
    this.target = target
    this.server = createServer((near) => {
      if (this.isCut) {
        near.destroy()
        return
      }
      const far = connect(this.target, "127.0.0.1")
      this.join(near, far)
      this.join(far, near)
    })
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve))
    const address = this.server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  /** Drops all connections, and takes none until `mend`. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  mend(): void {
    this.isCut = false
  }

  close(): void {
    this.cut()
    this.server.close()
  }

  private join(from: Socket, to: Socket): void {
    this.sockets.add(from)
    from.pipe(to)
    from.on("error", () => {})
    from.on("close", () => {
      this.sockets.delete(from)
      to.destroy()
    })
  }
}
