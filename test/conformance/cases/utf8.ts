import {
  bytesOf,
  type Case,
  driverCloses,
  type FrameSpec,
  ok,
  opcodes,
  type Outcome,
  peerFails,
  type Step,
  text,
  together
} from "../case.ts"

/** A Greek word with an accent that takes three bytes: κόσμε. */
const greek = Uint8Array.of(0xce, 0xba, 0xe1, 0xbd, 0xb9, 0xcf, 0x83, 0xce, 0xbc, 0xce, 0xb5)
/** Latin letters of one and two bytes. */
const latin = "Hello-µ@ßöäüàá-UTF-8!!"
const latinHalves = ["Hello-µ@ßöä", "üàá-UTF-8!!"] as const

const joined = (...parts: ReadonlyArray<Uint8Array>): Buffer => Buffer.concat(parts)

const frame = (payload: string | Uint8Array): FrameSpec => ({ opcode: opcodes.text, payload })

const echoed = (id: string, title: string, steps: ReadonlyArray<Step>, payload: string | Uint8Array): Case => ({
  id,
  title,
  steps,
  outcomes: ok(text(payload)),
  close: driverCloses
})

const refused = (id: string, title: string, steps: ReadonlyArray<Step>): Case => ({
  id,
  title,
  steps,
  outcomes: ok(),
  close: peerFails(1007)
})

const bytewiseFragments = (payload: string | Uint8Array): ReadonlyArray<Step> => [
  { _tag: "message", opcode: opcodes.text, payload, fragment: 1 }
]

const surrogateInside = joined(greek, Uint8Array.of(0xed, 0xa0, 0x80), bytesOf("edited"))

/** Good until byte 12 (0x90), which makes the code point larger than Unicode is. */
const tooLarge = joined(greek, Uint8Array.of(0xf4, 0x90, 0x80, 0x80), bytesOf("edited"))

/** The peer should fail as soon as the bad byte is there, not when the message is whole. */
const failFast: ReadonlyArray<Outcome> = [
  { verdict: "OK", events: [{ _tag: "passed", label: "good part" }] },
  {
    verdict: "NON-STRICT",
    events: [
      { _tag: "passed", label: "good part" },
      { _tag: "passed", label: "bad part" }
    ]
  }
]

/** The three parts as three frames. A ping after each of the first two shows whether the peer let it pass. */
const inFrames = (id: string, title: string, cut1: number, cut2: number): Case => ({
  id,
  title,
  steps: [
    ...together({ opcode: opcodes.text, fin: false, payload: tooLarge.subarray(0, cut1) }),
    { _tag: "probe", label: "good part" },
    ...together({ opcode: opcodes.continuation, fin: false, payload: tooLarge.subarray(cut1, cut2) }),
    { _tag: "probe", label: "bad part" },
    ...together({ opcode: opcodes.continuation, payload: tooLarge.subarray(cut2) })
  ],
  outcomes: failFast,
  close: peerFails(1007)
})

/** The three parts inside one frame, where no ping can stand: here only time tells. */
const inOneFrame = (id: string, title: string, cut1: number, cut2: number): Case => {
  const spec = frame(tooLarge)
  return {
    id,
    title,
    steps: [
      { _tag: "piece", frame: spec, from: 0, to: cut1 },
      { _tag: "quiet", label: "good part", ms: 250 },
      { _tag: "piece", frame: spec, from: cut1, to: cut2 },
      { _tag: "quiet", label: "bad part", ms: 2000 },
      { _tag: "piece", frame: spec, from: cut2, to: tooLarge.length }
    ],
    outcomes: failFast,
    close: peerFails(1007)
  }
}

const named: ReadonlyArray<Case> = [
  echoed("6.1.1", "An empty text message", together(frame("")), ""),
  echoed(
    "6.1.2",
    "A text message in three empty fragments",
    together(
      { opcode: opcodes.text, fin: false },
      { opcode: opcodes.continuation, fin: false },
      { opcode: opcodes.continuation }
    ),
    ""
  ),
  echoed(
    "6.1.3",
    "A text message in three fragments, the first and the last empty",
    together(
      { opcode: opcodes.text, fin: false },
      { opcode: opcodes.continuation, fin: false, payload: "all of it is here" },
      { opcode: opcodes.continuation }
    ),
    "all of it is here"
  ),
  echoed("6.2.1", "Latin letters of several bytes in one frame", together(frame(latin)), latin),
  echoed(
    "6.2.2",
    "The same in two fragments, cut between two letters",
    together(
      { opcode: opcodes.text, fin: false, payload: latinHalves[0] },
      { opcode: opcodes.continuation, payload: latinHalves[1] }
    ),
    latin
  ),
  echoed("6.2.3", "The same in fragments of one byte, cut inside letters", bytewiseFragments(latin), latin),
  echoed("6.2.4", "A Greek word in fragments of one byte", bytewiseFragments(greek), greek),
  refused("6.3.1", "A surrogate in the middle of a good text, one frame", together(frame(surrogateInside))),
  refused("6.3.2", "The same in fragments of one byte", bytewiseFragments(surrogateInside)),
  inFrames("6.4.1", "Good text, then a code point beyond Unicode, then the rest, in three frames", 11, 15),
  inFrames("6.4.2", "The same, where the second frame is just the byte that makes it bad", 12, 13),
  inOneFrame(
    "6.4.3",
    "Good text, then a code point beyond Unicode, then the rest, in three writes of one frame",
    11,
    15
  ),
  inOneFrame("6.4.4", "The same, where the second write is just the byte that makes it bad", 12, 13)
]

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(" ", ""), "hex")

/** Every byte from `first` up to, not including, `end`, each followed by a space if `spaced`. */
const run = (first: number, end: number, spaced: boolean): Buffer => {
  const values = Array.from({ length: end - first }, (_, i) => first + i)
  return Buffer.from(spaced ? values.flatMap((value) => [value, 0x20]) : values)
}

/** Sequences whose last continuation byte is missing, shortest form to longest, smallest and largest value. */
const truncated: ReadonlyArray<Buffer> = [
  "c0",
  "e080",
  "f08080",
  "f8808080",
  "fc80808080",
  "df",
  "efbf",
  "f7bfbf",
  "fbbfbfbf",
  "fdbfbfbfbf"
].map(hex)

const around = (digits: string): Buffer => joined(bytesOf("hello"), hex(digits), bytesOf("world"))

/** The last two code points of each plane, which are never characters but travel as well as others do. */
const planeEnds: ReadonlyArray<Buffer> = Array.from({ length: 17 }, (_, plane) => plane).flatMap((plane) =>
  [0xfffe, 0xffff].map((last) => bytesOf(String.fromCodePoint(plane * 0x1_0000 + last)))
)

/** Tables 6.5 to 6.23: what a group shows, and its byte sequences. What of it is valid follows from RFC 3629. */
const tables: ReadonlyArray<readonly [title: string, sequences: ReadonlyArray<Uint8Array>]> = [
  ["Good text", [around("24"), around("c2a2"), around("e282ac"), around("f0a4ada2"), greek]],
  ["Each beginning of a good text", Array.from(greek, (_, i) => greek.subarray(0, i + 1))],
  ["The first code point of each length", ["00", "c280", "e0a080", "f0908080"].map(hex)],
  ["The first code point of five and six bytes", ["f888808080", "fc8480808080"].map(hex)],
  ["The last code point of each length", ["7f", "dfbf", "efbfbf", "f48fbfbf"].map(hex)],
  ["The last code point of four, five and six bytes", ["f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"].map(hex)],
  ["Neighbours of what is forbidden", ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"].map(hex)],
  [
    "Continuation bytes with nothing to continue",
    [...["80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"].map(hex), run(0x80, 0xbf, false)]
  ],
  [
    "First bytes with nothing that follows",
    [run(0xc0, 0xdf, true), run(0xe0, 0xef, true), run(0xf0, 0xf7, true), run(0xf8, 0xfb, true), run(0xfc, 0xfd, true)]
  ],
  ["Sequences without their last byte", truncated],
  ["All of those in a row", [joined(...truncated)]],
  ["Bytes that never occur", ["fe", "ff", "fefeffff"].map(hex)],
  ["A slash, written too long", ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"].map(hex)],
  ["The largest code points written too long", ["c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"].map(hex)],
  ["NUL, written too long", ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"].map(hex)],
  ["Lone surrogates", ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"].map(hex)],
  [
    "Surrogates in pairs",
    ["eda080", "edadbf", "edae80", "edafbf"].flatMap((high) => ["edb080", "edbfbf"].map((low) => hex(high + low)))
  ],
  ["Code points that are no characters", planeEnds],
  [
    "Specials, among them the replacement character",
    ["efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf"].map(hex)
  ]
]

/** RFC 3629 §4, written down as the grammar stands there. Kept apart from any library's validator. */
export const isUtf8 = (bytes: Uint8Array): boolean => {
  let i = 0
  while (i < bytes.length) {
    const first = bytes[i++] ?? 0
    if (first <= 0x7f) continue
    let more: number
    let low = 0x80
    let high = 0xbf
    if (first >= 0xc2 && first <= 0xdf) more = 1
    else if (first >= 0xe0 && first <= 0xef) {
      more = 2
      if (first === 0xe0) low = 0xa0
      if (first === 0xed) high = 0x9f
    } else if (first >= 0xf0 && first <= 0xf4) {
      more = 3
      if (first === 0xf0) low = 0x90
      if (first === 0xf4) high = 0x8f
    } else return false
    for (; more > 0; more--) {
      const next = bytes[i++]
      if (next === undefined || next < low || next > high) return false
      low = 0x80
      high = 0xbf
    }
  }
  return true
}

/** Section 6: text is UTF-8, and nothing else passes. */
export const utf8: ReadonlyArray<Case> = [
  ...named,
  ...tables.flatMap(([title, sequences], group) =>
    sequences.map((sequence, i) => {
      const id = `6.${group + 5}.${i + 1}`
      const name = `${title}: ${Buffer.from(sequence).toString("hex")}`
      const steps = together(frame(sequence))
      return isUtf8(sequence) ? echoed(id, name, steps, sequence) : refused(id, name, steps)
    })
  )
]
