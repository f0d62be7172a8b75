import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { all } from "../../handshake/drafts.ts"
import type { Connection } from "../../server/model.ts"
import { make as makeServer } from "../../server/start.ts"
import { connect } from "../../client/connect.ts"
import type { Closed } from "../../protocol/closeHandshake.ts"
import type { SocketError } from "../../socket/error.ts"
import type { Socket } from "../../socket/model.ts"
import { runBatch } from "../../socket/run.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { closeText, explain, explainListening } from "../errors/explain.ts"
import { misuse, type WscatError } from "../errors/failure.ts"
import { placeOf, type Target, targetOf, withoutCredentials } from "../options/connecting.ts"
import type { Proxy } from "../options/values.ts"
import { type Format, jsonMessage, showMessage } from "../terminal/format.ts"
import { oneLine } from "../terminal/safeText.ts"
import { RecordSplitter } from "../terminal/records.ts"
import { hasColors, openScreen, type Screen } from "../terminal/screen.ts"
import { Streams } from "../terminal/streams.ts"
import { openRecorder, type Recorder } from "./recording.ts"

/** What all clients share. */
interface Bridge {
  readonly target: Target
  readonly screen: Screen
  readonly format: Format
  readonly recorder: Recorder | undefined
  readonly protocols: ReadonlyArray<string>
}

/** Headers of a client that are for this program alone. */
const ownHeaders =
  /^(?:connection|content-length|host|keep-alive|proxy-.*|sec-websocket-.*|te|trailer|transfer-encoding|upgrade)$/

/**
 * Listens, connects each client to the server of `--to`, and shows what both sides send. Each side may speak a draft of
 * its own. A side that reads slowly slows the other one down.
 */
export const proxy = (flags: Proxy): Effect.Effect<void, WscatError> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (flags.listen === undefined || flags.to === undefined) {
        return yield* misuse("wscat proxy needs --listen and --to", "wscat proxy -l 8080 --to wss://example.com")
      }
      const target = yield* targetOf(flags.to, flags)
      const place = yield* placeOf(flags.listen, undefined)
      const streams = yield* Streams
      const screen = yield* openScreen({
        quiet: flags.quiet,
        verbose: false,
        color: !flags.noColor && hasColors(streams),
        reads: false,
        splitter: new RecordSplitter("line", 0)
      })
      const recorder =
        flags.record === undefined
          ? undefined
          : yield* openRecorder(flags.record, withoutCredentials(target.url), "client")
      const bridge: Bridge = {
        target,
        screen,
        recorder,
        protocols: target.options.protocols ?? [],
        format: {
          json: flags.json,
          terminal: true,
          marks: false,
          frames: false,
          timestamps: flags.timestamps,
          encoding: "text",
          pretty: flags.pretty,
          colored: !flags.noColor && hasColors(streams),
          decode: undefined,
          separator: "\n"
        }
      }
      const server = yield* Effect.mapError(
        makeServer({
          ...place,
          drafts: all,
          origins: "any",
          // The upstream request then offers the subprotocol that the client was given.
          protocols: ([first]) => first,
          maxMessageSize: target.options.maxMessageSize,
          keepAlive: false,
          shutdownTimeout: "2 seconds"
        }),
        (error) => explainListening(error, place.socketPath)
      )
      const { host, port } = server.address
      if (!flags.quiet || place.port === 0) {
        screen.announce(`Listening on ${place.socketPath === undefined ? `port ${port}` : host} (press CTRL+C to quit)`)
      }
      let last = 0
      yield* Effect.forkScoped(server.run((client) => attend(bridge, client, ++last)))
      yield* screen.quit
      if (recorder !== undefined) yield* recorder.finish
    })
  )

/** The URL to connect to for a request: the path of `--to`, or where it has none, that of the request. */
const upstreamUrl = (url: string, requested: string): string => {
  if (url.startsWith("ws+unix:") || !URL.canParse(url)) return url
  const upstream = new URL(url)
  if (upstream.pathname !== "/" || upstream.search !== "") return url
  // Two slashes would begin a host.
  return new URL(requested.replace(/^\/*/, "/"), upstream).href
}

const attend = (bridge: Bridge, client: Connection, number: number): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { screen, target } = bridge
      const { headers, url } = client.request
      const passed = Object.entries(headers).flatMap(([name, value]) =>
        ownHeaders.test(name) || name === "origin"
          ? []
          : [value ?? []].flat().map((value): readonly [string, string] => [name, value])
      )
      const own = target.options.headers
      const { origin = headers["origin"] } = target.options
      const opening = connect(upstreamUrl(target.url, url), {
        ...target.options,
        headers: [...passed, ...(Array.isArray(own) ? own : Object.entries(own ?? {}))],
        ...(typeof origin === "string" ? { origin } : {}),
        protocols: client.protocol === undefined ? bridge.protocols : [client.protocol]
      })
      screen.status(`Client ${number} connected (${oneLine(url)})`)
      const opened = yield* Effect.result(opening)
      if (opened._tag === "Failure") {
        const { hint, message } = explain(opened.failure, target)
        screen.complain(`client ${number}: ${message}`, hint)
        yield* Effect.ignore(client.close(badGateway, message.slice(0, 100).replaceAll(/[^ -~]/g, "?")))
        return
      }
      yield* join(bridge, client, opened.success, number)
    })
  )

/** RFC 6455 §7.4.1, registered by IANA. */
const badGateway = 1014

/** Passes messages both ways, then the end of the side that ended first. */
const join = (
  bridge: Bridge,
  client: Socket,
  upstream: Socket,
  number: number
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* Effect.raceFirst(
      pump(bridge, client, upstream, "sent", number),
      pump(bridge, upstream, client, "received", number)
    )
    const first = yield* Effect.raceFirst(
      Effect.map(client.closed, (closed) => ({ closed, other: upstream, who: "client" })),
      Effect.map(upstream.closed, (closed) => ({ closed, other: client, who: "server" }))
    )
    yield* passEnd(first.closed, first.other)
    const { received } = first.closed
    const how = received === undefined ? "without a close frame" : `with ${closeText(received.code, received.reason)}`
    bridge.screen.status(oneLine(`Client ${number} disconnected: the ${first.who} closed ${how}`))
  })

const pump = (
  { format, recorder, screen }: Bridge,
  from: Socket,
  to: Socket,
  direction: "sent" | "received",
  number: number
): Effect.Effect<void> => {
  const show = (message: Message): void => {
    recorder?.add(direction, message, number)
    const time = new Date()
    if (format.json) {
      screen.show(jsonMessage(direction, message, number, time), undefined)
      return
    }
    const mark = `[${number}] ${direction === "sent" ? ">" : "<"} `
    const body = String(showMessage(format, message, undefined, time))
      .replace(/\n$/, "")
      .replaceAll("\n", "\n| ")
    screen.show(`${mark}${body}\n`, direction === "sent" ? "green" : "blue")
  }
  const pumping: Effect.Effect<void, SocketError> = runBatch(from, (batch) => {
    screen.together(() => batch.forEach(show))
    return Effect.andThen(
      Effect.catch(to.sendAll(batch), (error) =>
        error.reason._tag === "Unsupported"
          ? Effect.asVoid(Effect.ignore(from.close(1003, "the other side can't receive this")))
          : Effect.fail(error)
      ),
      screen.drained
    )
  })
  // Why a side ended is in its `closed`.
  return Effect.ignore(pumping)
}

/** Closes a side as the other one was closed. A connection that was lost has no code to pass on. */
const passEnd = ({ received }: Closed, to: Socket): Effect.Effect<void> => {
  const closing =
    received === undefined
      ? to.close(1001)
      : received.code === undefined
        ? to.close()
        : to.close(received.code, received.reason)
  return Effect.asVoid(Effect.ignore(closing))
}
