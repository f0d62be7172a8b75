import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import { Identity } from "../identity.ts"
import type { CommonSocket } from "../socket/common.ts"
import { SocketError } from "../socket/error.ts"
import type { Message } from "../socket/receiveBuffer.ts"
import type { Platform, ReconnectingSocket } from "./reconnect.ts"

/** Connections that are over but not read to their end; of more, the oldest is forgotten. */
const maxUnread = 16

/** The connection there is, or none, or none any more; and the callers that wait for one. */
export class Reconnecting<Sent, S extends CommonSocket<Sent>, E>
  extends Identity
  implements ReconnectingSocket<S, Sent, SocketError | E>
{
  readonly platform: Platform<S>
  private connecting: Fiber.Fiber<void> | undefined = undefined
  private closing = false
  private over: Exit.Exit<void, SocketError | E> | undefined = undefined
  private socket: S | undefined = undefined
  private unread: Array<S> = []
  /** Ends the connection, or the delay before the next attempt; absent during an attempt. */
  private restart: (() => void) | undefined = undefined
  /** Open while there is a connection, or none any more. */
  private readonly settled = Latch.makeUnsafe(false)
  /** Open while there is a connection to be read, or none any more. */
  private readonly readable = Latch.makeUnsafe(false)
  private readonly whenOver = Deferred.makeUnsafe<void, SocketError | E>()

  constructor(platform: Platform<S>) {
    super()
    this.platform = platform
  }

  /** Whether the connection is being closed for good. */
  get isClosing(): boolean {
    return this.closing
  }

  /** From now on this fiber connects again and again; `close` ends it. */
  connectBy(fiber: Fiber.Fiber<void>): void {
    this.connecting = fiber
  }

  up(socket: S): void {
    this.socket = socket
    this.unread.push(socket)
    if (this.unread.length > maxUnread) this.unread.shift()
    this.settled.openUnsafe()
    this.readable.openUnsafe()
  }

  down(socket: S): void {
    if (this.socket !== socket) return
    this.socket = undefined
    if (this.over === undefined) this.settled.closeUnsafe()
  }

  end(exit: Exit.Exit<void, SocketError | E>): void {
    if (this.over !== undefined) return
    this.over = exit
    this.settled.openUnsafe()
    this.readable.openUnsafe()
    Deferred.doneUnsafe(this.whenOver, exit)
  }

  /** Waits until a caller wants another connection. */
  readonly replaced: Effect.Effect<"replaced"> = Effect.callback((resume) => {
    this.restart = () => resume(Effect.succeed("replaced"))
    return Effect.sync(() => {
      this.restart = undefined
    })
  })

  readonly reconnect: Effect.Effect<void> = Effect.sync(() => {
    const { restart, socket } = this
    if (restart === undefined || this.closing) return
    this.restart = undefined
    restart()
    if (socket !== undefined) this.down(socket)
  })

  readonly messages: Stream.Stream<Message, SocketError | E> = Stream.flatMap(
    Stream.fromPull(Effect.succeed(Effect.suspend(() => this.next()))),
    (socket) =>
      Stream.concat(
        // The end of one connection is not the end of these messages; that it has another reader is.
        Stream.catch(socket.messages, (error) => (isLost(error) ? Stream.empty : Stream.fail(error))),
        Stream.suspend(() => {
          this.forget(socket)
          return Stream.empty
        })
      )
  )

  readonly receive: Effect.Effect<Message, SocketError | E | Cause.Done> = Effect.suspend(() =>
    Effect.flatMap(this.next(), ([socket]) =>
      Effect.catch(socket.receive, (error) => {
        if (error._tag === "WebSocketError" && !isLost(error)) return Effect.fail(error)
        this.forget(socket)
        return this.receive
      })
    )
  )

  /** The connection to read now. */
  private next(): Pull.Pull<readonly [S], SocketError | E> {
    const [first] = this.unread
    if (first !== undefined) return Effect.succeed([first])
    const { over } = this
    if (over !== undefined) return Exit.isSuccess(over) ? Cause.done() : Effect.failCause(over.cause)
    this.readable.closeUnsafe()
    return this.readable.whenOpen(Effect.suspend(() => this.next()))
  }

  /** The socket was read to its end. */
  private forget(socket: S): void {
    this.unread = this.unread.filter((other) => other !== socket)
  }

  readonly send = (message: Sent): Effect.Effect<void, SocketError | E> => this.whenUp((socket) => socket.send(message))

  readonly sendAll = (messages: Iterable<Sent>): Effect.Effect<void, SocketError | E> =>
    this.whenUp((socket) => socket.sendAll(messages))

  readonly current: Effect.Effect<S, SocketError | E> = this.whenUp(Effect.succeed)

  get ended(): Effect.Effect<void, SocketError | E> {
    return Deferred.await(this.whenOver)
  }

  readonly close = (code?: number, reason?: string): Effect.Effect<void, SocketError> =>
    Effect.suspend(() => {
      const { socket } = this
      this.closing = true
      const closed =
        socket === undefined
          ? Effect.void
          : Effect.tapError(this.platform.close(socket, code, reason), () =>
              Effect.sync(() => {
                this.closing = false
              })
            )
      return Effect.andThen(
        closed,
        Effect.suspend(() => {
          this.end(Exit.void)
          return this.connecting === undefined ? Effect.void : Fiber.interrupt(this.connecting)
        })
      )
    })

  private whenUp<A>(use: (socket: S) => Effect.Effect<A, SocketError>): Effect.Effect<A, SocketError | E> {
    return Effect.suspend((): Effect.Effect<A, SocketError | E> => {
      const { over, socket } = this
      if (over !== undefined) return Exit.isSuccess(over) ? Effect.fail(closedForGood) : Effect.failCause(over.cause)
      if (socket !== undefined && this.platform.isOpen(socket)) return use(socket)
      if (socket !== undefined) this.down(socket)
      return this.settled.whenOpen(this.whenUp(use))
    })
  }
}

const closedForGood = new SocketError({
  reason: {
    _tag: "ConnectionClosed",
    message: "the connection was closed for good",
    closeCode: 1000,
    closeReason: "",
    closed: undefined
  }
})

/** Whether the messages of one connection ended with its loss, and go on with the next connection's. */
const isLost = ({ reason }: SocketError): boolean => reason._tag !== "AlreadyReading"
