import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, type Fiber, Scope, Stream } from "effect"
import { Handshake, Server, Socket } from "effect-ws"
import * as EffectSocket from "effect-ws/EffectSocket"
import * as net from "node:net"
import { makeCertificate } from "../support/certificate.ts"
import { FaultyProxy } from "../support/faultyProxy.ts"
import { Stage } from "./drive.ts"
import { Bystander, type Client, connect, type Face, serve, serveEffect } from "./faces.ts"
import { interruptAtEachStep, StepScheduler } from "./steps.ts"
import { forkWith, run, watched } from "./watch.ts"

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
  "is kept up": (port) =>
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
    it(name, { timeout: 60_000 }, () =>
      Stage.with({ face: "Effect" }, async (stage) => {
        assert.isAbove(await interruptAtEachStep(program(stage.server.port)), 20)
      })
    )
  }

  it("speaks TLS", { timeout: 60_000 }, () => {
    const certificate = makeCertificate()
    return Stage.with({ face: "Effect", tls: certificate }, async (stage) => {
      const secure = Socket.connect(`wss://127.0.0.1:${stage.server.port}/`, { tls: { ca: certificate.cert } })
      assert.isAbove(await interruptAtEachStep(talk(secure), { every: 2 }), 20)
    })
  })
})
