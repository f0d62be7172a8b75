import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { timingSafeEqual } from "node:crypto"
import type { HandshakeError } from "../../handshake/error.ts"
import { reject } from "../../handshake/server.ts"
import type * as Server from "../../server/model.ts"
import { make as makeServer } from "../../server/start.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import { demandedAuth, listenOptionsOf } from "../options/connecting.ts"
import { endOf, explain, explainClosed, explainListening, headerLines } from "../errors/explain.ts"
import { misuse, type WscatError } from "../errors/failure.ts"
import type { Wscat } from "../options/values.ts"
import { showMessage } from "../terminal/format.ts"
import { oneLine } from "../terminal/safeText.ts"
import type { Line } from "../terminal/lines.ts"
import { type Action, actionOf, closeWith, orComplain, perform } from "./actions.ts"
import { expectCount, paced } from "./connect.ts"
import { type Recording, readRecording } from "./recording.ts"
import { makePart, type Part } from "./script.ts"
import { openTalk, type Talk } from "./session.ts"
import { watch, watches } from "./watch.ts"

/** What all connections share. */
interface Listener {
  readonly talk: Talk
  readonly echo: boolean
  /** The conversation whose server is played for each client. */
  readonly script: Recording | undefined
  /** Whether the heads of requests are shown. */
  readonly verbose: boolean
  /** Whether status lines are those of wscat 6.1. */
  readonly compatible: boolean
  /** The clients that are connected, by number. */
  readonly clients: Map<number, Server.Connection>
  readonly numberOf: (socket: Socket) => number
  /** Called when a client connects. */
  readonly waiting: Set<() => void>
  /** As many messages came as were wanted. */
  readonly enough: Deferred.Deferred<void>
}

const openListener = (talk: Talk, { compat, echo, verbose }: Wscat, script: Recording | undefined): Listener => {
  const numbers = new WeakMap<Socket, number>()
  let last = 0
  return {
    talk,
    echo,
    verbose,
    script,
    compatible: compat,
    clients: new Map(),
    numberOf: (socket) => {
      const number = numbers.get(socket) ?? ++last
      numbers.set(socket, number)
      return number
    },
    waiting: new Set(),
    enough: Deferred.makeUnsafe<void>()
  }
}

/** Listens, and talks to all who connect, until the input ends or a person quits. */
export const listen = (place: string, flags: Wscat): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const options = yield* listenOptionsOf(place, flags.path, flags)
      const demanded = yield* demandedAuth(flags)
      const talk = yield* openTalk(flags, "ws://localhost/", "server")
      const script = flags.script === undefined ? undefined : yield* readRecording(flags.script, "--script")
      const { screen } = talk
      const listener = openListener(talk, flags, script)
      const server = yield* Effect.mapError(
        makeServer({
          ...options,
          ...(demanded === undefined ? {} : { authorize: authorize(demanded) }),
          ...(watches(talk) ? { onFrame: watch(talk, listener.numberOf) } : {})
        }),
        (error) => explainListening(error, options.socketPath)
      )
      const { host, port } = server.address
      // A port that the system chose is written nowhere else.
      if (!flags.quiet || options.port === 0) {
        screen.announce(
          `Listening on ${options.socketPath === undefined ? `port ${port}` : host} (press CTRL+C to quit)`
        )
      }
      screen.prompt()
      yield* Effect.forkScoped(server.run((socket) => attend(listener, socket)))
      const end = yield* Effect.raceAllFirst([
        Effect.as(transmit(listener), "input" as const),
        Effect.as(Deferred.await(listener.enough), "count" as const),
        Effect.as(screen.quit, "quit" as const)
      ])
      if (talk.recorder !== undefined) yield* talk.recorder.finish
      if (end === "input") yield* expectCount(talk)
    })
  )

/** The head of a request, secrets included. */
const requestText = ({ headers, method, url }: Server.UpgradeRequest): string =>
  [`<- ${method} ${url}`, ...headerLines(headers).map((line) => `<- ${line}`)].map(oneLine).join("\n")

/** Accepts clients that send this user and password. */
const authorize =
  (demanded: string) =>
  ({ headers }: Server.UpgradeRequest): Effect.Effect<undefined, HandshakeError> => {
    const expected = Buffer.from(`Basic ${Buffer.from(demanded).toString("base64")}`)
    const given = Buffer.from(String(headers["authorization"] ?? ""))
    return given.length === expected.length && timingSafeEqual(given, expected)
      ? Effect.succeed(undefined)
      : Effect.fail(reject({ status: 401, headers: [["WWW-Authenticate", 'Basic realm="wscat"']] }))
  }

/** Talks to one client. */
const attend = (listener: Listener, socket: Server.Connection): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { clients, talk } = listener
    const { screen } = talk
    const number = listener.numberOf(socket)
    const { remoteAddress } = socket.request
    // An IPv4 address on a socket of both kinds, as people write it.
    const address = remoteAddress?.replace(/^::ffff:(?=\d+\.)/, "")
    const client = listener.compatible ? "Client" : `Client ${number}`
    if (listener.verbose) screen.trace(requestText(socket.request))
    screen.status(`${client} connected${listener.compatible || address === undefined ? "" : ` (${address})`}`)
    clients.set(number, socket)
    for (const next of listener.waiting) next()
    const part = listener.script === undefined ? undefined : yield* partOf(listener, listener.script, socket, number)
    const reading = receive(listener, socket, number, part)
    yield* Effect.ignore(
      part === undefined
        ? Effect.all([reading, greet(listener, socket, number)], { concurrency: 2 })
        : Effect.raceFirst(
            reading,
            Effect.catch(part.play, () => Effect.never)
          )
    )
    const closed = yield* socket.closed
    clients.delete(number)
    const problem = explainClosed(closed, false)
    if (problem?.kind === "protocol") screen.complain(`client ${number}: ${problem.message}`, problem.hint)
    const { code, reason } = endOf(closed)
    const gone = listener.compatible ? "Disconnected" : `${client} disconnected`
    screen.status(`${gone} (code: ${code}, reason: "${oneLine(reason)}")`)
  })

/** The part of a script that is played for one client. */
const partOf = (
  { talk }: Listener,
  script: Recording,
  socket: Server.Connection,
  number: number
): Effect.Effect<Part> =>
  makePart(
    script,
    (message) => perform(talk, socket, { _tag: "Send", message }, number),
    (problem) => talk.screen.complain(`client ${number} ${problem}`)
  )

const receive = (
  listener: Listener,
  socket: Server.Connection,
  number: number,
  part: Part | undefined
): Effect.Effect<void, SocketError> => {
  const { activity, count, format, recorder, screen } = listener.talk
  const shown = !format.frames || format.terminal || format.json
  const done = Effect.sync(() => activity.shown())
  return runBatch(socket, (batch) => {
    screen.together(() => {
      for (const message of batch.slice(0, Math.max(0, count - activity.received))) {
        if (shown) screen.show(showMessage(format, message, number, new Date()), "blue")
        recorder?.add("received", message, number)
      }
    })
    activity.receive(batch.length)
    if (activity.received >= count) Deferred.doneUnsafe(listener.enough, Effect.void)
    const shownAll = Effect.andThen(screen.drained, done)
    if (part !== undefined) return Effect.andThen(part.receive(batch), shownAll)
    if (!listener.echo) return shownAll
    return Effect.andThen(
      Effect.forEach(batch, (message) => perform(listener.talk, socket, { _tag: "Send", message }, number), {
        discard: true
      }),
      shownAll
    )
  })
}

/** Sends a client what every client is sent first. */
const greet = ({ talk }: Listener, socket: Server.Connection, number: number): Effect.Effect<void, SocketError> =>
  Effect.gen(function* () {
    const { every, initial, prepared } = talk
    const send = Effect.forEach(
      [...initial, ...(prepared ?? [])],
      (message) => paced(talk, perform(talk, socket, { _tag: "Send", message }, number)),
      { discard: true }
    )
    yield* send
    if (every !== undefined) yield* Effect.forever(Effect.andThen(Effect.sleep(every), send))
  })

/** Waits until a client is connected. */
const occupied = ({ clients, waiting }: Listener): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (clients.size > 0) return resume(Effect.void)
    const next = (): void => resume(Effect.void)
    waiting.add(next)
    return Effect.sync(() => waiting.delete(next))
  })

/** Sends what is typed or comes in a pipe to the clients. */
const transmit = (listener: Listener): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    const { echo, talk } = listener
    const { outbox, screen } = talk
    if (talk.prepared !== undefined || listener.script !== undefined) return yield* Effect.never
    let spoke = false
    for (let line = yield* outbox.first; line !== undefined; line = yield* outbox.first) {
      spoke = true
      // Piped input waits for a client; a person gets an error.
      if (!screen.interactive) yield* occupied(listener)
      yield* paced(talk, orComplain(talk, deliver(listener, line)))
      outbox.shift()
    }
    // A program without input, such as one in the background, is there to listen.
    if (!spoke || echo) return yield* Effect.never
    yield* talk.settle
    yield* Effect.forEach(listener.clients.values(), (socket) => Effect.ignore(closeWith(socket, talk.close)), {
      concurrency: "unbounded",
      discard: true
    })
  })

/** `/to N` and what the client with this number is sent. */
const addressed = /^\/to\s+(\d+)(?:\s(.*))?$/s

const rest = (line: Line, from: number): Line => (typeof line === "string" ? line.slice(from) : line.subarray(from))

const deliver = (listener: Listener, line: Line): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    const { clients, talk } = listener
    // What comes in a pipe is data, unless `--slash` says otherwise. A byte for a character: it may be no text.
    const commands = talk.slash || talk.screen.interactive
    const [head = "", digits, text] =
      (commands ? addressed.exec(typeof line === "string" ? line : line.toString("latin1")) : undefined) ?? []
    if (digits !== undefined && text === undefined) {
      return yield* misuse(`nothing is said to client ${digits}`, `/to ${digits} and a message`)
    }
    const number = digits === undefined ? undefined : Number(digits)
    const chosen = number === undefined ? clients : new Map([...clients].filter(([key]) => key === number))
    const action = yield* actionOf(talk, text === undefined ? line : rest(line, head.length - text.length))
    if (action === undefined) return
    if (chosen.size === 0) {
      return yield* misuse(number === undefined ? "nobody is connected" : `there is no client ${number}`)
    }
    yield* Effect.forEach(chosen, ([key, socket]) => sendTo(talk, socket, action, key), {
      concurrency: "unbounded",
      discard: true
    })
  })

/** A client that disconnects is no failure; one whose draft does not support the action is reported. */
const sendTo = (
  talk: Talk,
  socket: Server.Connection,
  action: Action,
  number: number
): Effect.Effect<void, WscatError> =>
  Effect.catch(perform(talk, socket, action, number), (error) => {
    if (error.reason._tag !== "Unsupported" && error.reason._tag !== "InvalidSend") return Effect.void
    talk.screen.complain(`client ${number}: ${explain(error).message}`)
    return Effect.void
  }).pipe(Effect.asVoid)
