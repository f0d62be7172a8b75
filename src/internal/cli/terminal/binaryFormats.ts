/** Reads MessagePack (msgpack.org), CBOR (RFC 8949) and gzip (RFC 1952), to show binary messages as text. */
import { isUtf8 } from "node:buffer"
import { gunzipSync } from "node:zlib"

export const binaryFormats = ["msgpack", "cbor", "gzip"] as const

export type BinaryFormat = (typeof binaryFormats)[number]

/** Levels of nesting that are read. */
const maxDepth = 100

/** The bytes are not of the format. */
class Malformed extends Error {}

/** Reads values from the beginning of bytes on. */
class Reader {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  take(length: number): Buffer {
    if (!(length <= this.bytes.length - this.at)) throw new Malformed()
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  byte(): number {
    return this.take(1).readUInt8()
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes; a bigint where a number would lose digits. */
  unsigned(size: number): number | bigint {
    if (size < 8) return this.take(size).readUIntBE(0, size)
    return small(this.take(8).readBigUInt64BE())
  }

  signed(size: number): number | bigint {
    return size < 8 ? this.take(size).readIntBE(0, size) : small(this.take(8).readBigInt64BE())
  }

  float(size: 4 | 8): number {
    return size === 4 ? this.take(4).readFloatBE() : this.take(8).readDoubleBE()
  }

  text(length: number): string {
    const bytes = this.take(length)
    if (!isUtf8(bytes)) throw new Malformed()
    return bytes.toString("utf8")
  }

  /** Bytes, as JSON can have them. */
  binary(length: number): string {
    return this.take(length).toString("base64")
  }

  /** As many values as follow: each has a byte at least. */
  list<A>(length: number, item: () => A): ReadonlyArray<A> {
    if (!(length <= this.bytes.length - this.at)) throw new Malformed()
    return Array.from({ length }, item)
  }
}

const small = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value

const lengthOf = (value: number | bigint): number => {
  if (typeof value === "bigint") throw new Malformed()
  return value
}

const keyOf = (key: unknown): string => (typeof key === "string" ? key : stringify(key))

const objectOf = (entries: ReadonlyArray<readonly [unknown, unknown]>): unknown =>
  Object.fromEntries(entries.map(([key, value]) => [keyOf(key), value]))

/** JSON, where integers keep all their digits. */
const stringify = (value: unknown): string => {
  if (typeof value === "bigint") return String(value)
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}:${stringify(item)}`)
      .join(",")}}`
  }
  return JSON.stringify(value) ?? "null"
}

/** An extension of MessagePack: -1 is a time. */
const extension = (reader: Reader, length: number): unknown => {
  const type = reader.signed(1)
  if (type === -1 && length === 4) return new Date(Number(reader.unsigned(4)) * 1000).toISOString()
  return { extension: type, base64: reader.binary(length) }
}

const messagePack = (reader: Reader, depth: number): unknown => {
  if (depth > maxDepth) throw new Malformed()
  const item = (): unknown => messagePack(reader, depth + 1)
  const list = (length: number): unknown => reader.list(length, item)
  const map = (length: number): unknown => objectOf(reader.list(length, () => [item(), item()] as const))
  const size = (bytes: number): number => lengthOf(reader.unsigned(bytes))
  const first = reader.byte()
  if (first < 0x80) return first
  if (first < 0x90) return map(first & 0x0f)
  if (first < 0xa0) return list(first & 0x0f)
  if (first < 0xc0) return reader.text(first & 0x1f)
  if (first >= 0xe0) return first - 0x100
  switch (first) {
    case 0xc0: {
      return null
    }
    case 0xc2:
    case 0xc3: {
      return first === 0xc3
    }
    case 0xc4:
    case 0xc5:
    case 0xc6: {
      return reader.binary(size(2 ** (first - 0xc4)))
    }
    case 0xc7:
    case 0xc8:
    case 0xc9: {
      return extension(reader, size(2 ** (first - 0xc7)))
    }
    case 0xca:
    case 0xcb: {
      return reader.float(first === 0xca ? 4 : 8)
    }
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf: {
      return reader.unsigned(2 ** (first - 0xcc))
    }
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
      return reader.signed(2 ** (first - 0xd0))
    }
    case 0xd9:
    case 0xda:
    case 0xdb: {
      return reader.text(size(2 ** (first - 0xd9)))
    }
    case 0xdc:
    case 0xdd: {
      return list(size(2 ** (first - 0xdb)))
    }
    case 0xde:
    case 0xdf: {
      return map(size(2 ** (first - 0xdd)))
    }
    default: {
      if (first >= 0xd4 && first <= 0xd8) return extension(reader, 2 ** (first - 0xd4))
      throw new Malformed()
    }
  }
}

/** IEEE 754 of 16 bits. */
const half = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

const cborBreak = Symbol("break")

const cborSimple = (reader: Reader, info: number): unknown => {
  switch (info) {
    case 20:
    case 21: {
      return info === 21
    }
    case 22:
    case 23: {
      return null
    }
    case 24: {
      return { simple: reader.byte() }
    }
    case 25: {
      return half(lengthOf(reader.unsigned(2)))
    }
    case 26:
    case 27: {
      return reader.float(info === 26 ? 4 : 8)
    }
    case 31: {
      return cborBreak
    }
    default: {
      if (info > 27) throw new Malformed()
      return { simple: info }
    }
  }
}

const cbor = (reader: Reader, depth: number): unknown => {
  if (depth > maxDepth) throw new Malformed()
  const item = (): unknown => cbor(reader, depth + 1)
  /** Items up to the one that ends them: an indefinite length. */
  const items = (): ReadonlyArray<unknown> => {
    const found: Array<unknown> = []
    for (let next = item(); next !== cborBreak; next = item()) found.push(next)
    return found
  }
  const value = (): unknown => {
    const found = item()
    if (found === cborBreak) throw new Malformed()
    return found
  }
  const first = reader.byte()
  const [major, info] = [first >> 5, first & 0x1f]
  if (major === 7) return cborSimple(reader, info)
  if (info > 27 && !(info === 31 && major >= 2 && major <= 5)) throw new Malformed()
  const indefinite = info === 31
  const argument = info < 24 ? info : indefinite ? 0 : reader.unsigned(2 ** (info - 24))
  switch (major) {
    case 0: {
      return argument
    }
    case 1: {
      return small(-1n - BigInt(argument))
    }
    case 2: {
      return indefinite ? items().join("") : reader.binary(lengthOf(argument))
    }
    case 3: {
      return indefinite ? items().join("") : reader.text(lengthOf(argument))
    }
    case 4: {
      return indefinite ? items() : reader.list(lengthOf(argument), value)
    }
    case 5: {
      if (!indefinite) return objectOf(reader.list(lengthOf(argument), () => [value(), value()] as const))
      const flat = items()
      if (flat.length % 2 !== 0) throw new Malformed()
      return objectOf(Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]] as const))
    }
    default: {
      // A tag says what the value stands for; the value itself is shown.
      return value()
    }
  }
}

const single = (bytes: Uint8Array, read: (reader: Reader, depth: number) => unknown): string => {
  const reader = new Reader(bytes)
  const value = read(reader, 0)
  if (reader.at !== reader.bytes.length || value === cborBreak) throw new Malformed()
  return stringify(value)
}

/** A binary message as text; `undefined` when it is not of the format. `limit` is the largest text in bytes. */
export const decodeBinary = (format: BinaryFormat, bytes: Uint8Array, limit: number): string | undefined => {
  try {
    if (format !== "gzip") return single(bytes, format === "msgpack" ? messagePack : cbor)
    const inflated = gunzipSync(bytes, { maxOutputLength: Math.max(1, limit) })
    return isUtf8(inflated) ? inflated.toString("utf8") : undefined
  } catch {
    return undefined
  }
}
