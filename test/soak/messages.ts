/** What the clients of a soak say, and how they tell that it came back as it was. */

/** Sizes in bytes, as often as they stand here. */
const sizes = [16, 16, 16, 120, 120, 126, 300, 2000, 2000, 20_000, 70_000]

/** The largest there is, once in a while. */
const largest = 400_000

/** A message of its own for each number: text for even ones, bytes for odd ones. */
export const messageOf = (number: number): string | Buffer => {
  const size = number % 500 === 499 ? largest : (sizes[number % sizes.length] ?? 16)
  const text = `${number}:`.padEnd(size, "the quick brown fox ")
  return number % 2 === 0 ? text : Buffer.from(text)
}

/** Whether an answer is the message of a number. */
export const isMessage = (number: number, data: Buffer, isBinary: boolean): boolean => {
  const message = messageOf(number)
  return isBinary === (typeof message !== "string") && data.equals(Buffer.from(message as string))
}
