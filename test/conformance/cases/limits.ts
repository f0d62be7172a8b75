import { binary, type Case, driverCloses, ok, opcodes, type Payload, type Step, text } from "../case.ts"

const kib = 1024
const mib = 1024 * kib

type Kind = "text" | "binary"

const pattern = { text: "BAsd7&jh23", binary: Uint8Array.of(0x00, 0xfe, 0x23, 0xfa, 0xf0) } as const
const fill = { text: "*", binary: Uint8Array.of(0xfe) } as const

const human = (bytes: number): string => {
  if (bytes >= mib) return `${bytes / mib} MiB`
  return bytes >= kib ? `${bytes / kib} KiB` : `${bytes} bytes`
}

const large = (id: string, title: string, kind: Kind, payload: Payload, step: Step): Case => ({
  id,
  title,
  steps: [step],
  outcomes: ok(kind === "text" ? text(payload) : binary(payload)),
  close: driverCloses,
  limit: 60_000
})

const sizes = (prefix: string, kind: Kind): ReadonlyArray<Case> =>
  [64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib].map((length, i) => {
    const payload = { repeat: pattern[kind], length }
    const frames = [{ opcode: opcodes[kind], payload }]
    return large(`${prefix}.${i + 1}`, `A ${kind} message of ${human(length)}`, kind, payload, {
      _tag: "frames",
      frames
    })
  })

const fragments = (prefix: string, kind: Kind): ReadonlyArray<Case> =>
  [64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib].map((fragment, i) => {
    const payload = { repeat: fill[kind], length: 4 * mib }
    return large(`${prefix}.${i + 1}`, `A ${kind} message of 4 MiB in fragments of ${human(fragment)}`, kind, payload, {
      _tag: "message",
      opcode: opcodes[kind],
      payload,
      fragment
    })
  })

const chops = (prefix: string, kind: Kind): ReadonlyArray<Case> =>
  [64, 128, 256, 512, 1024, 2048].map((chop, i) => {
    const payload = { repeat: pattern[kind], length: mib }
    return large(`${prefix}.${i + 1}`, `A ${kind} message of 1 MiB, written ${chop} bytes at a time`, kind, payload, {
      _tag: "frames",
      frames: [{ opcode: opcodes[kind], payload }],
      chop
    })
  })

const roundTrips = (prefix: string, kind: Kind): ReadonlyArray<Case> =>
  [0, 16, 64, 256, 1024, 4096].map((length, i) => ({
    id: `${prefix}.${i + 1}`,
    title: `1000 ${kind} messages of ${length} bytes, each after the echo of the last`,
    steps: [
      {
        _tag: "echoes",
        opcode: opcodes[kind],
        source: { _tag: "constant", payload: { repeat: fill[kind], length } },
        fragment: 0,
        count: 1000
      }
    ],
    outcomes: [],
    close: driverCloses,
    limit: 60_000
  }))

/** Section 9: large messages, small fragments, small writes, many round trips. */
export const limits: ReadonlyArray<Case> = [
  ...sizes("9.1", "text"),
  ...sizes("9.2", "binary"),
  ...fragments("9.3", "text"),
  ...fragments("9.4", "binary"),
  ...chops("9.5", "text"),
  ...chops("9.6", "binary"),
  ...roundTrips("9.7", "text"),
  ...roundTrips("9.8", "binary")
]

const automatic = { repeat: "*", length: 65_536 } as const

/** Section 10: a message that its sender cuts into fragments by itself. */
export const misc: ReadonlyArray<Case> = [
  large("10.1.1", "A text message of 65,536 bytes in fragments of 1,300", "text", automatic, {
    _tag: "message",
    opcode: opcodes.text,
    payload: automatic,
    fragment: 1300
  })
]
