import { isUtf8 } from "node:buffer"

/** From this many bytes on the native check of a range pays for the view it needs. */
const nativeFrom = 32

/**
 * Checks UTF-8 that arrives in pieces, and refuses at the first byte that no continuation could make valid
 * (RFC 6455 §8.1; RFC 3629 §4 for what is valid: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export class Utf8Validator {
  /** Continuation bytes that the character under way still needs. */
  private needed = 0
  /** Range of the next continuation byte: narrower than 80..BF after E0, ED, F0 and F4. */
  private low = 0x80
  private high = 0xbf

  /** Answers whether the bytes may stand where they do. After `false` the validator is of no further use. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let i = start
    while (i < end && this.needed > 0) {
      if (!this.step(bytes[i])) return false
      i++
    }
    if (end - i >= nativeFrom) {
      const boundary = lastBoundary(bytes, i, end)
      if (!isUtf8(bytes.subarray(i, boundary))) return false
      i = boundary
    }
    for (; i < end; i++) {
      if (!this.step(bytes[i])) return false
    }
    return true
  }

  /** Whether the text may end here: no character is cut. */
  get complete(): boolean {
    return this.needed === 0
  }

  reset(): void {
    this.needed = 0
    this.low = 0x80
    this.high = 0xbf
  }

  private step(byte: number): boolean {
    if (this.needed > 0) {
      if (byte < this.low || byte > this.high) return false
      this.needed--
      this.low = 0x80
      this.high = 0xbf
      return true
    }
    if (byte < 0x80) return true
    if (byte < 0xc2 || byte > 0xf4) return false
    if (byte < 0xe0) {
      this.needed = 1
    } else if (byte < 0xf0) {
      this.needed = 2
      if (byte === 0xe0) this.low = 0xa0
      else if (byte === 0xed) this.high = 0x9f
    } else {
      this.needed = 3
      if (byte === 0xf0) this.low = 0x90
      else if (byte === 0xf4) this.high = 0x8f
    }
    return true
  }
}

/** Where the last character that may be incomplete begins, or `end`. */
const lastBoundary = (bytes: Uint8Array, start: number, end: number): number => {
  for (let back = 1; back <= 3 && end - back >= start; back++) {
    const byte = bytes[end - back]
    if (byte < 0x80) return end
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return length > back ? end - back : end
    }
  }
  return end
}

/**
 * Decodes `bytes[start, end)`, or answers `undefined` when it isn't UTF-8. Decoding puts U+FFFD where a byte
 * is wrong, so only text that holds that character needs a second look.
 */
export const decodeUtf8 = (bytes: Buffer, start: number, end: number): string | undefined => {
  const text = bytes.toString("utf8", start, end)
  return text.includes("\uFFFD") && !isUtf8(bytes.subarray(start, end)) ? undefined : text
}
