/** A program against what sockets have in common, for the platforms that its tests run it on. */
import { Effect, Schema, Stream } from "effect"
import type { Socket } from "effect-ws/browser"

/** What a server must do for it: echo, and answer `bye` with a close. */
export const conversation = Effect.fnUntraced(function* (socket: Socket.CommonSocket) {
  const bytes = Uint8Array.from({ length: 300 }, (_, at) => at)
  yield* socket.send("käse € 😀")
  yield* socket.sendAll([bytes, "", "x".repeat(200_000)])
  const echoes = yield* Stream.runCollect(Stream.take(socket.messages, 4))
  yield* socket.send("bye")
  const rest = yield* Stream.runCollect(socket.messages)
  const { received, sent } = yield* socket.closed
  return { protocol: socket.protocol, echoes: echoes.map(shown), rest, received, sent }
})

/** A message as JSON can have it: long ones as their length. */
const shown = (message: Socket.Message): unknown =>
  typeof message === "string" ? (message.length > 100 ? message.length : message) : [...message]

export type Outcome = Effect.Success<ReturnType<typeof conversation>>

export const expected: Outcome = {
  protocol: "chat",
  echoes: ["käse € 😀", Array.from({ length: 300 }, (_, at) => at & 255), "", 200_000],
  rest: [],
  received: { code: 1000, reason: "bye" },
  sent: undefined
}

export const Count = Schema.Struct({ count: Schema.Int })
