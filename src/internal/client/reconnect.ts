import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Identity } from "../identity.ts"
import type { CommonSocket } from "../socket/common.ts"
import { SocketError } from "../socket/error.ts"
import { invalidOptions } from "../socket/failure.ts"
import { callback, duration, invalidOption, type RulesOf, schedule } from "../socket/optionRules.ts"

/**
 * How a connection is kept up, whatever the platform; `S` is its sockets.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface KeepUpOptions<S, R = never> {
  /**
   * When to try again; its input is what went wrong, and its end gives up. It starts anew once a connection has lasted
   * for `stableAfter`. Default: 1, 2, 4, … up to 30 seconds, each varied at random between a half and one and a half, so
   * that the clients of a server that was restarted don't all come back at once.
   */
  readonly schedule?: Schedule.Schedule<unknown, SocketError, never, R> | undefined
  /** How long a connection has to last before the schedule starts anew. Default 10 seconds. */
  readonly stableAfter?: Duration.Input | undefined
  /** Whether to try again after this. Default: `isTransient`. */
  readonly retry?: ((error: SocketError) => boolean) | undefined
  /**
   * Runs on each new connection, before anything else is sent on it and before `messages` reads it: the place to log in
   * and to subscribe again. What it reads of `socket.messages` isn't seen by `messages`. Its failure is one of the
   * connection.
   */
  readonly onConnect?: ((socket: S) => Effect.Effect<unknown, SocketError, R>) | undefined
  /** Hears why there is no connection, each time before the wait for the next attempt. */
  readonly onDisconnect?: ((error: SocketError) => Effect.Effect<unknown, never, R>) | undefined
  /** How to connect. Default: `connect`, with these options. */
  readonly connect?: ((url: string) => Effect.Effect<S, SocketError, R | Scope.Scope>) | undefined
}

/**
 * A connection that is opened again when it is lost. It ends for good when either side closes it normally.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export interface KeptUp<out S, in Sent> {
  /**
   * The messages of all connections, in order; what a lost connection had brought is read before the next one's. Ends
   * when the connection was closed for good, and fails with what isn't tried again. Has one reader. Of connections that
   * were lost with unread messages, the last 16 are kept.
   */
  readonly messages: CommonSocket["messages"]
  /**
   * Sends a message; waits while there is no connection, and as a socket's `send` does. Fails when its connection is
   * lost while it waits for room: then nobody knows whether it arrived, so it isn't sent again.
   */
  readonly send: CommonSocket<Sent>["send"]
  /** Sends several messages as a socket's `sendAll` does, on one connection. */
  readonly sendAll: CommonSocket<Sent>["sendAll"]
  /** Closes for good: the closing handshake where there is a connection, and no attempt after it. */
  readonly close: (code?: number, reason?: string) => Effect.Effect<void, SocketError>
  /** The connection there is; waits while there is none. */
  readonly current: Effect.Effect<S, SocketError>
  /** Waits for the end: succeeds when it was closed for good, fails with what isn't tried again. */
  readonly ended: Effect.Effect<void, SocketError>
}

/** What a platform's sockets are asked, to keep a connection up. */
export interface Platform<S> {
  readonly connect: (url: string) => Effect.Effect<S, SocketError, Scope.Scope>
  /** Whether the socket takes messages still. */
  readonly isOpen: (socket: S) => boolean
  readonly close: (socket: S, code?: number, reason?: string) => Effect.Effect<unknown, SocketError>
  /** Waits for the socket's end: nothing is wrong when we asked for it, or the peer closed normally. */
  readonly outcome: (socket: S) => Effect.Effect<void, SocketError>
  /** The close code at the end of the scope. */
  readonly endCode: (exit: Exit.Exit<unknown, unknown>) => number
}

/** HTTP statuses that say "not now". */
const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

/** Close codes that say "not now": going away, none, lost, internal error, restart, try again later, bad gateway. */
const transientCodes: ReadonlySet<number> = new Set([1001, 1005, 1006, 1011, 1012, 1013, 1014])

/**
 * Whether another attempt may go better. It may after a transport that could not be opened, or not in time; after HTTP
 * 408, 425, 429, 500, 502, 503 and 504; after close codes 1001, 1011 to 1014 and none at all, and a connection that was
 * lost. It won't after any other HTTP status, such as 401, 403 and 404; after a handshake or messages that break the
 * protocol or a limit; after any other close code, such as 1002, 1008 and those of applications, 3000 to 4999.
 *
 * @category reconnecting
 * @since 0.1.0
 */
export const isTransient = ({ reason }: SocketError): boolean => {
  switch (reason._tag) {
    case "OpenFailed":
    case "OpenTimeout":
      return true
    case "HandshakeFailed":
      return reason.error.reason._tag === "UnexpectedStatus" && transientStatuses.has(reason.error.reason.status)
    case "ConnectionClosed":
      return transientCodes.has(reason.closeCode)
    default:
      return false
  }
}

const defaultSchedule = Schedule.min([Schedule.exponential("1 second"), Schedule.spaced("30 seconds")]).pipe(
  Schedule.modifyDelay(({ duration }) => Effect.map(Random.next, (random) => Duration.times(duration, 0.5 + random)))
)

/** Longest wait that a server's `Retry-After` is given, in milliseconds. */
const maxRetryAfter = 5 * 60_000

/** Connections that are over but not read to their end; of more, the oldest is forgotten. */
const maxUnread = 16

/** The rules of what keeps a connection up. */
export const keepUpRules = {
  schedule,
  stableAfter: duration,
  retry: callback,
  onConnect: callback,
  onDisconnect: callback,
  connect: callback
} satisfies RulesOf<KeepUpOptions<unknown>>

/** Keeps a connection up until the end of the scope, as `reconnecting` says. */
export const keepUp = <Sent, S extends CommonSocket<Sent>, R>(
  url: string | URL,
  options: KeepUpOptions<S, R>,
  platform: Platform<S>
): Effect.Effect<KeptUp<S, Sent>, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    const link = new Link<Sent, S>(platform)
    link.fiber = yield* Effect.forkScoped(
      Effect.onError(lives(link, String(url), options), (cause) => Effect.sync(() => link.end(Exit.failCause(cause)))),
      { startImmediately: true }
    )
    yield* Effect.addFinalizer((exit) => Effect.ignore(link.close(platform.endCode(exit))))
    return link
  })

/** The connection there is, or none, or none any more; and who waits for one. */
class Link<Sent, S extends CommonSocket<Sent>> extends Identity implements KeptUp<S, Sent> {
  readonly platform: Platform<S>
  /** Keeps the connection up. */
  fiber: Fiber.Fiber<void> | undefined = undefined
  /** Whether the connection is being closed for good. */
  closing = false
  private over: Exit.Exit<void, SocketError> | undefined = undefined
  private socket: S | undefined = undefined
  private unread: Array<S> = []
  /** Open while there is a connection, or none any more. */
  private readonly settled = Latch.makeUnsafe(false)
  /** Open while there is a connection to be read, or none any more. */
  private readonly readable = Latch.makeUnsafe(false)
  private readonly whenOver = Deferred.makeUnsafe<void, SocketError>()

  constructor(platform: Platform<S>) {
    super()
    this.platform = platform
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

  end(exit: Exit.Exit<void, SocketError>): void {
    if (this.over !== undefined) return
    this.over = exit
    this.settled.openUnsafe()
    this.readable.openUnsafe()
    Deferred.doneUnsafe(this.whenOver, exit)
  }

  readonly messages: KeptUp<S, Sent>["messages"] = Stream.flatMap(
    Stream.fromPull(Effect.succeed(Effect.suspend(() => this.next()))),
    (socket) =>
      Stream.concat(
        // How a connection ended is not its reader's to judge; that it has another reader is.
        Stream.catch(socket.messages, (error) =>
          error.reason._tag === "AlreadyReading" ? Stream.fail(error) : Stream.empty
        ),
        Stream.suspend(() => {
          this.unread = this.unread.filter((other) => other !== socket)
          return Stream.empty
        })
      )
  )

  /** The connection to read now. */
  private next(): Pull.Pull<readonly [S], SocketError> {
    const [first] = this.unread
    if (first !== undefined) return Effect.succeed([first])
    const { over } = this
    if (over !== undefined) return Exit.isSuccess(over) ? Cause.done() : Effect.failCause(over.cause)
    this.readable.closeUnsafe()
    return this.readable.whenOpen(Effect.suspend(() => this.next()))
  }

  readonly send: KeptUp<S, Sent>["send"] = (message) => this.whenUp((socket) => socket.send(message))

  readonly sendAll: KeptUp<S, Sent>["sendAll"] = (messages) => this.whenUp((socket) => socket.sendAll(messages))

  readonly current: KeptUp<S, Sent>["current"] = this.whenUp(Effect.succeed)

  get ended(): KeptUp<S, Sent>["ended"] {
    return Deferred.await(this.whenOver)
  }

  readonly close: KeptUp<S, Sent>["close"] = (code, reason) =>
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
          return this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
        })
      )
    })

  private whenUp<A>(use: (socket: S) => Effect.Effect<A, SocketError>): Effect.Effect<A, SocketError> {
    return Effect.suspend(() => {
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

/** Connects, and connects again, until the connection is closed for good or nothing more is to be tried. */
const lives = <Sent, S extends CommonSocket<Sent>, R>(
  link: Link<Sent, S>,
  url: string,
  options: KeepUpOptions<S, R>
): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const invalid = invalidOption(keepUpRules, options)
    if (invalid !== undefined) return link.end(Exit.fail(invalidOptions(invalid)))
    const { onDisconnect, retry = isTransient, schedule = defaultSchedule } = options
    const stableAfter = Duration.toMillis(options.stableAfter ?? "10 seconds")
    let step = yield* Schedule.toStep(schedule)
    while (true) {
      const life = { since: Infinity }
      const result = yield* Effect.result(Effect.scoped(live(link, url, options, clock, life)))
      if (result._tag === "Success" || link.closing) return link.end(Exit.void)
      const error = result.failure
      // No attempt makes an option valid.
      if (error.reason._tag === "InvalidOptions" || !retry(error)) return link.end(Exit.fail(error))
      const now = clock.currentTimeMillisUnsafe()
      if (now - life.since >= stableAfter) step = yield* Schedule.toStep(schedule)
      const delay = yield* Pull.catchDone(
        Effect.map(step(now, error), ([, delay]) => Duration.toMillis(delay)),
        () => Effect.succeed(undefined)
      )
      if (delay === undefined) return link.end(Exit.fail(error))
      if (onDisconnect !== undefined) yield* onDisconnect(error)
      const wait = Math.max(delay, retryAfter(error, now))
      yield* Effect.logDebug(`${error.message}; trying again in ${Math.round(wait)} ms`)
      yield* Effect.sleep(wait)
    }
  })

/** The life of one connection. Succeeds when it was closed for good. */
const live = <Sent, S extends CommonSocket<Sent>, R>(
  link: Link<Sent, S>,
  url: string,
  { connect, onConnect }: KeepUpOptions<S, R>,
  clock: Clock.Clock,
  life: { since: number }
): Effect.Effect<void, SocketError, R | Scope.Scope> =>
  Effect.gen(function* () {
    const { platform } = link
    const socket = yield* connect === undefined ? platform.connect(url) : connect(url)
    life.since = clock.currentTimeMillisUnsafe()
    const closed = platform.outcome(socket)
    const ready =
      onConnect === undefined
        ? true
        : yield* Effect.raceFirst(Effect.as(onConnect(socket), true), Effect.as(closed, false))
    if (!ready) return
    link.up(socket)
    yield* Effect.ensuring(
      closed,
      Effect.sync(() => link.down(socket))
    )
  })

/** How long the server wants to be left alone, in milliseconds (RFC 9110 §10.2.3): seconds, or a date. */
const retryAfter = ({ reason }: SocketError, now: number): number => {
  if (reason._tag !== "HandshakeFailed" || reason.error.reason._tag !== "UnexpectedStatus") return 0
  const value = reason.error.reason.headers["retry-after"]
  if (typeof value !== "string") return 0
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(wait) ? 0 : Math.min(Math.max(wait, 0), maxRetryAfter)
}
