import { binary, type Case, driverCloses, ok, opcodes, type Payload, text } from "../case.ts"

const lengths = [0, 125, 126, 127, 128, 65_535, 65_536]

const series = (prefix: string, kind: "text" | "binary", fill: string | Uint8Array): ReadonlyArray<Case> => {
  const make = (id: string, length: number, chop?: number): Case => {
    const payload: Payload = { repeat: fill, length }
    return {
      id,
      title: `Echo a ${kind} message of ${length} bytes${chop === undefined ? "" : `, written ${chop} bytes at a time`}`,
      steps: [{ _tag: "frames", frames: [{ opcode: opcodes[kind], payload }], chop }],
      outcomes: ok(kind === "text" ? text(payload) : binary(payload)),
      close: driverCloses
    }
  }
  return [...lengths.map((length, i) => make(`${prefix}.${i + 1}`, length)), make(`${prefix}.8`, 65_536, 997)]
}

/** Section 1: whole messages at the edges of the three length encodings. */
export const framing: ReadonlyArray<Case> = [
  ...series("1.1", "text", "*"),
  ...series("1.2", "binary", Uint8Array.of(0xfe))
]
