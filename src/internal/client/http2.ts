import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from "node:http2"
import { encodeFields } from "../protocol/opening/http.ts"
import type { ClientRequest } from "../handshake/model.ts"
import type { DialOptions } from "./dial.ts"
import type { SocketError } from "../socket/error.ts"
import { openFailed } from "../socket/failure.ts"
import type { Answer } from "./http1.ts"
import { lease, type Lease, whenReady } from "./http2Session.ts"
import { holding } from "../socket/opened.ts"
import { cancelStream, Http2Transport } from "../transport/http2.ts"

const ignore = (): void => {}

/**
 * Sends the request as a stream of a session, a shared one or the caller's own, and waits for the response; cancels the
 * stream when interrupted.
 */
export const exchangeHttp2 = (
  request: ClientRequest,
  session: true | ClientHttp2Session,
  options: DialOptions
): Effect.Effect<Answer, SocketError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(restore(session === true ? lease(request, options) : own(session)), (leased) =>
      Effect.onExit(restore(connect(leased, request)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) leased.release()
        })
      )
    )
  )

const own = (session: ClientHttp2Session): Effect.Effect<Lease, SocketError> =>
  Effect.as(whenReady(session), { session, release: ignore })

const connect = ({ release, session }: Lease, request: ClientRequest): Effect.Effect<Answer, SocketError> =>
  Effect.flatMap(holding, (hold) =>
    Effect.callback((resume) => {
      const lost = (cause: unknown): void =>
        resume(Effect.fail(openFailed("the connection was lost during the handshake", cause)))
      let stream: ClientHttp2Stream
      try {
        stream = session.request(encodeFields(request.headers), { endStream: false })
      } catch (cause) {
        return lost(cause)
      }
      const onClose = (): void => lost(`its stream was reset with error code ${stream.rstCode}`)
      stream.once("close", release)
      stream.on("error", lost)
      stream.once("close", onClose)
      stream.once("response", (headers: IncomingHttpHeaders) => {
        // From now on the owner of the transport is notified of errors.
        stream.on("error", ignore)
        stream.off("error", lost)
        stream.off("close", onClose)
        const transport = new Http2Transport(stream)
        hold(transport)
        const status = Number(headers[":status"])
        const body = status >= 200 && status <= 299 ? undefined : stream
        resume(Effect.succeed({ response: { status, headers }, transport, body }))
      })
      return Effect.sync(() => {
        stream.on("error", ignore)
        cancelStream(stream)
      })
    })
  )
