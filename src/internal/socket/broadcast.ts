import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { Encodings } from "./encodings.ts"
import type { Message } from "./receiveBuffer.ts"
import { inTurn } from "./turns.ts"
import { WebSocketConnection } from "./webSocketConnection.ts"
import { invalidOptions } from "./failure.ts"
import type { Socket } from "./model.ts"
import { invalidOption, oneOf, type RulesOf } from "./optionRules.ts"

/**
 * The policy for a socket whose peer doesn't keep up: more bytes wait for it than its `writeBufferSize`.
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
 * Options of `broadcast`.
 *
 * @category sending
 * @since 0.1.0
 */
export interface BroadcastOptions {
  /** The policy for sockets whose peer doesn't keep up. Default: `"wait"`. */
  readonly slow?: SlowPolicy | undefined
}

const rules = { slow: oneOf("wait", "drop", "close") } satisfies RulesOf<BroadcastOptions>

type Messages = Message | ReadonlyArray<Message>

const isMessages = (value: unknown): boolean =>
  typeof value === "string" || value instanceof Uint8Array || Array.isArray(value)

/**
 * Sends the same message, or several in one write, to many sockets. Succeeds with the number of sockets that took
 * it.
 *
 * **Details**
 *
 * The message is encoded and compressed once for all connections on which its bytes are the same. Sockets that are
 * closed, or whose draft can't send the message, don't count. An invalid option is a defect: a `SocketError` with
 * reason `InvalidOptions`.
 *
 * **Example** (Sending to every client)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Socket } from "effect-ws"
 * import assert from "node:assert"
 *
 * const program = Effect.gen(function* () {
 *   const [ada, atServer1] = yield* Socket.makePair()
 *   const [bob, atServer2] = yield* Socket.makePair()
 *   assert.strictEqual(yield* Socket.broadcast([atServer1, atServer2], "Hello"), 2)
 *   assert.deepStrictEqual([yield* ada.receive, yield* bob.receive], ["Hello", "Hello"])
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @category sending
 * @since 0.1.0
 */
export const broadcast: {
  (messages: Messages, options?: BroadcastOptions): (sockets: Iterable<Socket>) => Effect.Effect<number>
  (sockets: Iterable<Socket>, messages: Messages, options?: BroadcastOptions): Effect.Effect<number>
} = dual(
  (args) => isMessages(args[1]),
  (sockets: Iterable<Socket>, messages: Messages, options?: BroadcastOptions) =>
    Effect.suspend(() =>
      send(sockets, typeof messages === "string" || messages instanceof Uint8Array ? [messages] : messages, options)
    )
)

const send = (
  sockets: Iterable<Socket>,
  all: ReadonlyArray<Message>,
  options: BroadcastOptions | undefined
): Effect.Effect<number> => {
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
    if (connection.outbound.isHeld && slow === "wait") {
      const sent = inTurn(socket, (turn) =>
        socket.sendShared(encodings, turn) ? socket.room(turn) : Effect.fail(socket.closedError())
      )
      pending.push(Effect.map(settled(sent), (sent) => (sent ? taken++ : 0)))
      continue
    }
    if (!socket.sendShared(encodings)) continue
    taken++
    const room = socket.room()
    if (room !== Effect.void && slow === "wait") pending.push(settled(room))
  }
  if (pending.length === 0) return Effect.succeed(taken)
  return Effect.map(Effect.all(pending, { concurrency: "unbounded", discard: true }), () => taken)
}

/** Whether it was sent: a socket that is lost meanwhile is no failure of the broadcast. */
const settled = <E>(sent: Effect.Effect<void, E>): Effect.Effect<boolean> =>
  Effect.match(sent, { onFailure: () => false, onSuccess: () => true })
