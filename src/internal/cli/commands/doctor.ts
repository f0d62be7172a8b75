import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { STATUS_CODES } from "node:http"
import type * as net from "node:net"
import { isIP } from "node:net"
import { performance } from "node:perf_hooks"
import * as Client from "../../handshake/client.ts"
import { all, rfc6455 } from "../../handshake/drafts.ts"
import type { HandshakeError } from "../../handshake/error.ts"
import type * as Handshake from "../../handshake/model.ts"
import { plainTls } from "../../handshake/secret.ts"
import { connect, type ConnectOptions } from "../../client/connect.ts"
import type { Closed } from "../../protocol/closeHandshake.ts"
import { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import { type Target, targetOf } from "../options/connecting.ts"
import { certificateProblem, closeText, endOf, explain, explainClosed, headerLines } from "../errors/explain.ts"
import { type Refusal, WscatError } from "../errors/failure.ts"
import type { Doctor } from "../options/values.ts"
import { harmless, jsonLine } from "../terminal/safeText.ts"
import { dial, lookup, secure, type Timed, type TlsFacts } from "./probe.ts"
import { hasColors } from "../terminal/screen.ts"
import { Streams } from "../terminal/streams.ts"

/** How well a step went. A note is no reason to worry. */
type Verdict = "ok" | "note" | "problem"

/** What was found at one step. */
interface Finding {
  readonly step: string
  readonly verdict: Verdict
  readonly text: string
  readonly hint?: string | undefined
  /** How long it took. */
  readonly milliseconds?: number | undefined
}

/** To the microsecond: a timer is no more exact. */
const rounded = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : Number(milliseconds.toFixed(3))

/** Where findings go. */
class Chart {
  /** The first problem, which is how the program ends. */
  first: WscatError | undefined = undefined
  problems = 0
  private readonly write: (finding: Finding) => void

  constructor(write: (finding: Finding) => void) {
    this.write = write
  }

  ok(step: string, text: string, milliseconds?: number): void {
    this.write({ step, verdict: "ok", text, milliseconds: rounded(milliseconds) })
  }

  note(step: string, text: string): void {
    this.write({ step, verdict: "note", text })
  }

  problem(step: string, error: WscatError): void {
    this.first ??= error
    this.problems++
    this.write({ step, verdict: "problem", text: error.message, hint: error.hint })
  }
}

/** Looks at a server from the bottom up, as far as there is something to see. Fails with the first problem. */
export const doctor = (given: string, flags: Doctor): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    const target = yield* targetOf(given, flags)
    const streams = yield* Streams
    const colored = !flags.noColor && hasColors(streams)
    const chart = new Chart((finding) => {
      streams.output.write(flags.json ? jsonLine(finding) : `${lineOf(finding, colored)}\n`)
    })
    yield* examine(target, chart)
    const { first, problems } = chart
    if (!flags.json) {
      const end = problems === 0 ? "All is well." : problems === 1 ? "One problem." : `${problems} problems.`
      streams.output.write(`\n${end}\n`)
    }
    if (first !== undefined) {
      const { hint, kind, message } = first
      return yield* new WscatError({ kind, message, hint, reported: true })
    }
  })

const colors = { ok: 32, note: 36, problem: 31 } as const

const lineOf = ({ hint, milliseconds, step, text, verdict }: Finding, colored: boolean): string => {
  const mark = colored ? `\u001B[${colors[verdict]}m${verdict.padEnd(7)}\u001B[39m` : verdict.padEnd(7)
  const took = milliseconds === undefined ? "" : ` (${milliseconds.toFixed(1)} ms)`
  const advice = hint === undefined ? "" : `\n${hint}`
  return `${mark} ${step.padEnd(12)} ${harmless(`${text}${took}${advice}`).replaceAll("\n", `\n${" ".repeat(21)}`)}`
}

const examine = (target: Target, chart: Chart): Effect.Effect<void, WscatError> =>
  Effect.gen(function* () {
    const request = yield* Effect.mapError(
      Effect.fromResult(Client.request(target.url, target.options)),
      asWscatError(target)
    )
    chart.ok("url", request.url)
    const { options } = target
    let trusting = options
    if (options.proxy === undefined) {
      const network = yield* examineNetwork(request, target, chart)
      if (network === "unreachable") return
      if (network === "untrusted") trusting = { ...options, tls: { ...options.tls, rejectUnauthorized: false } }
    } else {
      chart.note("proxy", "the name, the connection and TLS are beyond the proxy, and not looked at")
    }
    const trusted = { url: target.url, options: trusting }
    const problem = yield* examineHandshake(trusted, chart)
    yield* examineOrigin(trusted, request, chart, problem)
    yield* examineDrafts(trusted, chart, problem)
  })

const asWscatError =
  (target: Target) =>
  (error: HandshakeError): WscatError =>
    explain(new SocketError({ reason: { _tag: "HandshakeFailed", message: error.message, error } }), target)

/** Name, connection and TLS. */
const examineNetwork = (
  request: Handshake.ClientRequest,
  target: Target,
  chart: Chart
): Effect.Effect<"well" | "untrusted" | "unreachable", never> =>
  Effect.gen(function* () {
    const { host, port, secure: isSecure, socketPath } = request
    /** Reports a failure as opening the connection would. */
    const probe = <A>(step: string, what: string, effect: Effect.Effect<Timed<A>, Error>) =>
      Effect.catch(
        Effect.timeoutOrElse(effect, {
          duration: target.options.openTimeout ?? Duration.seconds(10),
          orElse: () => Effect.fail(new Error("no answer in time"))
        }),
        (cause) => {
          const reason = { _tag: "OpenFailed", message: `${what}: ${cause.message}`, cause } as const
          chart.problem(step, explain(new SocketError({ reason }), target))
          return Effect.succeed(undefined)
        }
      )
    if (socketPath === undefined && isIP(host) === 0) {
      const found = yield* probe("name", `cannot find ${host}`, lookup(host))
      if (found === undefined) return "unreachable"
      chart.ok("name", `${host} is ${found.value.join(", ")}`, found.elapsed)
    }
    const place: net.NetConnectOpts =
      socketPath === undefined ? { host, port, ...target.options.net } : { path: socketPath }
    const where = socketPath ?? `${host}:${port}`
    const reached = yield* probe("connection", `cannot connect to ${where}`, dial(place))
    if (reached === undefined) return "unreachable"
    chart.ok("connection", `${reached.value === "" ? where : `${reached.value} port ${port}`} answers`, reached.elapsed)
    if (!isSecure) return "well"
    const options = {
      host,
      port,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...plainTls(target.options.tls ?? {})
    }
    const shaken = yield* probe("tls", `TLS with ${where} fails`, secure(options))
    if (shaken === undefined) return "unreachable"
    return reportTls(shaken, target, chart) ? "well" : "untrusted"
  })

const day = 24 * 60 * 60 * 1000

/** From so many days on, an expiry is worth a note. */
const soon = 21

/** Reports what TLS showed; returns whether the certificate is trusted, or need not be. */
const reportTls = ({ elapsed, value }: Timed<TlsFacts>, target: Target, chart: Chart): boolean => {
  const { cipher, issuer, names, problem, subject, validTo, version } = value
  chart.ok("tls", `${version}, ${cipher}`, elapsed)
  const shown = `of ${subject} by ${issuer}${names === "" ? "" : `, for ${names}`}`
  if (problem !== undefined) {
    const what = certificateProblem(problem) ?? problem.message
    if (target.options.tls?.rejectUnauthorized === false) {
      chart.note("certificate", `${shown}: ${what}; not checked`)
      return true
    }
    const reason = { _tag: "OpenFailed", message: problem.message, cause: problem } as const
    const { hint, kind } = explain(new SocketError({ reason }), target)
    chart.problem("certificate", new WscatError({ kind, message: `${shown}: ${what}`, hint }))
    return false
  }
  const days = Math.floor((validTo.getTime() - Date.now()) / day)
  if (days < soon) chart.note("certificate", `${shown}; it expires in ${days} days`)
  else chart.ok("certificate", `${shown}; trusted, and good for ${days} days`)
  return true
}

/** How many pings are sent. */
const pingCount = 3

/** Examines the handshake and the open connection. Returns what was wrong with the handshake. */
const examineHandshake = (target: Target, chart: Chart): Effect.Effect<WscatError | undefined> =>
  Effect.gen(function* () {
    const { options, url } = target
    const draft = options.draft ?? rfc6455
    const wanted: ConnectOptions = draft.capabilities.extensions ? { ...options, compression: true } : options
    const begun = performance.now()
    const responses: Array<Handshake.ServerResponse> = []
    const socket = yield* connect(url, { ...wanted, onHandshake: (_, response) => responses.push(response) })
    chart.ok("handshake", `the server speaks ${nameOf(draft)}`, performance.now() - begun)
    const { headers = {}, status = 101 } = responses.at(-1) ?? {}
    chart.note("response", responseLines({ status, headers, body: undefined }))
    reportAgreement(socket, options, chart)
    // What the server sends meanwhile is not looked at, but must not stand in the way of a close frame.
    yield* Effect.forkScoped(Effect.ignore(runBatch(socket, () => Effect.void)))
    const patient = Effect.andThen(
      // A connection that closes meanwhile is `early`.
      draft.capabilities.ping ? Effect.catch(examinePings(socket, chart), () => Effect.never) : Effect.void,
      Effect.sleep(earlyClose)
    )
    const early = yield* Effect.raceFirst(socket.closed, Effect.as(patient, undefined))
    if (early !== undefined) {
      chart.problem("close", closedEarly(early))
      return undefined
    }
    const closing = performance.now()
    const closed = yield* socket.close()
    const { code } = endOf(closed)
    if (closed.received === undefined) {
      chart.note("close", "the server ended the connection without a close frame")
    } else {
      chart.ok("close", `the server answers a close frame, with ${code}`, performance.now() - closing)
    }
    return undefined
  }).pipe(
    Effect.scoped,
    Effect.catch((error) => {
      const problem = explain(error, target)
      chart.problem("handshake", problem)
      if (problem.refusal !== undefined) chart.note("response", responseLines(problem.refusal))
      return Effect.succeed(problem)
    })
  )

/** How long a server may take to close a connection that it has opened. */
const earlyClose = "500 millis"

/** The connection was open: the server accepted the handshake, and closed for a reason of its own. */
const closedEarly = (closed: Closed): WscatError => {
  const { received } = closed
  const how = received === undefined ? "without a close frame" : `with ${closeText(received.code, received.reason)}`
  return new WscatError({
    kind: explainClosed(closed, false)?.kind ?? "closed",
    message: `the server accepted the handshake, then closed the open connection ${how}`,
    hint: "this is no refusal of the handshake: the application wants a message, a token or a subprotocol first"
  })
}

const statusText = (status: number): string => `${status} ${STATUS_CODES[status] ?? ""}`.trim()

/** Characters of a body that are shown. */
const shownBody = 2000

const responseLines = ({ body = "", headers, status }: Refusal): string => {
  const head = [statusText(status), ...headerLines(headers)]
  return [...head, ...(body === "" ? [] : ["", body.slice(0, shownBody).trimEnd()])].join("\n")
}

/** Whether pages of the server's own origin may connect: browsers always name theirs. */
const examineOrigin = (
  target: Target,
  request: Handshake.ClientRequest,
  chart: Chart,
  problem: WscatError | undefined
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { options, url } = target
    if (request.socketPath !== undefined || options.origin !== undefined) return
    const origin = new URL(request.url.replace(/^ws/, "http")).origin
    const attempt = connect(url, { ...options, origin, openTimeout: draftTimeout, closeTimeout: draftTimeout })
    const result = yield* Effect.result(Effect.scoped(attempt))
    if (result._tag === "Success") {
      if (problem === undefined) chart.ok("origin", `pages of ${origin} may connect`)
      else chart.note("advice", `the server accepts the origin ${origin}: try -o ${origin}`)
      return
    }
    if (problem !== undefined) return
    const refused = explain(result.failure, target)
    chart.problem(
      "origin",
      new WscatError({
        kind: refused.kind,
        message: `with Origin: ${origin}, which pages of this server send, ${refused.message}`,
        hint:
          "the server compares Origin with Host, or has a list: a proxy in front of it must pass Host on " +
          "unchanged (nginx: proxy_set_header Host $host), or the list must contain the origin"
      })
    )
    if (refused.refusal !== undefined) chart.note("response", responseLines(refused.refusal))
  })

const nameOf = ({ id, version }: Handshake.Draft): string =>
  version === undefined ? "Hixie-76" : version === 13 ? "version 13 (RFC 6455)" : `version ${version} (${id})`

const reportAgreement = ({ extensions, protocol }: Socket, options: ConnectOptions, chart: Chart): void => {
  const asked = options.protocols ?? []
  if (protocol !== undefined) chart.ok("subprotocol", protocol)
  else if (asked.length > 0) {
    chart.problem(
      "subprotocol",
      new WscatError({
        kind: "handshake",
        message: `the server has none of ${asked.join(", ")}`,
        hint: "it goes on without one, as RFC 6455 allows; what you send may not be understood"
      })
    )
  } else chart.note("subprotocol", "none was asked for; -s asks for one")
  const [compression] = extensions
  if (compression === undefined) chart.note("compression", "the server does not compress")
  else {
    const params = compression.params.map(([name, value]) => (value === true ? name : `${name}=${value}`))
    chart.ok("compression", [compression.name, ...params].join("; "))
  }
}

const examinePings = (socket: Socket, chart: Chart): Effect.Effect<void, SocketError> =>
  Effect.gen(function* () {
    const times: Array<number> = []
    for (let count = 0; count < pingCount; count++) {
      const begun = performance.now()
      const pong = yield* Effect.timeoutOption(socket.ping(), "5 seconds")
      if (pong._tag === "None") {
        chart.problem(
          "ping",
          new WscatError({
            kind: "protocol",
            message: "the server does not answer pings",
            hint: "RFC 6455 §5.5.2 demands it; clients and proxies may take the connection for dead"
          })
        )
        return
      }
      times.push(performance.now() - begun)
    }
    const [least, most] = [Math.min(...times), Math.max(...times)]
    chart.ok("ping", `${pingCount} pings took ${least.toFixed(1)} to ${most.toFixed(1)} ms`)
  })

/** The other drafts get less time: a server that doesn't know them may not answer at all. */
const draftTimeout = Duration.seconds(3)

/** Names one after the other, as one says them. */
const list = (names: ReadonlyArray<string>): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`

/** Examines which other drafts the server accepts; `problem` is what was wrong with the requested one. */
const examineDrafts = (target: Target, chart: Chart, problem: WscatError | undefined): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { options, url } = target
    const asked = options.draft ?? rfc6455
    const others = all.filter((draft) => draft !== asked)
    // At once: a server that doesn't know a draft may keep silent.
    const results = yield* Effect.forEach(
      others,
      (draft) => {
        const changes = { draft, openTimeout: draftTimeout, closeTimeout: draftTimeout, compression: false }
        return Effect.map(Effect.result(Effect.scoped(connect(url, { ...options, ...changes }))), (result) => ({
          draft,
          refusal: result._tag === "Failure" ? explain(result.failure, target).message : undefined
        }))
      },
      { concurrency: "unbounded" }
    )
    const spoken = results.filter(({ refusal }) => refusal === undefined)
    for (const { draft } of spoken) {
      chart.note("draft", `the server ${problem === undefined ? "also " : ""}speaks ${nameOf(draft)}`)
    }
    // What is said of all is said once.
    for (const refusal of new Set(results.flatMap(({ refusal }) => refusal ?? []))) {
      const refused = results.filter((result) => result.refusal === refusal).map(({ draft }) => nameOf(draft))
      chart.note("draft", `not ${list(refused)}: ${refusal === problem?.message ? "the same" : refusal}`)
    }
    const [other] = spoken
    if (problem !== undefined && other !== undefined) {
      chart.note("advice", `try -p ${other.draft.version ?? other.draft.id}`)
    }
  })
