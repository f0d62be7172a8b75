// The same attack against every face of the library: a server of each that echoes, and a bare client.
import { Effect, Exit, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import * as net from "node:net"
import { constants, deflateRawSync } from "node:zlib"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { frame, requestHead, takeFrames, type WireFrame } from "../ws/lab.ts"

/** What a server is started with. */
export interface Settings {
  /** Default 1 MiB. */
  readonly maxMessageSize?: number | undefined
  readonly compression?: boolean | undefined
  /** Milliseconds; the `ws` face leaves it to Node. */
  readonly handshakeTimeout?: number | undefined
}

export interface Running {
  readonly port: number
  readonly stop: () => Promise<void>
}

export type FaceName = "Effect" | "ws" | "legacy"

const defaultSize = 1024 * 1024

const effectServer = async (settings: Settings): Promise<Running> => {
  const scope = Effect.runSync(Scope.make())
  const server = await Effect.runPromise(
    Scope.provide(
      Effect.gen(function* () {
        const server = yield* Server.make({
          host: "127.0.0.1",
          drafts: Handshake.all,
          maxMessageSize: settings.maxMessageSize ?? defaultSize,
          compression: settings.compression ?? false,
          shutdownTimeout: "100 millis",
          closeTimeout: "1 second",
          ...(settings.handshakeTimeout === undefined ? {} : { handshakeTimeout: settings.handshakeTimeout })
        })
        yield* Effect.forkScoped(
          server.run((socket) => Stream.runForEach(socket.messages, socket.send)),
          { startImmediately: true }
        )
        return server
      }),
      scope
    )
  )
  return { port: server.address.port, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The port that a server listens on. */
export const portOf = (address: unknown): number =>
  typeof address === "object" && address !== null && "port" in address ? Number(address.port) : 0

const wsServer = async (settings: Settings): Promise<Running> => {
  const server = new ws.WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    maxPayload: settings.maxMessageSize ?? defaultSize,
    perMessageDeflate: settings.compression ?? false
  })
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data: Buffer, isBinary: boolean) => socket.send(data, { binary: isBinary }))
  })
  await once(server, "listening")
  return {
    port: portOf(server.address()),
    stop: () =>
      new Promise((resolve) => {
        for (const client of server.clients) client.terminate()
        server.close(() => resolve())
      })
  }
}

const legacyServer = async (settings: Settings): Promise<Running> => {
  const server = new legacy.Server({
    port: 0,
    host: "127.0.0.1",
    maxPayload: settings.maxMessageSize ?? defaultSize,
    ...(settings.handshakeTimeout === undefined ? {} : { handshakeTimeout: settings.handshakeTimeout })
  })
  server.on("connection", (socket) => {
    socket.on("error", () => {})
    socket.on("message", (data, flags) => socket.send(data, { binary: flags.binary === true }))
  })
  await once(server, "listening")
  const http = server._server
  return {
    port: portOf(http?.address()),
    stop: async () => {
      server.close()
      http?.closeAllConnections()
      return Promise.resolve()
    }
  }
}

const starters = { Effect: effectServer, ws: wsServer, legacy: legacyServer }

/** Runs `use` against an echo server of a face; afterwards the server must still serve others. */
export const withServer = async (
  face: FaceName,
  settings: Settings,
  use: (port: number) => Promise<void>
): Promise<void> => {
  const server = await starters[face](settings)
  try {
    await use(server.port)
    await assertAlive(server.port)
  } finally {
    await server.stop()
  }
}

/** What an attacked server answered. */
export interface Answer {
  /** The HTTP status, 0 when there was none. */
  readonly status: number
  readonly head: string
  readonly frames: ReadonlyArray<WireFrame>
  /** The code of the server's close frame. */
  readonly code: number | undefined
  readonly bytes: Buffer
}

export interface AttackOptions {
  /** Ends the attack, when the server needn't. */
  readonly until?: (answer: Answer) => boolean
  /** Writes piece by piece, each in a packet of its own. */
  readonly slowly?: boolean
  /** Milliseconds after which the attack counts as hanging. Default 8000. */
  readonly deadline?: number
}

const answerOf = (bytes: Buffer): Answer => {
  const end = bytes.indexOf("\r\n\r\n")
  const head = end < 0 ? "" : bytes.toString("latin1", 0, end)
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0)
  const { frames } = status === 101 ? takeFrames(bytes.subarray(end + 4)) : { frames: [] }
  const close = frames.find(({ first }) => (first & 15) === 8)
  const code = close === undefined || close.payload.length < 2 ? undefined : close.payload.readUInt16BE(0)
  return { status, head, frames, code, bytes }
}

/** Writes bytes to a server, and gives what it answered by the time it hung up, or `until` was content. */
export const attack = (
  port: number,
  pieces: ReadonlyArray<string | Uint8Array>,
  { deadline = 8000, slowly = false, until = () => false }: AttackOptions = {}
): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the server neither hung up nor answered: ${Buffer.concat(chunks).toString("latin1")}`))
    }, deadline)
    const finish = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answerOf(Buffer.concat(chunks)))
    }
    socket.on("error", () => {})
    socket.on("close", finish)
    socket.on("data", (chunk) => {
      chunks.push(chunk)
      if (until(answerOf(Buffer.concat(chunks)))) finish()
    })
    const write = async (): Promise<void> => {
      await once(socket, "connect")
      for (const piece of pieces) {
        if (socket.destroyed || !socket.writable) return
        const more = socket.write(piece)
        if (slowly) await new Promise((resolve) => setImmediate(resolve))
        else if (!more && !socket.destroyed) await Promise.race([once(socket, "drain"), once(socket, "close")])
      }
    }
    void write().catch(() => {})
  })

/** Opens a connection with version 13, and writes frames. */
export const attackFrames = (
  port: number,
  frames: ReadonlyArray<Uint8Array>,
  options: AttackOptions & { readonly headers?: ReadonlyArray<string> } = {}
): Promise<Answer> => attack(port, [requestHead(options.headers ?? []), ...frames], options)

export const masked = (first: number, payload: Uint8Array | string = ""): Buffer =>
  frame(first, payload, { mask: true })

const assertAlive = async (port: number): Promise<void> => {
  const { frames } = await attackFrames(port, [masked(0x81, "still here")], {
    until: ({ frames }) => frames.length > 0
  })
  if (frames[0]?.payload.toString() !== "still here") throw new Error("the server no longer serves others")
}

/** Hixie-76 §1.2's request, without the eight bytes behind it. */
export const hixieHead = [
  "GET /demo HTTP/1.1",
  "Host: example.com",
  "Connection: Upgrade",
  "Sec-WebSocket-Key2: 12998 5 Y3 1  .P00",
  "Sec-WebSocket-Protocol: sample",
  "Upgrade: WebSocket",
  "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
  "Origin: http://example.com",
  "",
  ""
].join("\r\n")

export const hixieBody = "^n:ds[4U"

/** What a client made of an answer, or of the frames behind it. */
export interface ClientVerdict {
  /** The code of the close frame that the client sent. */
  readonly code: number | undefined
  /** How its face told the end. */
  readonly told: string
}

setFlagsFromString("--expose-gc")
const collect: unknown = runInNewContext("gc")

/** Collects garbage, and what its finalizers free. */
export const collectGarbage = async (): Promise<void> => {
  if (typeof collect !== "function") throw new Error("no garbage collector to call")
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    Reflect.apply(collect, undefined, [])
  }
}

/** Bytes that live on the heap and in buffers, after a collection. */
export const liveBytes = async (): Promise<number> => {
  await collectGarbage()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Milliseconds of processor time that a synchronous call takes. */
export const cpuMillis = (call: () => unknown): number => {
  const before = process.cpuUsage()
  call()
  const { system, user } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** How a client of the Effect face ends: the error's tag, or `ended`. */
const effectClient = (url: string, compression: boolean): Promise<string> =>
  Effect.runPromise(
    Effect.match(
      Effect.scoped(
        Effect.flatMap(Socket.connect(url, { compression, closeTimeout: 1000 }), (socket) =>
          Stream.runDrain(socket.messages)
        )
      ),
      { onFailure: ({ reason }) => reason._tag, onSuccess: () => "ended" }
    )
  )

const wsClient = (url: string, compression: boolean): Promise<string> =>
  new Promise((resolve) => {
    const client = new ws.WebSocket(url, { perMessageDeflate: compression, maxPayload: defaultSize })
    let told = "ended"
    client.on("error", (error) => (told = error.message))
    client.on("close", () => resolve(told))
  })

const legacyClient = (url: string): Promise<string> =>
  new Promise((resolve) => {
    const client = new legacy.WebSocket(url)
    let told = "ended"
    client.on("error", (error) => {
      told = error instanceof Error ? error.message : error
      setTimeout(() => resolve(told), 50)
    })
    client.on("close", () => resolve(told))
  })

const clients = { Effect: effectClient, ws: wsClient, legacy: legacyClient }

/** Connects a client of a face to a bare server, which answers the request's head with `answer` and hangs up after it. */
export const attackClient = async (
  face: FaceName,
  answer: (head: string) => ReadonlyArray<string | Uint8Array>,
  compression = false
): Promise<ClientVerdict> => {
  let received = Buffer.alloc(0)
  let headSize = -1
  const sockets: Array<net.Socket> = []
  const server = net.createServer((socket) => {
    sockets.push(socket)
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk])
      if (headSize >= 0) return
      const end = received.indexOf("\r\n\r\n")
      if (end < 0) return
      headSize = end + 4
      for (const piece of answer(received.toString("latin1", 0, end))) socket.write(piece)
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  try {
    const told = await clients[face](`ws://127.0.0.1:${portOf(server.address())}/`, compression)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const close = takeFrames(received.subarray(headSize)).frames.find(({ first }) => (first & 15) === 8)
    return { code: close === undefined || close.payload.length < 2 ? undefined : close.payload.readUInt16BE(0), told }
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/** Masked frames that open a message and never end it. */
export const fragments = (count: number, payload: Uint8Array | string, rsv = 0): Buffer =>
  Buffer.concat([masked(0x02 | (rsv << 4), payload), ...Array.from({ length: count - 1 }, () => masked(0x00, payload))])

export const compressed = (payload: Uint8Array | string): Buffer => {
  const bytes = deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH })
  return bytes.subarray(0, -4)
}

export const offersDeflate = ["Sec-WebSocket-Extensions: permessage-deflate"]

export const ponged = ({ frames }: Answer): boolean => frames.some(({ first }) => first === 0x8a)

export const accepted = ({ status }: Answer): boolean => status === 101
