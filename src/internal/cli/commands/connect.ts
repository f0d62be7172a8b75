import { STATUS_CODES } from "node:http"
import type { Screen } from "../terminal/screen.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Message } from "../../socket/receiveBuffer.ts"
import { connect as open, type ConnectOptions } from "../../client/connect.ts"
import type { Closed } from "../../protocol/closeHandshake.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import { targetOf, withoutCredentials } from "../options/connecting.ts"
import { endOf, explain, explainClosed, headerLines } from "../errors/explain.ts"
import { WscatError } from "../errors/failure.ts"
import type { Wscat } from "../options/values.ts"
import { showMessage } from "../terminal/format.ts"
import { oneLine } from "../terminal/safeText.ts"
import { actionOf, closeWith, orComplain, perform } from "./actions.ts"
import { openTalk, type Talk } from "./session.ts"
import { watch, watches } from "./watch.ts"

/** How a conversation ended, and which side began that: the peer, this program, or a person who quits. */
interface Ended {
  readonly closed: Closed
  readonly by: "peer" | "us" | "quit"
}

/** Connects, and talks until one of the two sides has enough. */
export const connect = (url: string, flags: Wscat): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* targetOf(url, flags)
      const talk = yield* openTalk(flags, withoutCredentials(target.url), "client")
      const { screen } = talk
      const options = {
        ...target.options,
        ...(flags.verbose ? { onHandshake: traceHandshake(screen) } : {}),
        ...(watches(talk) ? { onFrame: watch(talk, () => undefined) } : {}),
        // A person who quits, and a run that pings, do not wait long for a peer that hangs.
        ...(screen.interactive || talk.ping !== undefined ? { closeTimeout: "2 seconds" as const } : {})
      }
      const session = Effect.scoped(
        Effect.gen(function* () {
          const opening = Effect.mapError(open(target.url, options), (error) => explain(error, target))
          const socket = yield* Effect.raceFirst(opening, Effect.as(screen.quit, undefined))
          return socket === undefined ? undefined : yield* converse(talk, socket)
        })
      )
      const times = flags.retry ?? (flags.retryAll ? -1 : 0)
      const end = yield* Effect.mapError(repeat(session, talk, { times, all: flags.retryAll }), (error) =>
        error.kind === "closed" ? (missing(talk, error.message) ?? error) : error
      )
      if (talk.recorder !== undefined) yield* talk.recorder.finish
      const problem = missing(talk, end === "quit" ? "the program was ended" : "the peer closed the connection")
      if (problem !== undefined) return yield* problem
      if (end === "ended") yield* expectCount(talk)
    })
  )

/** What `--expect` has not got when the connection has ended. */
const missing = ({ expectation }: Talk, how: string): WscatError | undefined =>
  expectation === undefined || expectation.isMet
    ? undefined
    : new WscatError({ kind: "missing", message: `${how} before ${expectation.missing} came` })

/** Fails when a message that `--expect` describes doesn't come in time. */
const deadline = ({ expectation }: Talk): Effect.Effect<never, WscatError> => {
  if (expectation === undefined) return Effect.never
  const { within } = expectation
  return Effect.andThen(
    Effect.sleep(within * 1000),
    Effect.suspend(() =>
      Effect.fail(new WscatError({ kind: "late", message: `${expectation.missing} did not come within ${within} s` }))
    )
  )
}

/** Fails when fewer messages came than `--count` demands. */
export const expectCount = ({ activity, count }: Talk): Effect.Effect<void, WscatError> =>
  count === Infinity || activity.received >= count
    ? Effect.void
    : Effect.fail(
        new WscatError({
          kind: "unmet",
          message: `${activity.received} of ${count} messages came before the connection ended`
        })
      )

/** Shows the heads of the request and the response, secrets included. */
const traceHandshake =
  (screen: Screen): NonNullable<ConnectOptions["onHandshake"]> =>
  ({ headers, method, target }, response) => {
    screen.trace(
      [
        `-> ${method} ${target}`,
        ...headers.map(([name, value]) => `-> ${name}: ${value}`),
        `<- ${response.status} ${STATUS_CODES[response.status] ?? ""}`.trimEnd(),
        ...headerLines(response.headers).map((line) => `<- ${line}`)
      ]
        .map(oneLine)
        .join("\n")
    )
  }

/** Shows what the handshake has agreed on. */
const greet = (talk: Talk, { extensions, protocol }: Socket): void => {
  const { screen } = talk
  screen.status("Connected (press CTRL+C to quit)")
  if (protocol !== undefined) screen.status(`Subprotocol: ${protocol}`)
  for (const { name, params } of extensions) {
    const list = params.map(([key, value]) => (value === true ? key : `${key}=${value}`))
    screen.status(`Extension: ${[name, ...list].join("; ")}`)
  }
  screen.prompt()
}

const converse = (talk: Talk, socket: Socket): Effect.Effect<Ended, WscatError, Scope.Scope> =>
  Effect.gen(function* () {
    const { screen } = talk
    talk.activity.opened()
    greet(talk, socket)
    const enough = Deferred.makeUnsafe<void>()
    const reader = yield* Effect.forkScoped(receive(talk, socket, enough))
    let asked = false
    const by = yield* Effect.raceAllFirst([
      Effect.as(Fiber.await(reader), "peer" as const),
      Effect.as(
        transmit(talk, socket, () => (asked = true)),
        "us" as const
      ),
      Effect.as(Deferred.await(enough), "us" as const),
      Effect.as(screen.quit, "quit" as const),
      pings(talk, socket),
      deadline(talk)
    ])
    if (by !== "peer") {
      yield* Effect.mapError(closeWith(socket, talk.close), (error) => explain(error))
      yield* Fiber.await(reader)
    }
    const closed = yield* socket.closed
    const { code, reason } = endOf(closed)
    screen.status(`Disconnected (code: ${code}, reason: "${oneLine(reason)}")`)
    return { closed, by: by === "peer" && asked ? "us" : by }
  })

/** Shows what comes, until the connection ends; says when it was enough. */
const receive = (
  { activity, count, expectation, format, recorder, screen }: Talk,
  socket: Socket,
  enough: Deferred.Deferred<void>
): Effect.Effect<void, SocketError> => {
  // In a pipe the frames stand for the messages that they carry.
  const shown = !format.frames || format.terminal || format.json
  const done = Effect.sync(() => activity.shown())
  return runBatch(socket, (batch) => {
    const wanted = Math.max(0, count - activity.received)
    screen.together(() => {
      for (const message of batch.slice(0, wanted)) {
        if (shown) screen.show(showMessage(format, message, undefined, new Date()), "blue")
        recorder?.add("received", message, undefined)
        expectation?.receive(message)
      }
    })
    activity.receive(batch.length)
    if (activity.received >= count || expectation?.isMet === true) Deferred.doneUnsafe(enough, Effect.void)
    return Effect.andThen(screen.drained, done)
  })
}

/** Sends what is to be sent, then waits as long as it should. What ended the connection is the reader's to say. */
const transmit = (talk: Talk, socket: Socket, onClose: () => void): Effect.Effect<void, WscatError, Scope.Scope> =>
  Effect.gen(function* () {
    const send = (messages: ReadonlyArray<Message>): Effect.Effect<void, WscatError> =>
      Effect.forEach(
        messages,
        (message) => paced(talk, attempt(talk, perform(talk, socket, { _tag: "Send", message }, undefined))),
        { discard: true }
      )
    const { every, initial, outbox, prepared } = talk
    const repeated = [...initial, ...(prepared ?? [])]
    yield* send(repeated)
    if (every !== undefined) {
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(every), send(repeated))))
    }
    if (prepared === undefined) {
      for (let line = yield* outbox.first; line !== undefined; line = yield* outbox.first) {
        const action = yield* orComplain(talk, actionOf(talk, line))
        if (action?._tag === "Close") onClose()
        if (action !== undefined) yield* paced(talk, attempt(talk, perform(talk, socket, action, undefined)))
        outbox.shift()
      }
    }
    yield* talk.settle
  })

/** Sends, then waits as `--delay` says. */
export const paced = <A, E>({ delay }: Talk, sending: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  delay === 0 ? sending : Effect.tap(sending, () => Effect.sleep(delay))

const attempt = (talk: Talk, effect: Effect.Effect<unknown, SocketError>): Effect.Effect<unknown, WscatError> =>
  Effect.catch(effect, (error) =>
    error.reason._tag === "Unsupported" || error.reason._tag === "InvalidSend"
      ? orComplain(talk, Effect.fail(explain(error)))
      : Effect.never
  )

/** Pings at the interval, and fails when the peer is silent for too long. */
const pings = ({ ping, pongTimeout }: Talk, socket: Socket): Effect.Effect<never, WscatError> => {
  if (ping === undefined) return Effect.never
  let count = 0
  const next = Effect.suspend(() => socket.ping(Buffer.from(`ping ${++count}`)))
  const once = Effect.timeoutOrElse(
    Effect.catch(next, (error) => (error.reason._tag === "Unsupported" ? Effect.fail(explain(error)) : Effect.never)),
    {
      duration: pongTimeout * 1000,
      orElse: () =>
        Effect.fail(new WscatError({ kind: "closed", message: `no pong came within ${pongTimeout} seconds` }))
    }
  )
  return Effect.forever(Effect.andThen(Effect.sleep(ping * 1000), once))
}

const firstPause = 500
const longestPause = 30_000

/** Statuses of a server that may soon be well: RFC 9110 §15.6, RFC 6585 §4. */
const isPassing = (status: number | undefined): boolean => status !== undefined && (status >= 500 || status === 429)

const mayPass = ({ kind, refusal }: WscatError): boolean =>
  kind === "unreachable" || kind === "timeout" || kind === "closed" || isPassing(refusal?.status)

/** Milliseconds after which a connection has proved that the server is well. */
const lasting = 10_000

/** Close codes that say that the next attempt would end in the same way: a policy, or a reason of the application. */
const isFinal = (code: number | undefined): boolean => code === 1008 || (code !== undefined && code >= 4000)

/** How often to connect again in a row, -1 for ever, and whether after codes that are final too. */
interface Retries {
  readonly times: number
  readonly all: boolean
}

/** Opens sessions until one ends in order, or a person quits. */
const repeat = (
  session: Effect.Effect<Ended | undefined, WscatError>,
  { activity, screen }: Talk,
  { all, times }: Retries
): Effect.Effect<"ended" | "quit", WscatError> =>
  Effect.gen(function* () {
    // Attempts in a row that brought nothing, and pauses since a connection has lasted.
    let [failures, pauses] = [0, 0]
    while (true) {
      const { received } = activity
      activity.openedAt = undefined
      const result = yield* Effect.result(session)
      const lasted = activity.openedAt !== undefined && performance.now() - activity.openedAt >= lasting
      if (lasted || activity.received > received) failures = 0
      if (lasted) pauses = 0
      let problem: WscatError | undefined
      if (result._tag === "Failure") {
        problem = result.failure
      } else {
        if (result.success === undefined) return "quit"
        const { by, closed } = result.success
        const code = closed.received?.code
        problem = explainClosed(closed, by !== "peer")
        const left = by === "peer" && code === 1001
        if (problem === undefined && (times === 0 || !left)) return by === "quit" ? "quit" : "ended"
        problem ??= new WscatError({ kind: "closed", message: "the peer went away" })
        if (isFinal(code) && !all) {
          const { kind, message } = problem
          const hint = times === 0 ? undefined : "the server means it; --retry-all connects again all the same"
          return yield* new WscatError({ kind, message, hint })
        }
      }
      if (failures === times || !mayPass(problem)) return yield* problem
      const pause = Math.min(longestPause, firstPause * 2 ** pauses) * (0.75 + 0.5 * (yield* Random.next))
      failures++
      pauses++
      screen.complain(problem.message, `trying again in ${(pause / 1000).toFixed(1)} s`)
      const quits = yield* Effect.raceFirst(Effect.as(Effect.sleep(pause), false), Effect.as(screen.quit, true))
      if (quits) return "quit"
    }
  })
