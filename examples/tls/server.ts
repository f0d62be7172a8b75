/**
 * A chat over TLS: `https:` for the page, `wss:` for what is said. The certificate is made by openssl when the server
 * starts, for `localhost` alone and signed by nobody else, so that a browser asks before it goes on.
 *
 * `node examples/tls/server.ts`; PORT comes from the environment.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, PubSub, Schema, Stream } from "effect"
import { Server } from "effect-ws"
import { makeCertificate } from "../certificate.ts"
import { readPage } from "../page.ts"

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
      Effect.catchTag("WebSocketError", ({ message }) => Effect.log("somebody was cut off:", message))
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
