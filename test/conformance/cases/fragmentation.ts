import {
  byteWise,
  type Case,
  driverCloses,
  type FrameSpec,
  frameWise,
  ok,
  opcodes,
  peerFails,
  pong,
  type Step,
  text,
  together
} from "../case.ts"

const parts = ["first part", "second part", "third part", "fourth part", "fifth part"] as const

const start = (payload: string): FrameSpec => ({ opcode: opcodes.text, fin: false, payload })
const middle = (payload: string): FrameSpec => ({ opcode: opcodes.continuation, fin: false, payload })
const end = (payload: string): FrameSpec => ({ opcode: opcodes.continuation, payload })
const whole = (payload: string): FrameSpec => ({ opcode: opcodes.text, payload })
const ping = (payload: string): FrameSpec => ({ opcode: opcodes.ping, payload })

const twice = (...frames: ReadonlyArray<FrameSpec>): ReadonlyArray<Step> => together(...frames, ...frames)

type Writer = (...frames: ReadonlyArray<FrameSpec>) => ReadonlyArray<Step>

const writers: ReadonlyArray<readonly [how: string, write: Writer]> = [
  ["in one write", together],
  ["frame by frame", frameWise],
  ["byte by byte", byteWise]
]

const refused = (id: string, title: string, steps: ReadonlyArray<Step>): Case => ({
  id,
  title,
  steps,
  outcomes: ok(),
  close: peerFails(1002)
})

/** A message in three visits, with a ping whose pong must come before the message is whole. */
const interleaved = (id: string, how: string, write: Writer): Case => ({
  id,
  title: `Five fragments with two pings among them, each answered at once, ${how}`,
  steps: [
    ...write(start(parts[0]), middle(parts[1]), ping("while it lasts")),
    { _tag: "await", events: 1 },
    ...write(middle(parts[2]), middle(parts[3]), ping("nearly there"), end(parts[4]))
  ],
  outcomes: ok(pong("while it lasts"), pong("nearly there"), text(parts.join(""))),
  close: driverCloses
})

/** Section 5: messages in fragments, and control frames among them. */
export const fragmentation: ReadonlyArray<Case> = [
  refused(
    "5.1",
    "A ping in two fragments",
    together({ opcode: opcodes.ping, fin: false, payload: parts[0] }, end(parts[1]))
  ),
  refused(
    "5.2",
    "A pong in two fragments",
    together({ opcode: opcodes.pong, fin: false, payload: parts[0] }, end(parts[1]))
  ),
  ...writers.map(([how, write], i): Case => ({
    id: `5.${3 + i}`,
    title: `A text message in two fragments, ${how}`,
    steps: write(start(parts[0]), end(parts[1])),
    outcomes: ok(text(parts[0] + parts[1])),
    close: driverCloses
  })),
  ...writers.map(([how, write], i): Case => ({
    id: `5.${6 + i}`,
    title: `A ping between two fragments: the pong comes before the echo, ${how}`,
    steps: write(start(parts[0]), ping("between"), end(parts[1])),
    outcomes: ok(pong("between"), text(parts[0] + parts[1])),
    close: driverCloses
  })),
  ...writers.map(([how, write], i) =>
    refused(
      `5.${9 + i}`,
      `A last continuation that continues nothing, then a whole message, ${how}`,
      write(end("continues nothing"), whole("Hello, world!"))
    )
  ),
  ...writers.map(([how, write], i) =>
    refused(
      `5.${12 + i}`,
      `A continuation, not the last, that continues nothing, then a whole message, ${how}`,
      write(middle("continues nothing"), whole("Hello, world!"))
    )
  ),
  {
    id: "5.15",
    title: "A good message in two fragments, then a continuation that continues nothing, then a whole message",
    steps: together(start(parts[0]), end(parts[1]), middle(parts[2]), whole(parts[3])),
    outcomes: [
      { verdict: "OK", events: [text(parts[0] + parts[1])] },
      { verdict: "NON-STRICT", events: [] }
    ],
    close: peerFails(1002)
  },
  refused(
    "5.16",
    "Twice: a continuation, not the last, that continues nothing, then a message in two fragments",
    twice(middle(parts[0]), start(parts[1]), end(parts[2]))
  ),
  refused(
    "5.17",
    "Twice: a last continuation that continues nothing, then a message in two fragments",
    twice(end(parts[0]), start(parts[1]), end(parts[2]))
  ),
  refused("5.18", "A second fragment that calls itself text again", together(start(parts[0]), whole(parts[1]))),
  interleaved("5.19", "in one write each", together),
  interleaved("5.20", "frame by frame", frameWise)
]
