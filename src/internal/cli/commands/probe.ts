/** Looks at the layers below a WebSocket, one at a time. */
import * as Effect from "effect/Effect"
import * as dns from "node:dns"
import * as net from "node:net"
import { performance } from "node:perf_hooks"
import * as tls from "node:tls"

/** What was found, and how many milliseconds it took. */
export interface Timed<A> {
  readonly value: A
  readonly elapsed: number
}

const timed = <A>(begun: number, value: A): Timed<A> => ({ value, elapsed: performance.now() - begun })

/** The addresses of a name. */
export const lookup = (host: string): Effect.Effect<Timed<ReadonlyArray<string>>, Error> =>
  Effect.callback((resume) => {
    const begun = performance.now()
    dns.lookup(host, { all: true }, (error, addresses) => {
      const names = addresses?.map(({ address }) => address) ?? []
      resume(error === null ? Effect.succeed(timed(begun, names)) : Effect.fail(error))
    })
  })

/** Opens a TCP connection, or a Unix socket, and closes it again: the address that answered. */
export const dial = (options: net.NetConnectOpts): Effect.Effect<Timed<string>, Error> =>
  Effect.callback((resume) => {
    const begun = performance.now()
    const socket = net.connect(options)
    socket.once("connect", () => {
      resume(Effect.succeed(timed(begun, socket.remoteAddress ?? "")))
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

/** What is known of a server's TLS. */
export interface TlsFacts {
  readonly version: string
  readonly cipher: string
  /** Why the certificate is not trusted. */
  readonly problem: (Error & { readonly code?: string | undefined }) | undefined
  readonly subject: string
  readonly issuer: string
  readonly names: string
  /** When the certificate expires. */
  readonly validTo: Date
}

/** Shakes hands by TLS, trusted or not. */
export const secure = (options: tls.ConnectionOptions): Effect.Effect<Timed<TlsFacts>, Error> =>
  Effect.callback((resume) => {
    const begun = performance.now()
    const socket = tls.connect({ ...options, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
    socket.once("secureConnect", () => {
      const certificate = socket.getPeerCertificate()
      // `node:tls` says that this is an error; it is undefined when all is well, and a code without one.
      const refusal: unknown = socket.authorizationError
      const problem =
        socket.authorized || refusal === null || refusal === undefined
          ? undefined
          : refusal instanceof Error
            ? refusal
            : Object.assign(new Error(String(refusal)), { code: String(refusal) })
      resume(
        Effect.succeed(
          timed(begun, {
            version: socket.getProtocol() ?? "",
            cipher: socket.getCipher().name,
            problem,
            subject: nameIn(certificate.subject),
            issuer: nameIn(certificate.issuer),
            names: certificate.subjectaltname ?? "",
            validTo: new Date(certificate.valid_to)
          })
        )
      )
      socket.destroy()
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })

const nameIn = (certificate: tls.Certificate | undefined): string => {
  const name = certificate?.CN ?? certificate?.O
  return Array.isArray(name) ? name.join(", ") : (name ?? "nobody")
}
