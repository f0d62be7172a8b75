// The clients of a run: those of this library, that of `ws`, and one on `node:net` alone.
import { Effect, type Exit, Latch, Schedule, Stream } from "effect"
import { WebSocket as PeerClient } from "ws"
import * as Socket from "../../src/Socket.ts"
import { WebSocket as OurClient } from "../../src/ws/index.ts"
import type { Kind } from "./protocol.ts"
import { RawClient } from "./raw.ts"

/** A connection, as those who talk on it see it. */
export interface Link {
  /** `done` hears whether the message counts as sent. */
  readonly send: (message: string | Uint8Array, done: (sent: boolean) => void) => void
  readonly pause: () => void
  readonly resume: () => void
  /** Closes with 1000; a link that reconnects, for good. */
  readonly close: () => void
}

/** What becomes of one connection. */
export interface Incarnation {
  readonly url: string
  readonly opened: (link: Link) => void
  /** The code of the server's close frame; 1006 for none. */
  readonly closed: (code: number) => void
  readonly failed: () => void
}

/** Who wants a connection. */
export interface Owner {
  readonly localAddress: string | undefined
  /** Whether to ask for permessage-deflate; the client on `node:net` doesn't. */
  readonly compression: boolean
  /** Milliseconds until a link that was lost comes back. */
  readonly pause: number
  /** Begins a connection. */
  readonly next: () => Incarnation
  readonly message: (data: string | Uint8Array) => void
  /** A close frame met a message that was sent in parts. */
  readonly halfway: () => void
}

/** Makes a connection; a link that reconnects makes the next ones of itself. */
type Open = (owner: Owner) => void

const codeOf = ({ received }: Socket.Closed): number => (received === undefined ? 1006 : (received.code ?? 1005))

const settle =
  (done: (sent: boolean) => void) =>
  (exit: Exit.Exit<void, unknown>): void =>
    done(exit._tag === "Success")

/** A reader that can be made to wait, as slow ones do. */
const makeValve = (): { readonly latch: Latch.Latch } & Pick<Link, "pause" | "resume"> => {
  const latch = Latch.makeUnsafe(true)
  return { latch, pause: () => latch.closeUnsafe(), resume: () => latch.openUnsafe() }
}

const options = ({ compression, localAddress }: Owner): Socket.ConnectOptions => ({
  openTimeout: "1 hour",
  closeTimeout: "1 hour",
  keepAlive: false,
  compression,
  ...(localAddress === undefined ? {} : { net: { localAddress } })
})

const effect: Open = (owner) => {
  const { message, next } = owner
  const { closed, failed, opened, url } = next()
  const valve = makeValve()
  const program = Effect.gen(function* () {
    const socket = yield* Socket.connect(url, options(owner))
    opened({
      ...valve,
      send: (message, done) => Effect.runFork(socket.send(message)).addObserver(settle(done)),
      close: () => void Effect.runFork(socket.close(1000))
    })
    yield* Effect.ignore(
      Stream.runForEach(socket.messages, (data) => valve.latch.whenOpen(Effect.sync(() => message(data))))
    )
    closed(codeOf(yield* socket.closed))
  })
  void Effect.runPromise(Effect.catch(Effect.scoped(program), () => Effect.sync(failed)))
}

const reconnecting: Open = (owner) => {
  const { message, next, pause } = owner
  const valve = makeValve()
  const program = Effect.gen(function* () {
    const link: Socket.Reconnecting = yield* Socket.reconnecting("ws://unused", {
      schedule: Schedule.jittered(Schedule.spaced(pause)),
      connect: () =>
        Effect.suspend(() => {
          const { closed, failed, opened, url } = next()
          return Effect.tapError(
            Effect.tap(Socket.connect(url, options(owner)), (socket) =>
              Effect.sync(() => {
                opened({
                  ...valve,
                  send: (message, done) => Effect.runFork(link.send(message)).addObserver(settle(done)),
                  close: () => void Effect.runFork(link.close(1000))
                })
                Effect.runFork(Effect.map(socket.closed, (as) => closed(codeOf(as))))
              })
            ),
            () => Effect.sync(failed)
          )
        })
    })
    yield* Stream.runForEach(link.messages, (data) => valve.latch.whenOpen(Effect.sync(() => message(data))))
  })
  void Effect.runPromise(Effect.scoped(program))
}

const callbacks =
  (Client: typeof PeerClient): Open =>
  ({ compression, localAddress, message, next }) => {
    const { closed, failed, opened, url } = next()
    // @types/ws doesn't know `closeTimeout`.
    const settings = { perMessageDeflate: compression, localAddress, closeTimeout: 3_600_000 }
    const client = new Client(url, settings)
    let wasOpen = false
    client.on("error", () => {})
    client.on("open", () => {
      wasOpen = true
      opened({
        send: (message, done) => client.send(message, (error) => done(error === undefined || error === null)),
        pause: () => client.pause(),
        resume: () => client.resume(),
        close: () => client.close(1000)
      })
    })
    client.on("message", (data: Buffer, isBinary) => message(isBinary ? data : data.toString()))
    client.on("close", (code) => (wasOpen ? closed(code) : failed()))
  }

const raw: Open = ({ halfway, localAddress, message, next }) => {
  const { closed, failed, opened, url } = next()
  const { pathname, port } = new URL(url)
  const client = new RawClient(Number(port), pathname, localAddress, {
    opened: () =>
      opened({
        send: (message, done) => client.send(message, (error) => done(error === undefined || error === null)),
        pause: () => client.pause(),
        resume: () => client.resume(),
        close: () => client.close()
      }),
    message,
    closed,
    failed,
    halfway
  })
}

export const links: { readonly [kind in Kind]: Open } = {
  effect,
  reconnecting,
  face: callbacks(OurClient as unknown as typeof PeerClient),
  ws: callbacks(PeerClient),
  raw
}
