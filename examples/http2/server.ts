/**
 * A board of clocks: the page opens a WebSocket for each, and all of them travel over one connection, as streams of HTTP/2
 * (RFC 8441). Where the browser speaks HTTP/1.1 alone, each takes a connection of its own.
 *
 * `node examples/http2/server.ts`; PORT comes from the environment. The certificate is made by openssl when the server
 * starts, for `localhost` alone and signed by nobody else, so that a browser asks before it goes on.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Schedule, Schema, Stream } from "effect"
import { Server } from "effect-ws"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { readPage } from "../page.ts"

/** A key and a certificate for this machine, good for a week. */
const makeCertificate = (): { readonly key: string; readonly cert: string } => {
  const folder = mkdtempSync(join(tmpdir(), "certificate-"))
  try {
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")]
    const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    const form = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7"]
    execFileSync("openssl", ["req", ...form, ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" })
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The path of a clock: `/clock?zone=Europe/Vienna`. */
const Zone = Schema.String.check(Schema.makeFilter((zone) => Intl.supportedValuesOf("timeZone").includes(zone)))

const zoneOf = (request: Server.UpgradeRequest) =>
  Schema.decodeUnknownEffect(Zone)(new URL(request.url, "https://localhost").searchParams.get("zone")).pipe(
    Effect.mapError(() => Server.reject(404))
  )

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8443))
  const page = readPage(import.meta.url)

  const server = yield* Server.make({
    host: "localhost",
    port,
    path: "/clock",
    tls: makeCertificate(),
    http2: true,
    maxMessageSize: 1024,
    authorize: zoneOf,
    onRequest: (request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
      else response.writeHead(404).end()
    }
  })
  yield* Effect.log(`https://localhost:${server.address.port}/ is the board`)
  return yield* server.run((socket) => {
    const time = new Intl.DateTimeFormat("en-GB", { timeZone: socket.context, timeStyle: "medium" })
    const tell = Effect.suspend(() =>
      socket.send(
        JSON.stringify({
          time: time.format(Date.now()),
          // The same for all that share a connection
          connection: socket.request.remotePort,
          version: socket.request.httpVersion
        })
      )
    )
    return Effect.raceFirst(Effect.repeat(tell, Schedule.spaced("1 second")), Stream.runDrain(socket.messages))
  })
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
