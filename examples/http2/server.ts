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
import { makeCertificate } from "../certificate.ts"
import { readPage } from "../page.ts"

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
