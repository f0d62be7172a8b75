import { randomFillSync } from "node:crypto"

/** Below this many bytes a loop over bytes is quicker than making a view of words. */
const wordsFrom = 64

const scratch = new BigUint64Array(1)
const scratchBytes = new Uint8Array(scratch.buffer)

/**
 * Applies a masking key to `bytes[start, end)` in place, RFC 6455 §5.3. `key` holds the four bytes of the key in
 * wire order, the first in the lowest bits; `offset` is how many bytes of the payload came before `start`.
 */
export const applyMask = (bytes: Uint8Array, start: number, end: number, key: number, offset: number): void => {
  const shift = (offset & 3) << 3
  let rotated = shift === 0 ? key : (key >>> shift) | (key << (32 - shift))
  let i = start
  if (end - start >= wordsFrom) {
    const base = bytes.byteOffset
    while (((base + i) & 7) !== 0) {
      bytes[i] = bytes[i] ^ (rotated & 0xff)
      rotated = (rotated >>> 8) | (rotated << 24)
      i++
    }
    for (let j = 0; j < 8; j++) scratchBytes[j] = rotated >>> ((j & 3) << 3)
    const word = scratch[0]
    const count = (end - i) >>> 3
    const words = new BigUint64Array(bytes.buffer, base + i, count)
    for (let j = 0; j < count; j++) words[j] = words[j] ^ word
    i += count << 3
  }
  const b0 = rotated & 0xff
  const b1 = (rotated >>> 8) & 0xff
  const b2 = (rotated >>> 16) & 0xff
  const b3 = rotated >>> 24
  for (; i + 3 < end; i += 4) {
    bytes[i] = bytes[i] ^ b0
    bytes[i + 1] = bytes[i + 1] ^ b1
    bytes[i + 2] = bytes[i + 2] ^ b2
    bytes[i + 3] = bytes[i + 3] ^ b3
  }
  if (i < end) bytes[i] = bytes[i] ^ b0
  if (i + 1 < end) bytes[i + 1] = bytes[i + 1] ^ b1
  if (i + 2 < end) bytes[i + 2] = bytes[i + 2] ^ b2
}

const pool = new Int32Array(2048)
let used = pool.length

/** A fresh masking key from the system's secure source, RFC 6455 §5.3 and §10.3. */
export const randomKey = (): number => {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return pool[used++]
}
