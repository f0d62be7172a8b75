/**
 * A chat over TLS: `https:` for the page, `wss:` for what is said. The certificate is made by openssl when the server
 * starts, for `localhost` alone and signed by nobody else, so that a browser asks before it goes on.
 *
 * `node examples/tls/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, PubSub, Schema, Stream } from "effect"
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

/** What a person says. */
const Said = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.NonEmptyString.check(Schema.isMaxLength(40)),
    text: Schema.NonEmptyString.check(Schema.isMaxLength(2000))
  })
)

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8443))
  const page = readPage(import.meta.url)
  // Those who come later are told what was said last; those who read too slowly miss what they can't keep up with
  const said = yield* PubSub.sliding<string>({ capacity: 100, replay: 20 })

  const chat = (socket: Server.Connection) => {
    const hear = Stream.runForEach(Stream.fromPubSub(said), socket.send)
    const speak = Stream.runForEach(socket.messages, (message) =>
      Effect.flatMap(Schema.decodeUnknownEffect(Said)(message), ({ name, text }) =>
        PubSub.publish(said, JSON.stringify({ name, text, time: Date.now() }))
      )
    )
    return Effect.raceFirst(hear, speak).pipe(
      Effect.catchTag("SchemaError", () => socket.close(1008, "a name and a text, neither of them long")),
      Effect.catchTag("SocketError", ({ message }) => Effect.log("somebody was cut off:", message))
    )
  }

  const server = yield* Server.make({
    host: "localhost",
    port,
    path: "/chat",
    tls: makeCertificate(),
    maxMessageSize: 16 * 1024,
    onRequest: (request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
      else response.writeHead(404).end()
    }
  })
  yield* Effect.log(`https://localhost:${server.address.port}/ is the chat`)
  return yield* server.run(chat)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
