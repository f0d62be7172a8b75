// What one message of 32 bytes allocates on the heap, echoed by each face of the built library. No system call is made: the
// bytes come from memory and go nowhere, so the figure is the same on a busy machine. `npm run bench:floors` reads it.
import { Effect, Stream } from "effect"
import { createServer, type Server as HttpServer } from "node:http"
import { Duplex } from "node:stream"
import type { WebSocketServer } from "ws"
import type * as Library from "../src/index.ts"
import { Server, Socket } from "./library.ts"
import { encodeFrame } from "./workload/frames.ts"
import { makeOpening } from "./workload/upgrade.ts"

const payloadSize = 32
/** Messages counted. */
const total = 1_000_000
/** Messages between two collections: few enough that none happens by itself while they are counted. */
const run = 50_000

const { gc } = globalThis
if (gc === undefined) {
  console.error("needs --expose-gc, and a young generation that holds all that one run allocates: see bench/floors.ts")
  process.exit(2)
}

/** A byte stream that is fed by hand and counts what is written to it. */
class Sink extends Duplex {
  written = 0

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.written += chunk.length
    done()
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const until = async (done: () => boolean, what: string): Promise<void> => {
  for (let turns = 0; !done(); turns++) {
    if (turns > 10_000) throw new Error(what)
    await turn()
  }
}

/** A connection that the HTTP server takes for one of its own. */
const connect = async (server: HttpServer): Promise<Sink> => {
  const sink = new Sink()
  server.emit("connection", sink)
  sink.push(makeOpening("localhost", "off").request)
  await until(() => sink.written > 0 && sink.listenerCount("data") > 0, "the handshake was not answered")
  await turn()
  return sink
}

/** Feeds reads of `batch` messages until `messages` were sent back. */
const feed = async (sink: Sink, batch: number, messages: number): Promise<void> => {
  const frames = Buffer.concat(
    Array.from({ length: batch }, (_, index) => encodeFrame(0x82, Buffer.alloc(payloadSize, index), true))
  )
  const read = Buffer.alloc(frames.length)
  let expected = sink.written
  for (let sent = 0; sent < messages; sent += batch) {
    // The library unmasks in place: what it gets is made anew, in memory that is used again.
    read.set(frames)
    sink.emit("data", read)
    expected += batch * (payloadSize + 2)
    if (sink.written !== expected) await until(() => sink.written === expected, "not all was sent back")
  }
}

const measure = async (sink: Sink, batch: number, collect: () => void): Promise<number> => {
  await feed(sink, batch, 4 * run)
  let grown = 0
  for (let counted = 0; counted < total; counted += run) {
    collect()
    const before = process.memoryUsage().heapUsed
    await feed(sink, batch, run)
    grown += process.memoryUsage().heapUsed - before
  }
  return grown / total
}

type Connection = Library.Server.Connection

const attach = async (handler: (socket: Connection) => Effect.Effect<void, unknown>): Promise<HttpServer> => {
  const server = createServer()
  const program = Effect.gen(function* () {
    const acceptor = yield* Server.attach(server, { keepAlive: false })
    return yield* acceptor.run(handler)
  })
  Effect.runFork(Effect.scoped(program))
  await until(() => server.listenerCount("upgrade") > 0, "the server did not start")
  return server
}

const builtFace: string = "effect-ws/ws"

const callbacks = async (): Promise<HttpServer> => {
  const face: { readonly WebSocketServer: typeof WebSocketServer } = await import(builtFace)
  const server = createServer()
  const sockets = new face.WebSocketServer({ server, perMessageDeflate: false })
  sockets.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }))
  })
  return server
}

const servers: Readonly<Record<string, () => Promise<HttpServer>>> = {
  "effect-ws/ws": callbacks,
  "effect-ws": () => attach((socket) => Stream.runForEach(socket.messages, socket.send)),
  "effect-ws run": () => attach((socket) => Socket.run(socket, socket.send)),
  "effect-ws batch": () => attach((socket) => Socket.runBatch(socket, socket.sendAll))
}

const [name = "", batch = "1"] = process.argv.slice(2)
const make = servers[name]
if (make === undefined) {
  console.error(
    `usage: node bench/allocations.ts <face> <messages of one read>; faces: ${Object.keys(servers).join(", ")}`
  )
  process.exit(2)
}
console.log(JSON.stringify({ bytes: await measure(await connect(await make()), Number(batch), () => gc()) }))
process.exit()
