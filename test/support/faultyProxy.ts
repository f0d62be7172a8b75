import { once } from "node:events"
import * as net from "node:net"

/** `up` is what the client sends. */
export type Direction = "up" | "down"

/** What happens to the byte behind those that pass. */
export type Action =
  /** Both connections are reset. */
  | "reset"
  /** The receiver is told that no more comes, and no more does; the other direction goes on. */
  | "end"
  /** Nothing passes any more, either way, and nobody is told. */
  | "stall"
  /** Some of its bits change; what follows passes. */
  | "corrupt"
  /** It and the next arrive behind the two that follow them; what follows passes. */
  | "reorder"
  /** A call, made when it came; it passes. */
  | (() => void)

export interface WireFault {
  readonly direction: Direction
  /** Bytes of that direction that pass before. */
  readonly after: number
  /** From where they are counted: the first byte, or where the direction stood when `mark` was called. Default `start`. */
  readonly from?: "start" | "mark" | undefined
  readonly action: Action
}

/** Each piece of so many bytes waits for so many milliseconds, 0 for the next turn of the event loop. */
export interface Pace {
  readonly bytes: number
  readonly delay: number
}

/** The length of what is reordered: two bytes, and the two behind them. */
const span = 4

const reordered = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(span / 2, span), bytes.subarray(0, span / 2)])

/** One direction of a connection. */
class Pipe {
  passed = 0
  /** Where `mark` was called. */
  marked: number | undefined = undefined
  /** Whether what comes is thrown away. */
  deaf = false
  private readonly to: net.Socket
  private readonly fault: WireFault | undefined
  private readonly pace: Pace | undefined
  private readonly act: (action: Action) => void
  private waiting: Buffer = Buffer.alloc(0)
  private happened = false
  private ending = false
  private timer: NodeJS.Timeout | undefined = undefined

  constructor(
    from: net.Socket,
    to: net.Socket,
    fault: WireFault | undefined,
    pace: Pace | undefined,
    act: (action: Action) => void
  ) {
    this.to = to
    this.fault = fault
    this.pace = pace
    this.act = act
    from.on("data", (chunk: Buffer) => this.take(chunk))
    from.on("end", () => this.end())
    from.on("close", () => clearTimeout(this.timer))
  }

  private take(chunk: Buffer): void {
    if (this.deaf) return
    this.waiting = Buffer.concat([this.waiting, chunk])
    if (this.pace === undefined) this.pass(this.waiting.length)
    else this.tick(this.pace)
  }

  private tick(pace: Pace): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.pass(Math.min(pace.bytes, this.waiting.length))
      if (this.waiting.length > 0) this.tick(pace)
      else if (this.ending) this.to.end()
    }, pace.delay)
  }

  private end(): void {
    if (this.deaf) return
    this.ending = true
    if (this.waiting.length === 0) this.to.end()
  }

  private pass(count: number): void {
    const { fault } = this
    const from = fault?.from === "mark" ? this.marked : 0
    if (fault === undefined || from === undefined || this.happened || this.passed + count <= from + fault.after) {
      return this.write(count)
    }
    const before = from + fault.after - this.passed
    const { action } = fault
    if (action === "reorder") {
      if (this.waiting.length < before + span) return
      this.happened = true
      this.write(before)
      this.waiting = Buffer.concat([reordered(this.waiting), this.waiting.subarray(span)])
    } else if (action === "corrupt") {
      this.happened = true
      this.write(before)
      this.waiting[0] = (this.waiting[0] ?? 0) ^ 0x70
    } else {
      this.happened = true
      this.write(before, () => this.act(action))
      if (typeof action === "string") {
        this.waiting = Buffer.alloc(0)
        return
      }
    }
    this.write(count - before)
  }

  private write(count: number, done?: () => void): void {
    const bytes = this.waiting.subarray(0, count)
    this.waiting = this.waiting.subarray(count)
    this.passed += count
    if (this.to.writable && count > 0) this.to.write(bytes, () => done?.())
    else done?.()
  }
}

/** Stands between one client and a server that listens on the loopback address, and does one thing wrong. */
export class FaultyProxy {
  readonly port: number
  private readonly server: net.Server
  private readonly sockets: Array<net.Socket> = []
  private readonly pipes: { [D in Direction]?: Pipe } = {}
  private readonly reset: () => void

  private constructor(server: net.Server, port: number, target: number, fault: WireFault | undefined, pace?: Pace) {
    this.server = server
    this.port = port
    this.reset = () => {
      for (const socket of this.sockets) socket.resetAndDestroy()
    }
    server.once("connection", (client: net.Socket) => {
      client.pause()
      const upstream = net.connect({ port: target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true })
      client.setNoDelay(true)
      this.sockets.push(client, upstream)
      upstream.once("connect", () => {
        const isUp = fault?.direction === "up"
        const up = new Pipe(client, upstream, isUp ? fault : undefined, pace, (action) => this.act(action, up))
        const down = new Pipe(upstream, client, isUp ? undefined : fault, pace, (action) => this.act(action, down))
        this.pipes.up = up
        this.pipes.down = down
        client.resume()
      })
      const lose = (other: net.Socket) => (): void => {
        if (this.pipes.up?.deaf !== true || this.pipes.down?.deaf !== true) other.resetAndDestroy()
      }
      client.on("error", lose(upstream))
      upstream.on("error", lose(client))
    })
  }

  /** A proxy before a port; `fault` is what it does wrong. */
  static async before(target: number, fault?: WireFault, pace?: Pace): Promise<FaultyProxy> {
    const server = net.createServer({ allowHalfOpen: true })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return new FaultyProxy(server, port, target, fault, pace)
  }

  /** Bytes that passed. */
  passed(direction: Direction): number {
    return this.pipes[direction]?.passed ?? 0
  }

  /** Notes where both directions stand. */
  mark(): void {
    for (const pipe of Object.values(this.pipes)) pipe.marked = pipe.passed
  }

  /** Lets go of both sides. */
  stop(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private act(action: Action, pipe: Pipe): void {
    if (typeof action === "function") return action()
    if (action === "reset") return this.reset()
    pipe.deaf = true
    if (action === "end") {
      const [client, upstream] = this.sockets
      const to = pipe === this.pipes.up ? upstream : client
      to?.end()
      return
    }
    for (const each of Object.values(this.pipes)) each.deaf = true
    // Whoever gives up first is let go, and the other isn't told.
    for (const socket of this.sockets) socket.once("end", () => socket.destroy())
  }
}
