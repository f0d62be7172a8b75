/**
 * Files uploaded over a WebSocket. The page announces a file, sends it in parts, and is told after each part how much
 * has been written: that is its progress, and what keeps it from sending faster than the disk takes it.
 *
 * `node examples/upload/server.ts`; PORT and UPLOADS, the folder for the files, come from the environment.
 */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Config, Data, Effect, FileSystem, Option, Schema, Sink, Stream } from "effect"
import { Server } from "effect-ws"
import { createHash, randomUUID } from "node:crypto"
import { join } from "node:path"
import { readPage } from "../page.ts"

/** The largest file, in bytes. */
const maxSize = 100 * 1024 * 1024

/** The largest part of a file, in bytes. */
const maxPart = 64 * 1024

/** What the page says of a file before it sends it. */
const Announcement = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String.check(Schema.isMaxLength(255)),
    size: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: maxSize }))
  })
)

/** What is told the page of a file that isn't taken: a close code and a reason. */
class Refusal extends Data.TaggedError("Refusal")<{ readonly code: number; readonly reason: string }> {}

/** Takes one file, tells the page how it goes, and answers with what is known of the file in the end. */
const receive = Effect.fn("receive")(function* (socket: Server.Connection, folder: string) {
  const files = yield* FileSystem.FileSystem
  const [first, parts] = yield* Stream.peel(socket.messages, Sink.head())
  const { name, size } = yield* Schema.decodeUnknownEffect(Announcement)(Option.getOrUndefined(first)).pipe(
    Effect.mapError(() => new Refusal({ code: 1008, reason: `a name, and a size of at most ${maxSize} bytes` }))
  )
  const path = join(folder, randomUUID())
  const file = yield* files.open(`${path}.part`, { flag: "wx" })
  yield* Effect.addFinalizer(() => Effect.ignore(files.remove(`${path}.part`, { force: true })))
  const hash = createHash("sha256")
  let received = 0

  const write = (part: string | Uint8Array) =>
    Effect.gen(function* () {
      if (typeof part === "string") return yield* new Refusal({ code: 1003, reason: "a file's parts are binary" })
      if (received + part.length > size) return yield* new Refusal({ code: 1008, reason: "more than was announced" })
      hash.update(part)
      yield* file.writeAll(part)
      received += part.length
      yield* socket.send(JSON.stringify({ received }))
      return received
    })

  // The empty part in front is the word to begin, and all there is of an empty file.
  yield* Stream.make(new Uint8Array()).pipe(
    Stream.concat(parts),
    Stream.mapEffect(write),
    Stream.takeUntil((written) => written === size),
    Stream.runDrain
  )
  if (received < size) return yield* new Refusal({ code: 1008, reason: "less than was announced" })
  yield* files.rename(`${path}.part`, path)
  return { name, size, path, sha256: hash.digest("hex") }
})

const upload = (socket: Server.Connection, folder: string) =>
  receive(socket, folder).pipe(
    Effect.tap(({ name, path, sha256, size }) =>
      Effect.andThen(Effect.log("received", { name, size, path }), socket.send(JSON.stringify({ sha256 })))
    ),
    Effect.catchTag("Refusal", ({ code, reason }) =>
      Effect.andThen(Effect.log("an upload was not taken:", reason), socket.close(code, reason))
    ),
    Effect.catchTag("WebSocketError", ({ message }) => Effect.log("an upload broke off:", message))
  )

const program = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const given = yield* Config.option(Config.String("UPLOADS"))
  const folder = yield* Option.match(given, {
    onNone: () => files.makeTempDirectoryScoped({ prefix: "uploads-" }),
    onSome: (folder) => Effect.as(files.makeDirectory(folder, { recursive: true }), folder)
  })
  const page = readPage(import.meta.url)
  const server = yield* Server.make({
    host: "localhost",
    port,
    path: "/upload",
    maxMessageSize: maxPart,
    maxConnections: 20,
    onRequest: (request, response) => {
      if (request.url === "/") response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
      else response.writeHead(404).end()
    }
  })
  yield* Effect.log(`http://localhost:${server.address.port}/ takes files, which go to ${folder}`)
  return yield* server.run((socket) => upload(socket, folder))
})

program.pipe(Effect.scoped, Effect.provide(NodeServices.layer), NodeRuntime.runMain)
