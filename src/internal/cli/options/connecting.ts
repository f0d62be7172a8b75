/** What the options say about connections. */
import * as Effect from "effect/Effect"
import { all } from "../../handshake/drafts.ts"
import type { Draft } from "../../handshake/model.ts"
import type { ServeOptions } from "../../server/model.ts"
import { isToken } from "../../protocol/opening/token.ts"
import { withoutSecrets } from "../../protocol/opening/url.ts"
import type { ConnectOptions } from "../../client/connect.ts"
import { cookiesFor } from "./cookies.ts"
import { misuse, type WscatError } from "../errors/failure.ts"
import { readBytes, readSecret } from "./files.ts"
import type { Connecting } from "./values.ts"
import { identityOf } from "./identity.ts"
import { environmentProxy } from "./proxy.ts"
import { Streams } from "../terminal/streams.ts"

/** Where to connect to, and how. */
export interface Target {
  readonly url: string
  readonly options: ConnectOptions
}

/** Longest message, where `--max-payload` doesn't say: 100 MiB, as ever. */
const defaultMaxPayload = 100 * 1024 * 1024

/** How many redirects `--location` follows. */
const defaultMaxRedirects = 10

/** The URL, whose scheme may be left out. */
export const completeUrl = (url: string): string =>
  /^(?:[a-z][a-z0-9+.-]*:\/\/|ws\+unix:)/i.test(url) ? url : `ws://${url}`

/** A URL as it may be shown: without user and password. */
export const withoutCredentials = (url: string): string => url.replace(/(^|\/\/)[^/?#]*@/, "$1")

const maxPort = 65_535

const schemes = "ws, wss, http, https, or ws+unix for a Unix socket"

/** What is wrong with a URL, and what may be meant; `undefined` when it can be used. */
const urlProblem = (given: string): readonly [problem: string, hint: string] | undefined => {
  const shown = withoutSecrets(given)
  if (given.trim() === "") return ["the URL is empty", "a URL, or host:port, such as localhost:8080"]
  const [, scheme = ""] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given) ?? []
  if (scheme !== "" && !/^(?:wss?|https?|ws\+unix)$/i.test(scheme)) {
    return [`the scheme of ${shown} is ${scheme}`, `one of ${schemes}`]
  }
  const [, typed = "", rest = ""] = /^(wss?|https?)[;:]?\/\/?(.*)$/i.exec(given) ?? []
  if (scheme === "" && typed !== "") return [`${shown} is not a URL`, `${typed}://${withoutSecrets(rest)} may be meant`]
  const url = completeUrl(given)
  if (URL.canParse(url)) return undefined
  const [, authority = ""] = /^[^/]*\/\/([^/?#]*)/.exec(withoutSecrets(url)) ?? []
  if (/\s/.test(authority)) return [`the host of ${JSON.stringify(shown)} contains a space`, "one URL at a time"]
  if (authority.replace(/:.*$/, "") === "") return [`${shown} has no host`, "host, or host:port"]
  const [, port] = /:([^:\]]*)$/.exec(authority) ?? []
  if (port !== undefined && !(/^\d*$/.test(port) && Number(port) <= maxPort)) {
    return [`${port} is not a port`, `a port is a number from 0 to ${maxPort}`]
  }
  return [`${shown} is not a URL`, "a URL, or host:port, such as localhost:8080"]
}

/** The URL to connect to. Fails with what is wrong with it. */
export const urlOf = (given: string): Effect.Effect<string, WscatError> => {
  const problem = urlProblem(given)
  return problem === undefined ? Effect.succeed(completeUrl(given)) : Effect.fail(misuse(...problem))
}

/** Longest message in bytes. */
export const maxPayload = (flags: Pick<Connecting, "maxPayload">): number => flags.maxPayload ?? defaultMaxPayload

const draftOf = ({ protocol }: Connecting): Draft | undefined => all.find(({ id }) => id === protocol)

const headersOf = (flags: Connecting): Effect.Effect<ReadonlyArray<readonly [string, string]>, WscatError> =>
  Effect.forEach(flags.header, (header) => {
    const end = header.indexOf(":")
    return end > 0
      ? Effect.succeed([header.slice(0, end).trim(), header.slice(end + 1).trim()] as const)
      : Effect.fail(misuse(`the header ${JSON.stringify(header)} has no colon`, "-H 'Name: value'"))
  })

const isProtocolHeader = (name: string): boolean => name.toLowerCase() === "sec-websocket-protocol"

/** Headers that the handshake sets itself: a request that was copied from a browser has them. */
const handshakeHeaders = new Set([
  "connection",
  "content-length",
  "sec-websocket-accept",
  "sec-websocket-extensions",
  "sec-websocket-key",
  "sec-websocket-key1",
  "sec-websocket-key2",
  "sec-websocket-version",
  "transfer-encoding",
  "upgrade"
])

type Headers = ReadonlyArray<readonly [string, string]>

/** Takes the headers of the handshake out, and says so in one line. */
const withoutHandshake = (headers: Headers, flags: Connecting): Effect.Effect<Headers, never> =>
  Effect.gen(function* () {
    const ignored = headers.filter(([name]) => handshakeHeaders.has(name.toLowerCase()))
    if (ignored.length > 0 && !flags.quiet) {
      const { errors } = yield* Streams
      const names = [...new Set(ignored.map(([name]) => name))].join(", ")
      errors.write(`note: ${names} ${ignored.length === 1 ? "is" : "are"} ignored: the handshake sets them itself\n`)
    }
    return headers.filter((header) => !ignored.includes(header))
  })

const valueOf = (headers: Headers, wanted: string): string | undefined =>
  headers.findLast(([name]) => name.toLowerCase() === wanted)?.[1]

/** Headers that options stand for. */
const optionHeaders = new Set(["host", "origin", "sec-websocket-protocol"])

/** The subprotocols of `-s`, each of which may be a list, and of a header that asks for them; each once. */
const protocolsOf = (
  flags: Connecting,
  headers: ReadonlyArray<readonly [string, string]>
): Effect.Effect<ReadonlyArray<string>, WscatError> => {
  const lists = [...flags.subprotocol, ...headers.flatMap(([name, value]) => (isProtocolHeader(name) ? [value] : []))]
  const protocols = new Set(lists.flatMap((list) => list.split(",").map((protocol) => protocol.trim())))
  const broken = [...protocols].find((protocol) => !isToken(protocol))
  return broken === undefined
    ? Effect.succeed([...protocols])
    : Effect.fail(misuse(`-s ${JSON.stringify(broken)} is no subprotocol`, "one has no spaces, and is not empty"))
}

const authOf = (flags: Connecting): Effect.Effect<string | undefined, WscatError> =>
  flags.auth !== undefined || flags.authFile === undefined
    ? Effect.succeed(flags.auth)
    : readSecret(flags.authFile, "--auth-file")

const cookieHeader = (flags: Connecting, url: string): Effect.Effect<string | undefined, WscatError> =>
  Effect.gen(function* () {
    const stored =
      flags.cookieFile === undefined || !URL.canParse(url)
        ? []
        : cookiesFor(
            (yield* readBytes(flags.cookieFile, "--cookie-file")).toString("utf8"),
            new URL(url),
            yield* Effect.clockWith((clock) => clock.currentTimeMillis)
          )
    const cookies = [...stored, ...flags.cookie]
    return cookies.length === 0 ? undefined : cookies.join("; ")
  })

/** How to connect to a URL. */
export const targetOf = (given: string, flags: Connecting): Effect.Effect<Target, WscatError> =>
  Effect.gen(function* () {
    const url = yield* urlOf(given)
    const headers = yield* Effect.flatMap(headersOf(flags), (headers) => withoutHandshake(headers, flags))
    const cookie = yield* cookieHeader(flags, url)
    const identity = yield* identityOf(flags)
    const options: ConnectOptions = {
      draft: draftOf(flags),
      protocols: yield* protocolsOf(flags, headers),
      origin: flags.origin ?? valueOf(headers, "origin"),
      host: flags.host ?? valueOf(headers, "host"),
      auth: yield* authOf(flags),
      headers: [
        ...headers.filter(([name]) => !optionHeaders.has(name.toLowerCase())),
        ...(cookie === undefined ? [] : [["Cookie", cookie] as const])
      ],
      maxRedirects: flags.location ? (flags.maxRedirects ?? defaultMaxRedirects) : 0,
      compression: flags.compress || flags.compat,
      proxy: yield* proxyOf(flags, url),
      http2: flags.http2,
      tls: {
        ...identity,
        ...(flags.noCheck ? { rejectUnauthorized: false } : {}),
        ...(flags.servername === undefined ? {} : { servername: flags.servername })
      },
      openTimeout: (flags.openTimeout ?? 10) * 1000,
      maxMessageSize: maxPayload(flags),
      keepAlive: false
    }
    return { url, options }
  })

/** The proxy of `--proxy` or of the environment. The scheme may be left out. */
const proxyOf = ({ proxy: given }: Connecting, target: string): Effect.Effect<string | undefined, WscatError> =>
  Effect.gen(function* () {
    const { env } = yield* Streams
    const proxy = given ?? environmentProxy(target, env)
    if (proxy === undefined || proxy === "" || proxy === "none") return undefined
    const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`
    if (/^(?:https?|socks5h?):/i.test(url) && URL.canParse(url)) return url
    const source = given === undefined ? "the proxy of the environment," : "--proxy"
    return yield* misuse(
      `${source} ${withoutSecrets(proxy)} can't be used`,
      "host:port, after http://, https:// or socks5://"
    )
  })

/** How to listen on `[host:]port`, or on the path of a Unix socket. */
export const listenOptionsOf = (
  place: string,
  path: string | undefined,
  flags: Connecting
): Effect.Effect<ServeOptions, WscatError> =>
  Effect.gen(function* () {
    const where = yield* placeOf(place, flags.host)
    const headers = yield* headersOf(flags)
    const identity = yield* identityOf(flags)
    const secure = identity.cert !== undefined || identity.pfx !== undefined
    const draft = draftOf(flags)
    const protocols = yield* protocolsOf(flags, headers)
    return {
      ...where,
      path,
      drafts: draft === undefined ? all : [draft],
      origins: flags.origin === undefined ? "any" : [flags.origin],
      // Without a list of its own, a tool to look at clients agrees to what they ask for first.
      protocols: protocols.length > 0 ? protocols : ([first]) => first,
      headers: headers.filter(([name]) => !isProtocolHeader(name)),
      compression: flags.compress,
      maxMessageSize: maxPayload(flags),
      keepAlive: false,
      shutdownTimeout: "2 seconds",
      ...(secure
        ? {
            tls: {
              ...identity,
              ...(identity.ca === undefined ? {} : { requestCert: true, rejectUnauthorized: !flags.noCheck })
            }
          }
        : {})
    }
  })

export const placeOf = (
  place: string,
  host: string | undefined
): Effect.Effect<Pick<ServeOptions, "host" | "port" | "socketPath">, WscatError> => {
  if (place.includes("/")) return Effect.succeed({ socketPath: place })
  const [, named, digits = ""] = /^(?:(.*):)?(\d+)$/.exec(place) ?? []
  const port = Number(digits)
  if (digits === "" || port > maxPort) {
    return Effect.fail(
      misuse(`cannot listen on ${JSON.stringify(place)}`, `a port from 0 to ${maxPort}, host:port, or a path`)
    )
  }
  return Effect.succeed({ port, host: named?.replace(/^\[(.*)\]$/, "$1") ?? host })
}

/** User and password that a listener demands. */
export const demandedAuth = authOf
