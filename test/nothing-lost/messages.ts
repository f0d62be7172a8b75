// What the messages say: their stream, their number in it, and filling that follows from both, so that each can be checked.

/** Filling, with characters of two and three bytes in it. */
const pattern = "numbered messages, ü, €; ".repeat(3000)

/** Characters of filling: mostly few, sometimes beyond what is copied into a shared buffer. */
const fillingOf = (number: number, large: boolean): number => {
  if (large) return 16_000
  if (number % 64 === 63) return 20_000
  return number % 16 === 15 ? 2000 : 16 + ((number * 37) % 200)
}

/** The message of a number: text and bytes by turns. Streams whose name ends in `L` have large ones alone. */
export const messageOf = (stream: string, number: number): string | Uint8Array => {
  const from = (number * 7) % 50
  const text = `${stream} ${number} ${pattern.slice(from, from + fillingOf(number, stream.endsWith("L")))}`
  return number % 2 === 0 ? text : Buffer.from(text)
}

/** Which message it is; `undefined` when it is none, or isn't as it was sent. */
export const readMessage = (data: string | Uint8Array): { stream: string; number: number } | undefined => {
  const head = typeof data === "string" ? data.slice(0, 50) : Buffer.from(data.subarray(0, 50)).toString("latin1")
  const [stream = "", digits = ""] = head.split(" ", 2)
  if (!/^\d+$/.test(digits)) return undefined
  const number = Number(digits)
  const expected = messageOf(stream, number)
  const same =
    typeof data === "string" || typeof expected === "string" ? data === expected : Buffer.compare(data, expected) === 0
  return same ? { stream, number } : undefined
}
