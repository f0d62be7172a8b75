import {
  bytesOf,
  type Case,
  type ClosePlan,
  driverCloses,
  type FrameSpec,
  ok,
  opcodes,
  type Payload,
  type Step,
  text,
  together
} from "../case.ts"

/** Payload of a close frame: the code, then the reason. */
const closing = (code: number, reason: Payload = ""): Step => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(code)
  return { _tag: "close", payload: Buffer.concat([head, bytesOf(reason)]) }
}

const normal: ClosePlan = { ...driverCloses, wrongCodeFails: true }

/** The driver's close frame is bad: the peer says so with one of these codes, or drops TCP. */
const badClose = (...codes: ReadonlyArray<number>): ClosePlan => ({
  by: "driver",
  codes,
  clean: false,
  wrongCodeFails: true
})

const hello: FrameSpec = { opcode: opcodes.text, payload: "Hello World!" }

const after = (id: string, title: string, close: ClosePlan, ...steps: ReadonlyArray<Step>): Case => ({
  id,
  title,
  steps,
  outcomes: ok(),
  close
})

const basics: ReadonlyArray<Case> = [
  {
    id: "7.1.1",
    title: "A message, its echo, then a close",
    steps: together(hello),
    outcomes: ok(text("Hello World!")),
    close: normal
  },
  after(
    "7.1.2",
    "Two close frames: the second is ignored",
    normal,
    closing(1000),
    ...together({ opcode: opcodes.close })
  ),
  after("7.1.3", "A ping after the close: no pong", normal, closing(1000), ...together({ opcode: opcodes.ping })),
  after("7.1.4", "A text message after the close: no echo", normal, closing(1000), ...together(hello)),
  after(
    "7.1.5",
    "A close between two fragments: no echo",
    normal,
    ...together({ opcode: opcodes.text, fin: false, payload: "first part" }),
    closing(1000),
    ...together({ opcode: opcodes.continuation, payload: "second part" })
  ),
  {
    id: "7.1.6",
    title: "A message of 256 KiB, a short one, a close and a ping at once: how much is echoed is left open",
    steps: [
      ...together({ opcode: opcodes.text, payload: { repeat: "BAsd7&jh23", length: 262_144 } }, hello),
      closing(1000),
      ...together({ opcode: opcodes.ping })
    ],
    outcomes: [
      { verdict: "OK", events: [text({ repeat: "BAsd7&jh23", length: 262_144 }), text("Hello World!")] },
      { verdict: "NON-STRICT", events: [] }
    ],
    close: driverCloses,
    informational: true
  }
]

const payloads: ReadonlyArray<Case> = [
  after("7.3.1", "A close without code", normal, { _tag: "close", payload: "" }),
  after("7.3.2", "A close with one byte, half a code", badClose(1002), { _tag: "close", payload: "a" }),
  after("7.3.3", "A close with a code", normal, closing(1000)),
  after("7.3.4", "A close with a code and a reason", normal, closing(1000, "Hello World!")),
  after("7.3.5", "A close with the longest reason, 123 bytes", normal, closing(1000, { repeat: "*", length: 123 })),
  after("7.3.6", "A close with a reason of 124 bytes", badClose(1002), closing(1000, { repeat: "*", length: 124 })),
  after(
    "7.5.1",
    "A close whose reason is no UTF-8",
    badClose(1002, 1007),
    closing(1000, Buffer.from("cebae1bdb9cf83cebcceb5eda080656469746564", "hex"))
  )
]

const validCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
const invalidCodes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
const unspecifiedCodes = [5000, 65_535]

/** Section 7: the closing handshake, begun by the driver. */
export const closeHandling: ReadonlyArray<Case> = [
  ...basics,
  ...payloads,
  ...validCodes.map((code, i) =>
    after(
      `7.7.${i + 1}`,
      `A close with the good code ${code}`,
      { by: "driver", codes: [1000, code], clean: true, wrongCodeFails: true },
      closing(code)
    )
  ),
  ...invalidCodes.map((code, i) =>
    after(`7.9.${i + 1}`, `A close with the bad code ${code}`, badClose(1002), closing(code))
  ),
  ...unspecifiedCodes.map((code, i) => ({
    ...after(
      `7.13.${i + 1}`,
      `A close with code ${code}, of which the standard says nothing`,
      { by: "driver", codes: [1000, 1002, code], clean: false },
      closing(code)
    ),
    informational: true
  }))
]
