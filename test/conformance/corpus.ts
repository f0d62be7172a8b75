/** Data to compress: made here, the same on every run, and of the characters that the names say. */
import { deflateRawSync } from "node:zlib"
import type { CorpusName } from "./case.ts"

type Random = () => number

/** A small generator with a fixed seed (xorshift32): numbers in [0, 1). */
const generator = (seed: number): Random => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}

const pick = (random: Random, from: ReadonlyArray<string>): string => from[Math.floor(random() * from.length)] ?? ""

/** Repeats a maker until the text is long enough, then cuts it. */
const textOf = (length: number, make: () => string): string => {
  const parts: Array<string> = []
  for (let size = 0; size < length;) {
    const part = make()
    parts.push(part)
    size += part.length
  }
  return parts.join("").slice(0, length)
}

const words = (text: string): ReadonlyArray<string> => text.split(/\s+/)

const german = words(
  `der die das und nicht Mühle über Straße schön größer wenn Abend gehört Fluß läuft zurück Vögel immer wieder Träume
  kühl Nachbar erzählt Bäume ruhig Wäsche draußen spät Glöckchen mußte Käse Brüder warten Fenster öffnen Regen`
)

const latin = words(
  `vitae mensa lacus porta quies ventus silva nubes aurora fons hortus lumen saxum umbra rivus campus tempus stella
  mare insula pluvia folium collis nox`
)

const sentence = (random: Random, language: ReadonlyArray<string>): string => {
  const chosen = Array.from({ length: 4 + Math.floor(random() * 12) }, () => pick(random, language))
  const joined = chosen.join(random() < 0.2 ? ", " : " ")
  return `${joined.charAt(0).toUpperCase()}${joined.slice(1)}. `
}

const json = (): string => {
  const random = generator(1)
  let id = 0
  return textOf(194_056, () => {
    id += 1
    return `${JSON.stringify({
      id,
      guid: Math.floor(random() * 2 ** 48).toString(16),
      active: random() < 0.5,
      balance: Math.round(random() * 1e6) / 100,
      name: `${pick(random, latin)} ${pick(random, german)}`,
      about: sentence(random, latin),
      position: [random() * 180 - 90, random() * 360 - 180],
      tags: [pick(random, latin), pick(random, latin), pick(random, german)]
    })},\n`
  })
}

const html = (): string => {
  const random = generator(2)
  return textOf(263_527, () => {
    const cells = Array.from(
      { length: 3 },
      () =>
        `<td class="${pick(random, latin)}"><a href="/${pick(random, latin)}/${Math.floor(random() * 1e4)}">` +
        `${sentence(random, latin)}</a></td>`
    )
    return `<tr id="row-${Math.floor(random() * 1e6)}">\n  ${cells.join("\n  ")}\n</tr>\n`
  })
}

/** A grey bitmap: header, then 512 rows of soft shapes with a little noise. */
const picture = (): Buffer => {
  const random = generator(3)
  const side = 512
  const header = Buffer.alloc(1078)
  header.write("BM", "latin1")
  header.writeUInt32LE(header.length + side * side, 2)
  for (let grey = 0; grey < 256; grey++) header.fill(grey, 54 + 4 * grey, 57 + 4 * grey)
  const pixels = Buffer.alloc(side * side)
  for (let i = 0; i < pixels.length; i++) {
    const x = i % side
    const y = Math.floor(i / side)
    const shape = Math.sin(x / 37) * Math.cos(y / 53) + Math.sin((x + y) / 91)
    pixels[i] = Math.round(128 + 50 * shape + 8 * random())
  }
  return Buffer.concat([header, pixels])
}

/** Objects of plain text around streams that are compressed already. */
const document = (): Buffer => {
  const random = generator(4)
  const parts: Array<Buffer> = [Buffer.from("%PDF-1.4\n")]
  let size = 0
  for (let id = 1; size < 1_042_328; id++) {
    const plain = textOf(
      2000 + random() * 20_000,
      () => `${(random() * 600).toFixed(2)} ${sentence(random, latin)}Tj\n`
    )
    const stream = deflateRawSync(plain)
    const part = Buffer.concat([
      Buffer.from(
        `${id} 0 obj\n<< /Type /Page /Parent 1 0 R /Length ${stream.length} /Filter /FlateDecode >>\nstream\n`
      ),
      stream,
      Buffer.from("\nendstream\nendobj\n")
    ])
    parts.push(part)
    size += part.length
  }
  return Buffer.concat(parts)
}

const makers: Readonly<Record<CorpusName, () => string | Buffer>> = {
  json,
  picture,
  german: () => {
    const random = generator(5)
    return Buffer.from(textOf(222_218, () => sentence(random, german)))
  },
  html,
  pdf: document
}

const made = new Map<CorpusName, string | Buffer>()

/** A corpus: text, or bytes. */
export const corpusOf = (name: CorpusName): string | Buffer => {
  const known = made.get(name)
  if (known !== undefined) return known
  const corpus = makers[name]()
  made.set(name, corpus)
  return corpus
}

const slice = (corpus: string | Buffer, from: number, to: number): Buffer =>
  typeof corpus === "string" ? Buffer.from(corpus.slice(from, to)) : corpus.subarray(from, to)

/** Piece number `index` of `size` characters or bytes; at its end a corpus begins again. */
export const pieceOf = (name: CorpusName, size: number, index: number): Buffer => {
  const corpus = corpusOf(name)
  const from = (index * size) % corpus.length
  const first = slice(corpus, from, from + size)
  const missing = from + size - corpus.length
  return missing > 0 ? Buffer.concat([first, slice(corpus, 0, missing)]) : first
}
