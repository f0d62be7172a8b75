import * as Effect from "effect/Effect"
import { Encodings } from "./encodings.ts"
import type { Message } from "./receiveBuffer.ts"
import { WebSocketConnection } from "./webSocketConnection.ts"
import { invalidOptions } from "./failure.ts"
import type { Socket } from "./model.ts"
import { invalidOption, oneOf, type RulesOf } from "./optionRules.ts"

/**
 * What becomes of a socket whose peer doesn't keep up: more waits for it than its `writeBufferSize`.
 *
 * @category sending
 * @since 0.1.0
 */
export type SlowPolicy =
  /** It gets the messages all the same, and the broadcast is done when there is room again. */
  | "wait"
  /** It misses these messages. */
  | "drop"
  /** It misses them, and is closed with 1013. */
  | "close"

/**
 * How `broadcast` treats its sockets.
 *
 * @category sending
 * @since 0.1.0
 */
export interface BroadcastOptions {
  /** Default `"wait"`. */
  readonly slow?: SlowPolicy | undefined
}

const rules = { slow: oneOf("wait", "drop", "close") } satisfies RulesOf<BroadcastOptions>

/**
 * Sends the same message, or several in one write, to many sockets. It is encoded and compressed once for all
 * connections on which it is the same bytes. Succeeds with the number of sockets that took it; those that are closed, or
 * whose draft can't say it, don't count. An invalid option is a defect: a `SocketError` with reason `InvalidOptions`.
 *
 * @category sending
 * @since 0.1.0
 */
export const broadcast = (
  sockets: Iterable<Socket>,
  messages: Message | ReadonlyArray<Message>,
  options?: BroadcastOptions
): Effect.Effect<number> =>
  Effect.suspend(() => {
    const all: ReadonlyArray<Message> =
      typeof messages === "string" || messages instanceof Uint8Array ? [messages] : messages
    const invalid = options === undefined ? undefined : invalidOption(rules, options)
    if (invalid !== undefined) return Effect.die(invalidOptions(invalid))
    const slow = options?.slow ?? "wait"
    const encodings = new Encodings(all)
    const pending: Array<Effect.Effect<unknown>> = []
    let taken = 0
    for (const socket of sockets) {
      if (!(socket instanceof WebSocketConnection)) {
        pending.push(Effect.map(settled(socket.sendAll(all)), (sent) => (sent ? taken++ : 0)))
        continue
      }
      const { connection } = socket
      if (!connection.isOpen) continue
      if (connection.outbound.full && slow !== "wait") {
        if (slow === "close") socket.beginClose(1013, "")
        continue
      }
      if (!socket.sendShared(encodings)) continue
      taken++
      const room = socket.room()
      if (room !== Effect.void && slow === "wait") pending.push(settled(room))
    }
    if (pending.length === 0) return Effect.succeed(taken)
    return Effect.map(Effect.all(pending, { concurrency: "unbounded", discard: true }), () => taken)
  })

/** Whether it was sent: a socket that is lost meanwhile is no failure of the broadcast. */
const settled = <E>(sent: Effect.Effect<void, E>): Effect.Effect<boolean> =>
  Effect.match(sent, { onFailure: () => false, onSuccess: () => true })
