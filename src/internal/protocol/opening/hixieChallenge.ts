/** The challenge of draft-hixie-thewebsocketprotocol-76: two numbers hidden in header fields, and eight bytes. */
import { randomInt } from "node:crypto"
import { md5 } from "./digest.ts"

/** The largest number of a key. */
export const maxNumber = 0xffffffff

/**
 * hixie-76 §5.2: the digits of a key make a number that its spaces divide. The result is no integer of 32 bits when there is no
 * space, which shows that no WebSocket client wrote the key, or when the division leaves a remainder.
 */
export const readNumber = (key: string): number => {
  const digits = key.replaceAll(/[^0-9]/g, "")
  const spaces = key.length - key.replaceAll(" ", "").length
  // A number of more digits would lose its last ones, and is far above the largest result.
  return digits === "" || digits.length > 15 ? Number.NaN : Number(digits) / spaces
}

/** The characters that may stand between the digits and spaces of a key. */
const junk = Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index))
  .join("")
  .replaceAll(/[0-9]/g, "")

/** hixie-76 §4.1: writes a number, times a count of spaces, among 1 to 12 other characters and as many spaces. */
export const hideNumber = (number: number, spaces: number): string => {
  const characters = [...String(number * spaces)]
  for (let count = randomInt(1, 13); count > 0; count--) {
    characters.splice(randomInt(characters.length + 1), 0, junk.charAt(randomInt(junk.length)))
  }
  for (let count = spaces; count > 0; count--) characters.splice(randomInt(1, characters.length), 0, " ")
  return characters.join("")
}

export const generateKey = (): string => {
  const spaces = randomInt(1, 13)
  return hideNumber(randomInt(Math.floor(maxNumber / spaces) + 1), spaces)
}

/** hixie-76 §5.2: the proof that the challenge was understood, 16 bytes. */
export const answerChallenge = (number1: number, number2: number, key3: Uint8Array): Uint8Array => {
  const challenge = Buffer.alloc(16)
  challenge.writeUInt32BE(number1, 0)
  challenge.writeUInt32BE(number2, 4)
  challenge.set(key3, 8)
  return md5(challenge)
}
