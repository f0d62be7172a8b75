import { type Case, type CorpusName, type DeflateAsk, driverCloses, opcodes } from "../case.ts"

/** Size of a message (characters of text, else bytes), and bytes per fragment of its compressed form; 0 is one frame. */
const shapes: ReadonlyArray<readonly [size: number, fragment: number]> = [
  ...[16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072].map((size) => [size, 0] as const),
  ...[8192, 16_384, 32_768, 65_536, 131_072].map((size) => [size, 256] as const),
  [131_072, 1024],
  [131_072, 4096],
  [131_072, 32_768]
]

/** The largest series take long where each fragment is worked on by itself and other cases run beside. */
const thirtyMinutes = 1_800_000

const corpora: ReadonlyArray<readonly [name: CorpusName, opcode: number, what: string]> = [
  ["json", opcodes.text, "JSON"],
  ["picture", opcodes.binary, "a picture"],
  ["german", opcodes.binary, "German text, sent as binary"],
  ["html", opcodes.text, "HTML"],
  ["pdf", opcodes.binary, "a document, partly compressed already"]
]

const asks: ReadonlyArray<ReadonlyArray<DeflateAsk>> = [
  [{ noContextTakeover: false }],
  [{ noContextTakeover: true }],
  [{ noContextTakeover: false, maxWindowBits: 8 }],
  [{ noContextTakeover: false, maxWindowBits: 15 }],
  [{ noContextTakeover: true, maxWindowBits: 8 }],
  [{ noContextTakeover: true, maxWindowBits: 15 }],
  [{ noContextTakeover: true, maxWindowBits: 8 }, { noContextTakeover: true }, { noContextTakeover: false }]
]

const described = (ask: DeflateAsk): string =>
  `${ask.noContextTakeover ? "no context" : "context"}, window ${ask.maxWindowBits ?? "free"}`

const family = (
  prefix: string,
  [corpus, opcode, what]: readonly [CorpusName, number, string],
  deflate: ReadonlyArray<DeflateAsk>
): ReadonlyArray<Case> =>
  shapes.map(([size, fragment], i) => ({
    id: `${prefix}.${i + 1}`,
    title:
      `Compressed echoes of ${what}, ${size} each` +
      `${fragment === 0 ? "" : `, in fragments of ${fragment} bytes`} (${deflate.map(described).join("; or ")})`,
    steps: [{ _tag: "echoes", opcode, source: { _tag: "corpus", corpus, size }, fragment }],
    outcomes: [],
    close: driverCloses,
    deflate,
    limit: thirtyMinutes
  }))

/** Section 12: five kinds of data with the plainest offer. */
export const compression: ReadonlyArray<Case> = corpora.flatMap((corpus, i) =>
  family(`12.${i + 1}`, corpus, [{ noContextTakeover: false }])
)

/** Section 13: one kind of data with each combination of parameters. */
export const parameters: ReadonlyArray<Case> = asks.flatMap((ask, i) =>
  family(`13.${i + 1}`, ["json", opcodes.text, "JSON"], ask)
)
