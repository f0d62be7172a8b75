import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import { once } from "node:events"
import * as http from "node:http"
import * as net from "node:net"
import { makeCertificate } from "../support/certificate.ts"
import { FaultyProxy, type WireFault } from "../support/faultyProxy.ts"
import { Stage } from "./drive.ts"
import { Bystander, type Client, connect, type Face, serve, serveEffect } from "./faces.ts"
import { fewestOperations, interruptAtEachStep, StepScheduler } from "./steps.ts"
import { forkWith, run, watched } from "./watch.ts"

/** A proxy that opens every way that it is asked for. */
const openProxy = async (kind: "http" | "socks5"): Promise<{ readonly port: number; readonly stop: () => void }> => {
  const sockets = new Set<net.Socket>()
  const join = (client: net.Socket, port: number, answer: string | Buffer): void => {
    const upstream = net.connect(port, "127.0.0.1", () => {
      client.write(answer)
      client.pipe(upstream).pipe(client)
    })
    sockets.add(client).add(upstream)
    for (const socket of [client, upstream]) {
      socket.on("error", () => {})
      socket.on("close", () => void [client.destroy(), upstream.destroy()])
    }
  }
  const server =
    kind === "http"
      ? http
          .createServer()
          .on("connect", ({ url = "" }, client: net.Socket) =>
            join(client, Number(url.split(":")[1]), "HTTP/1.1 200 OK\r\n\r\n")
          )
      : net.createServer((client) => {
          client.on("error", () => {})
          client.once("data", () => {
            client.write(Buffer.of(5, 0))
            client.once("data", (request) =>
              join(client, request.readUInt16BE(request.length - 2), Buffer.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0))
            )
          })
        })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    stop: () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

type Program = (port: number) => Effect.Effect<unknown, unknown>

const talk = (
  opening: Effect.Effect<Socket.Socket, Socket.SocketError, Scope.Scope>
): Effect.Effect<unknown, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* opening
      yield* socket.send("hello")
      yield* Stream.runDrain(Stream.take(socket.messages, 1))
    })
  )

const url = (port: number): string => `ws://127.0.0.1:${port}/interrupted`

/** Uses one of Effect's own sockets. */
const talkThrough = (socket: EffectSocketType): Effect.Effect<unknown, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      yield* write("hello")
      yield* pull
    })
  )

type EffectSocketType = ReturnType<typeof EffectSocket.makeSocket>

const programs: { readonly [name: string]: Program } = {
  "opens, sends, reads and closes": (port) => talk(Socket.connect(url(port))),
  "does so with Hixie-76": (port) => talk(Socket.connect(url(port), { draft: Handshake.hixie76 })),
  "does so with compression": (port) => talk(Socket.connect(url(port), { compression: true })),
  reconnects: (port) =>
    Effect.scoped(
      Effect.gen(function* () {
        const socket = yield* Socket.reconnecting(url(port))
        yield* socket.send("hello")
        yield* Stream.runDrain(Stream.take(socket.messages, 1))
        yield* socket.close()
      })
    ),
  "sends in pieces, pings, and reads frames": (port) =>
    Effect.scoped(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url(port))
        yield* socket.sendStream(Stream.make("hel", "lo"))
        yield* socket.ping()
        yield* Stream.runDrain(Stream.take(socket.frames, 1))
      })
    ),
  "runs a handler on what it reads": (port) =>
    Effect.scoped(
      Effect.gen(function* () {
        const socket = yield* Socket.connect(url(port))
        yield* socket.sendAll(["hello", "goodbye"])
        yield* Socket.run(socket, (message) => (message === "goodbye" ? Effect.asVoid(socket.close()) : Effect.void))
      })
    ),
  "is one of Effect's sockets": (port) => talkThrough(EffectSocket.makeSocket(url(port)))
}

describe("a client that is interrupted at each of its steps, and", () => {
  for (const [name, program] of Object.entries(programs)) {
    it(name, () =>
      Stage.with({ face: "Effect" }, async (stage) => {
        assert.isAbove(await interruptAtEachStep(program(stage.server.port)), 20)
      })
    )
  }

  it("speaks HTTP/2", () => {
    const certificate = makeCertificate()
    return watched(async () => {
      const server = await serveEffect({ tls: certificate }, {}, { http2: true })
      const options = { http2: true, tls: { ca: certificate.cert } }
      const opening = Socket.connect(`wss://127.0.0.1:${server.port}/`, options)
      assert.isAbove(await interruptAtEachStep(talk(opening), { every: 2 }), 20)
      await server.stop()
    })
  })

  for (const kind of ["http", "socks5"] as const) {
    it(`goes through a proxy: ${kind}`, () =>
      Stage.with({ face: "Effect" }, async (stage) => {
        const proxy = await openProxy(kind)
        const opening = Socket.connect(url(stage.server.port), { proxy: `${kind}://127.0.0.1:${proxy.port}` })
        assert.isAbove(await interruptAtEachStep(talk(opening)), 20)
        proxy.stop()
      }))
  }

  it("speaks TLS", () => {
    const certificate = makeCertificate()
    return Stage.with({ face: "Effect", tls: certificate }, async (stage) => {
      const secure = Socket.connect(`wss://127.0.0.1:${stage.server.port}/`, { tls: { ca: certificate.cert } })
      assert.isAbove(await interruptAtEachStep(talk(secure), { every: 2 }), 20)
    })
  })
})

/** What becomes of a client whose other side stops, or which gives up, at any time. */
const endings =
  /^(OpenFailed lost|HandshakeFailed UnexpectedStatus 503|end Handshake|ConnectionClosed 1006 \w+|interrupted|error lost|error .*before the connection was established|error .*503.*|close \d+)$/

/** Sees to it that something happens when so many bytes have passed, and holds a conversation meanwhile. */
const conversation = async (
  face: Face,
  port: number,
  { after, direction }: Omit<WireFault, "action">,
  happens: (client: Client) => void
): Promise<void> => {
  const proxy = await FaultyProxy.before(port, { direction, after, action: () => happens(client) })
  const client = connect[face](proxy.port, { path: "/interrupted", openTimeout: 2000, closeTimeout: 2000 })
  try {
    await client.over
    // The legacy face forgets its listeners when it gives up.
    if (face !== "legacy" || client.told.length > 0) assert.match(client.told.at(-1) ?? "", endings)
  } finally {
    proxy.stop()
  }
}

/** Longer than any direction of a conversation. */
const far = 240

/** Places in both directions, `step` bytes apart. */
const places = (step: number): ReadonlyArray<Omit<WireFault, "action">> =>
  Array.from({ length: Math.ceil(far / step) }, (_, index) => index * step).flatMap((after) => [
    { direction: "up", after },
    { direction: "down", after }
  ])

describe("a client that gives up at each byte of a conversation", () => {
  for (const face of ["Effect", "ws", "legacy"] as const) {
    it(face, () =>
      Stage.with({ face }, async (stage) => {
        for (const place of places(2)) {
          await conversation(face, stage.server.port, place, (client) => client.giveUp())
        }
      })
    )
  }
})

describe("a server that stops at each byte of a conversation", () => {
  for (const face of ["Effect", "ws", "legacy"] as const) {
    it(face, () =>
      watched(async () => {
        for (const place of places(4)) {
          const server = await serve[face]()
          let stopped: Promise<void> | undefined
          await conversation(face, server.port, place, () => void (stopped = server.stop()))
          await (stopped ?? server.stop())
        }
      })
    )
  }
})

const handlers: { readonly [name: string]: (socket: Server.Connection) => Effect.Effect<unknown, unknown> } = {
  "echoes by a stream": (socket) => Stream.runForEach(socket.messages, socket.send),
  "echoes by run": (socket) => Socket.run(socket, socket.send),
  "reads frames, and answers in pieces": (socket) =>
    Stream.runForEach(socket.frames, (frame) =>
      frame._tag === "Text" ? socket.sendStream(Stream.make("hel", "lo")) : Effect.void
    ),
  "pings, and closes": (socket) => Effect.andThen(socket.ping(), socket.close(3000, "enough"))
}

describe("a handler that is interrupted at each of its steps, and", () => {
  for (const [name, handler] of Object.entries(handlers)) {
    it(name, () =>
      watched(async () => {
        let target: Fiber.Fiber<unknown, unknown> | undefined
        let left = 0
        const scheduler = new StepScheduler(fewestOperations, () => {
          if (target !== undefined && left-- === 0) target.interruptUnsafe()
        })
        const scope = Effect.runSync(Scope.make())
        const listening = forkWith(
          Scope.provide(
            Effect.gen(function* () {
              const server = yield* Server.make({ host: "127.0.0.1", shutdownTimeout: "200 millis" })
              yield* Effect.forkScoped(
                server.run((socket) =>
                  socket.request.url !== "/interrupted"
                    ? Stream.runForEach(socket.messages, socket.send)
                    : Effect.withFiber((fiber) => {
                        target = fiber
                        return handler(socket)
                      })
                ),
                { startImmediately: true }
              )
              return server.address.port
            }),
            scope
          ),
          scheduler
        )
        const port = await run(Fiber.join(listening))
        const bystander = new Bystander("Effect", port)
        let steps = 0
        for (let at = 0; ; at++) {
          target = undefined
          left = at
          const client = connect.Effect(port, { path: "/interrupted" })
          await client.over
          assert.match(client.told.at(-1) ?? "", /^(end|ConnectionClosed (1011|3000)) Handshake$/)
          await bystander.check()
          steps = at
          if (left >= 0) break
        }
        assert.isAbove(steps, 5)
        await bystander.leave()
        await Effect.runPromise(Scope.close(scope, Exit.void))
      })
    )
  }
})
