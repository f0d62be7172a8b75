/**
 * The demo: echoes on any path, and serves a page that shows the frames of every connection, and one that draws the
 * metrics as they change. Frames, not messages, are echoed, so that fragments come back as they were sent.
 *
 * `npm start`, or `PORT=9000 npm start`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Effect, PubSub, Stream } from "effect"
import { Frame, Observability, Server, type Socket } from "effect-ws"
import { readPage } from "../page.ts"
import { samples } from "./metrics.ts"

/** What the page is told of a frame. */
interface Sighting {
  readonly connection: number
  readonly direction: "in" | "out"
  readonly opcode: Frame.Frame["_tag"]
  readonly fin: boolean
  readonly length: number
  /** The beginning of the payload, text where it is text; the code and the reason of a close frame. */
  readonly payload: string
}

const shown = 200

const sighting = (connection: number, direction: Sighting["direction"], frame: Frame.Frame): string => {
  const { length } = frame.payload
  const payload =
    frame._tag === "Close"
      ? `${frame.code ?? ""} ${frame.reason}`.trim()
      : Buffer.from(frame.payload.subarray(0, shown)).toString(frame._tag === "Binary" ? "hex" : "utf8")
  const told: Sighting = { connection, direction, opcode: frame._tag, fin: frame.fin, length, payload }
  return JSON.stringify(told)
}

/** The frame that answers another, as far as the library leaves that to us. */
const answer = (frame: Frame.Frame): Frame.Frame | undefined => (Frame.isControl(frame) ? undefined : frame)

/** The frame with which the library itself has answered, told for the page's sake. */
const automatic = (frame: Frame.Frame): Frame.Frame | undefined =>
  frame._tag === "Ping" ? Frame.pong(frame.payload) : frame._tag === "Close" ? Frame.close(frame.code) : undefined

const program = Effect.gen(function* () {
  const port = yield* Config.Int("PORT").pipe(Config.withDefault(8080))
  const sightings = yield* PubSub.sliding<string>(1024)
  const pages = new Map(
    [
      ["/", "page.html"],
      ["/metrics", "metrics.html"]
    ].map(([path = "", file = ""]) => [path, readPage(import.meta.url, file)])
  )
  yield* Observability.eventLoop({ interval: "1 second" })
  const shared = yield* samples
  let connections = 0

  const echo = (socket: Socket.Socket) => {
    const number = ++connections
    const tell = (direction: Sighting["direction"], frame: Frame.Frame) =>
      PubSub.publish(sightings, sighting(number, direction, frame))
    return Stream.runForEach(socket.frames, (frame) =>
      Effect.gen(function* () {
        yield* tell("in", frame)
        const back = answer(frame)
        if (back !== undefined) yield* socket.send(back)
        const out = back ?? automatic(frame)
        if (out !== undefined) yield* tell("out", out)
      })
    )
  }

  /** What those are told who watch, in place of an echo. */
  const streams = new Map([
    ["/frames", Stream.fromPubSub(sightings)],
    ["/metrics", shared]
  ])

  const handle = (socket: Server.Connection) => {
    const told = streams.get(socket.request.url)
    return told === undefined ? echo(socket) : Effect.raceFirst(Stream.runForEach(told, socket.send), socket.closed)
  }

  const server = yield* Server.make({
    port,
    compression: true,
    metrics: true,
    // Often, so that there are round trips to see
    keepAlive: { interval: "5 seconds", timeout: "5 seconds" },
    onRequest: (request, response) => {
      const page = pages.get(request.url ?? "")
      if (page === undefined) response.writeHead(404).end()
      else response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page)
    }
  })
  const place = `localhost:${server.address.port}`
  yield* Effect.log(`http://${place}/ is the page, http://${place}/metrics the dashboard, ws://${place}/ the echo`)
  return yield* server.run(handle)
})

program.pipe(Effect.scoped, NodeRuntime.runMain)
