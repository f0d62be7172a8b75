import {
  byteWise,
  type Case,
  type FrameSpec,
  frameWise,
  ok,
  opcodes,
  type Outcome,
  peerFails,
  type Step,
  text,
  together
} from "../case.ts"

const hello = "Hello, world!"
const helloFrame: FrameSpec = { opcode: opcodes.text, payload: hello }
const ping: FrameSpec = { opcode: opcodes.ping }
const octets = Uint8Array.of(0, 255, 254, 253, 252, 251, 0, 255)

type Writer = (...frames: ReadonlyArray<FrameSpec>) => ReadonlyArray<Step>

/** The echo of the good message should come; a peer that fails before it sent that echo is not strict. */
const echoThenFail: ReadonlyArray<Outcome> = [
  { verdict: "OK", events: [text(hello)] },
  { verdict: "NON-STRICT", events: [] }
]

const alone = (id: string, title: string, frame: FrameSpec): Case => ({
  id,
  title,
  steps: together(frame),
  outcomes: ok(),
  close: peerFails(1002)
})

const between = (id: string, title: string, bad: FrameSpec, write: Writer): Case => ({
  id,
  title,
  steps: write(helloFrame, bad, ping),
  outcomes: echoThenFail,
  close: peerFails(1002)
})

/** Section 3: no reserved bit without an extension that gives it a meaning. */
export const reservedBits: ReadonlyArray<Case> = [
  alone("3.1", "A text message with RSV3 set", { ...helloFrame, rsv: 1 }),
  between("3.2", "A good message, one with RSV2, a ping", { ...helloFrame, rsv: 2 }, together),
  between("3.3", "The same with RSV2 and RSV3, frame by frame", { ...helloFrame, rsv: 3 }, frameWise),
  between("3.4", "The same with RSV1, byte by byte", { ...helloFrame, rsv: 4 }, byteWise),
  alone("3.5", "A binary message with RSV1 and RSV3", { opcode: opcodes.binary, payload: octets, rsv: 5 }),
  alone("3.6", "A binary message with RSV1 and RSV2", { opcode: opcodes.binary, payload: hello, rsv: 6 }),
  alone("3.7", "A close frame with all three reserved bits", { opcode: opcodes.close, rsv: 7 })
]

const family = (prefix: string, kind: string, first: number): ReadonlyArray<Case> => [
  alone(`${prefix}.1`, `Reserved ${kind} opcode ${first}, no payload`, { opcode: first }),
  alone(`${prefix}.2`, `Reserved ${kind} opcode ${first + 1} with payload`, {
    opcode: first + 1,
    payload: "what could this mean?"
  }),
  between(
    `${prefix}.3`,
    `A good message, reserved ${kind} opcode ${first + 2}, a ping`,
    { opcode: first + 2 },
    together
  ),
  between(
    `${prefix}.4`,
    `A good message, reserved ${kind} opcode ${first + 3} with payload, a ping`,
    { opcode: first + 3, payload: hello },
    together
  ),
  between(
    `${prefix}.5`,
    `A good message, reserved ${kind} opcode ${first + 4} with payload, a ping, byte by byte`,
    { opcode: first + 4, payload: hello },
    byteWise
  )
]

/** Section 4: opcodes that the standard keeps for later. */
export const reservedOpcodes: ReadonlyArray<Case> = [...family("4.1", "data", 3), ...family("4.2", "control", 11)]
