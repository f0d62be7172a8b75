import {
  byteWise,
  bytesOf,
  type Case,
  driverCloses,
  type FrameSpec,
  ok,
  opcodes,
  type Payload,
  peerFails,
  pong,
  together
} from "../case.ts"

const ping = (payload: Payload): FrameSpec => ({ opcode: opcodes.ping, payload })
const unsolicited = (payload: Payload): FrameSpec => ({ opcode: opcodes.pong, payload })

const closeNormally = { _tag: "close", payload: Uint8Array.of(0x03, 0xe8) } as const

const answered = (id: string, title: string, payload: Payload): Case => ({
  id,
  title,
  steps: together(ping(payload)),
  outcomes: ok(pong(payload)),
  close: driverCloses
})

const ten = Array.from({ length: 10 }, (_, i) => bytesOf(`ping number ${i}`))
const full: Payload = { repeat: Uint8Array.of(0xfe), length: 125 }

/** Section 2: pings are answered with their payload, pongs that nobody asked for are ignored. */
export const pings: ReadonlyArray<Case> = [
  answered("2.1", "A ping without payload", ""),
  answered("2.2", "A ping with a short text", "Hello, world!"),
  answered("2.3", "A ping whose payload is no UTF-8", Uint8Array.of(0, 255, 254, 253, 252, 251, 0, 255)),
  answered("2.4", "A ping with the longest payload, 125 bytes", full),
  {
    id: "2.5",
    title: "A ping with 126 bytes, one more than a control frame may hold",
    steps: together(ping({ repeat: Uint8Array.of(0xfe), length: 126 })),
    outcomes: ok(),
    close: peerFails(1002)
  },
  { ...answered("2.6", "A ping of 125 bytes, written byte by byte", full), steps: byteWise(ping(full)) },
  {
    id: "2.7",
    title: "A pong that answers nothing, without payload: no reaction",
    steps: [...together(unsolicited("")), closeNormally],
    outcomes: ok(),
    close: driverCloses
  },
  {
    id: "2.8",
    title: "A pong that answers nothing, with payload: no reaction",
    steps: [...together(unsolicited("nobody asked")), closeNormally],
    outcomes: ok(),
    close: driverCloses
  },
  {
    id: "2.9",
    title: "A pong that answers nothing, then a ping: only the ping is answered",
    steps: together(unsolicited("nobody asked"), ping("an honest ping")),
    outcomes: ok(pong("an honest ping")),
    close: driverCloses
  },
  {
    id: "2.10",
    title: "Ten pings at once: ten pongs, in their order",
    steps: together(...ten.map(ping)),
    outcomes: ok(...ten.map(pong)),
    close: driverCloses
  },
  {
    id: "2.11",
    title: "Ten pings, written byte by byte: ten pongs, in their order",
    steps: byteWise(...ten.map(ping)),
    outcomes: ok(...ten.map(pong)),
    close: driverCloses
  }
]
