import { performance } from "node:perf_hooks"
import type { FrameObserver, Socket } from "../../socket/model.ts"
import { Opcode } from "../../protocol/opcode.ts"
import { type Client, showControl, showFrame } from "../terminal/format.ts"
import type { Talk } from "./session.ts"

/** Most pings of a connection whose pongs are waited for; of more, the oldest are forgotten. */
const maxPings = 100

/** When the pings of a connection were sent, by their payloads. */
class Pings {
  private readonly sent = new Map<string, number>()

  note(payload: Uint8Array): void {
    this.sent.set(keyOf(payload), performance.now())
    const [oldest] = this.sent.keys()
    if (this.sent.size > maxPings && oldest !== undefined) this.sent.delete(oldest)
  }

  /** How many milliseconds ago the ping was sent that this pong answers. */
  answered(payload: Uint8Array): number | undefined {
    const key = keyOf(payload)
    const sentAt = this.sent.get(key)
    this.sent.delete(key)
    return sentAt === undefined ? undefined : performance.now() - sentAt
  }
}

const keyOf = (payload: Uint8Array): string => Buffer.from(payload).toString("hex")

/** Whether there is something to watch. */
export const watches = ({ format, showPings }: Talk): boolean => format.frames || showPings

/** Shows frames, pings and pongs as they are on the wire, and how long a pong took. */
export const watch = (talk: Talk, clientOf: (socket: Socket) => Client): FrameObserver => {
  const { format, screen, showPings } = talk
  const pings = new WeakMap<Socket, Pings>()
  const pingsOf = (socket: Socket): Pings => {
    const known = pings.get(socket) ?? new Pings()
    pings.set(socket, known)
    return known
  }
  return (frame, socket) => {
    const { direction, opcode, payload } = frame
    const client = clientOf(socket)
    if (format.frames)
      screen.show(showFrame(format, frame, socket.draft, client, new Date()), direction === "sent" ? "dim" : "blue")
    if (!showPings || (opcode !== Opcode.ping && opcode !== Opcode.pong)) return
    if (direction === "received") {
      const elapsed = opcode === Opcode.pong ? pingsOf(socket).answered(payload) : undefined
      screen.show(showControl(format, frame, elapsed, client, new Date()), "blue")
    } else if (opcode === Opcode.ping) {
      pingsOf(socket).note(payload)
    }
  }
}
