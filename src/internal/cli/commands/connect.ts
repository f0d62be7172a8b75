import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { type Closed, connect as open, runBatch, type Socket, type SocketError } from "../../../Socket.ts"
import { targetOf } from "../options/connecting.ts"
import { endOf, explain, explainClosed } from "../errors/explain.ts"
import { WscatError } from "../errors/failure.ts"
import type { Wscat } from "../options/values.ts"
import { showMessage } from "../terminal/format.ts"
import { actionOf, closeWith, orComplain, perform } from "./actions.ts"
import { openTalk, type Talk } from "./session.ts"
import { watch, watches } from "./watch.ts"

/** How a conversation ended: whether we asked for it. `undefined`: it never began. */
interface Ended {
  readonly closed: Closed
  readonly asked: boolean
}

/** Connects, and talks until one of the two sides has enough. */
export const connect = (url: string, flags: Wscat): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const target = yield* targetOf(url, flags)
      const talk = yield* openTalk(flags)
      const { screen } = talk
      const options = {
        ...target.options,
        ...(watches(talk) ? { onFrame: watch(talk, () => undefined) } : {}),
        // Nobody waits long for a peer that hangs: not a person who quits, not one who pings.
        ...(screen.interactive || talk.ping !== undefined ? { closeTimeout: "2 seconds" as const } : {})
      }
      const session = Effect.scoped(
        Effect.gen(function* () {
          const opening = Effect.mapError(open(target.url, options), (error) => explain(error, target))
          const socket = yield* Effect.raceFirst(opening, Effect.as(screen.quit, undefined))
          return socket === undefined ? undefined : yield* converse(talk, socket)
        })
      )
      yield* repeat(session, talk, flags.retry ?? 0)
    })
  )

/** Says what was agreed on, where it was asked for. */
const greet = (talk: Talk, { extensions, protocol }: Socket): void => {
  const { screen } = talk
  screen.status("connected (press CTRL+C to quit)")
  if (protocol !== undefined) screen.status(`subprotocol: ${protocol}`)
  for (const { name, params } of extensions) {
    const list = params.map(([key, value]) => (value === true ? key : `${key}=${value}`))
    screen.status(`extension: ${[name, ...list].join("; ")}`)
  }
  screen.prompt()
}

const converse = (talk: Talk, socket: Socket): Effect.Effect<Ended, WscatError, Scope.Scope> =>
  Effect.gen(function* () {
    const { screen } = talk
    greet(talk, socket)
    const enough = Deferred.makeUnsafe<void>()
    const reader = yield* Effect.forkScoped(receive(talk, socket, enough))
    let asked = false
    const over = yield* Effect.raceAllFirst([
      Effect.as(Fiber.await(reader), "peer" as const),
      Effect.as(
        transmit(talk, socket, () => (asked = true)),
        "us" as const
      ),
      Effect.as(Deferred.await(enough), "us" as const),
      Effect.as(screen.quit, "us" as const),
      pings(talk, socket)
    ])
    if (over === "us") {
      asked = true
      yield* Effect.mapError(closeWith(socket, talk.close), (error) => explain(error))
      yield* Fiber.await(reader)
    }
    const closed = yield* socket.closed
    const { code, reason } = endOf(closed)
    screen.status(`disconnected (code: ${code}, reason: "${reason}")`)
    return { closed, asked }
  })

/** Shows what comes, until the connection ends; says when it was enough. */
const receive = (
  { count, format, screen }: Talk,
  socket: Socket,
  enough: Deferred.Deferred<void>
): Effect.Effect<void, SocketError> => {
  let received = 0
  // In a pipe the frames stand for the messages that they carry.
  const shown = !format.frames || format.terminal || format.json
  return runBatch(socket, (batch) => {
    screen.together(() => {
      for (const message of batch.slice(0, count - received)) {
        if (shown) screen.show(showMessage(format, message, undefined, new Date()), "blue")
      }
    })
    received += batch.length
    if (received >= count) Deferred.doneUnsafe(enough, Effect.void)
    return screen.room
  })
}

/** Sends what is to be sent, then waits as long as it should. What ended the connection is the reader's to say. */
const transmit = (talk: Talk, socket: Socket, onClose: () => void): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    if (talk.prepared !== undefined) {
      for (const message of talk.prepared)
        yield* attempt(talk, perform(talk, socket, { _tag: "Send", message }, undefined))
    } else {
      const { outbox } = talk
      for (let line = yield* outbox.first; line !== undefined; line = yield* outbox.first) {
        const action = yield* orComplain(talk, actionOf(talk, line))
        if (action?._tag === "Close") onClose()
        if (action !== undefined) yield* attempt(talk, perform(talk, socket, action, undefined))
        outbox.shift()
      }
    }
    yield* talk.wait < 0 ? Effect.never : Effect.sleep(talk.wait * 1000)
  })

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

const mayPass = ({ kind, status }: WscatError): boolean =>
  kind === "unreachable" || kind === "timeout" || kind === "closed" || isPassing(status)

/** Has sessions until one ends in order; `times` is how often it is tried again in a row, -1 for ever. */
const repeat = (
  session: Effect.Effect<Ended | undefined, WscatError>,
  { screen }: Talk,
  times: number
): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    let failures = 0
    while (true) {
      const result = yield* Effect.result(session)
      let problem: WscatError | undefined
      if (result._tag === "Failure") {
        problem = result.failure
      } else {
        if (result.success === undefined) return
        const { asked, closed } = result.success
        failures = 0
        problem = explainClosed(closed, asked)
        const left = !asked && closed.received?.code === 1001
        if (problem === undefined && (times === 0 || !left)) return
        problem ??= new WscatError({ kind: "closed", message: "the peer went away" })
      }
      if (failures === times || !mayPass(problem)) return yield* problem
      const pause = Math.min(longestPause, firstPause * 2 ** failures) * (0.75 + 0.5 * (yield* Random.next))
      failures++
      screen.complain(problem.message, `trying again in ${(pause / 1000).toFixed(1)} s`)
      const quits = yield* Effect.raceFirst(Effect.as(Effect.sleep(pause), false), Effect.as(screen.quit, true))
      if (quits) return
    }
  })
