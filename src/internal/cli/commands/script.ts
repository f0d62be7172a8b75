/** A mock server: plays the server's part of a recorded conversation. */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { SocketError } from "../../socket/error.ts"
import type { Message } from "../../socket/receiveBuffer.ts"
import { oneLine } from "../terminal/safeText.ts"
import type { Recording } from "./recording.ts"

/** Messages of a client that may wait for their place in the script. */
const maxWaiting = 256

const shown = (message: Message): string =>
  typeof message === "string" ? oneLine(message) : `[binary, ${message.length} bytes]`

const isSame = (a: Message, b: Message): boolean =>
  typeof a === "string" || typeof b === "string" ? a === b : Buffer.compare(a, b) === 0

/** The part that is played for one client. */
export interface Part {
  /** Takes what the client sent; suspends while the script is far behind. */
  readonly receive: (batch: ReadonlyArray<Message>) => Effect.Effect<void>
  /** Plays the part, and then takes what the client still sends. Never ends by itself. */
  readonly play: Effect.Effect<never, SocketError>
}

/**
 * Prepares a part. A message of the server is sent as long after the event before it as in the recording; for a message
 * of the client the script waits. `complain` is called when the client sends something else; the script goes on.
 */
export const makePart = (
  { messages }: Recording,
  send: (message: Message) => Effect.Effect<unknown, SocketError>,
  complain: (problem: string) => void
): Effect.Effect<Part> =>
  Effect.map(Queue.bounded<Message>(maxWaiting), (queue) => ({
    receive: (batch) => Effect.asVoid(Queue.offerAll(queue, batch)),
    play: Effect.gen(function* () {
      let before = messages[0]?.time ?? 0
      for (const { direction, message, time } of messages) {
        if (direction === "received") {
          yield* Effect.sleep(Math.max(0, time - before))
          yield* send(message)
        } else {
          const given = yield* Queue.take(queue)
          if (!isSame(given, message)) complain(`sent ${shown(given)} where the script has ${shown(message)}`)
        }
        before = time
      }
      return yield* Effect.forever(Queue.take(queue))
    })
  }))
