/** How two lists of messages differ. */
import type { Message } from "../../socket/receiveBuffer.ts"

/** One line of the comparison: in both lists, only in the expected one, or only in the actual one. */
export interface Difference {
  readonly kind: "same" | "missing" | "extra"
  readonly message: Message
}

/** Longer lists are compared place by place: the table of a comparison grows with the product of the lengths. */
const maxLength = 2000

/** JSON without the members of these names, at any depth; any other text as it is. */
const comparable = (message: Message, ignored: ReadonlySet<string>): string => {
  if (typeof message !== "string") return `binary ${Buffer.from(message).toString("base64")}`
  if (!/^\s*[[{]/.test(message)) return message
  try {
    return JSON.stringify(JSON.parse(message), (key, value: unknown) => (ignored.has(key) ? undefined : value))
  } catch {
    return message
  }
}

/** Compares lists by their longest common part. */
export const differencesOf = (
  expected: ReadonlyArray<Message>,
  actual: ReadonlyArray<Message>,
  ignored: ReadonlySet<string>
): ReadonlyArray<Difference> => {
  const [left, right] = [expected, actual].map((messages) => messages.map((message) => comparable(message, ignored)))
  if (left === undefined || right === undefined) return []
  const missing = (at: number): Difference => ({ kind: "missing", message: expected[at] ?? "" })
  const extra = (at: number): Difference => ({ kind: "extra", message: actual[at] ?? "" })
  const same = (at: number): Difference => ({ kind: "same", message: actual[at] ?? "" })
  if (left.length > maxLength || right.length > maxLength) {
    return Array.from({ length: Math.max(left.length, right.length) }, (_, at) => {
      if (left[at] === right[at]) return [same(at)]
      return [...(at < left.length ? [missing(at)] : []), ...(at < right.length ? [extra(at)] : [])]
    }).flat()
  }
  // How long the longest common part of the rests is, from each pair of places on.
  const width = right.length + 1
  const table = new Uint16Array((left.length + 1) * width)
  const cell = (row: number, column: number): number => table[row * width + column] ?? 0
  for (let row = left.length - 1; row >= 0; row--) {
    for (let column = right.length - 1; column >= 0; column--) {
      table[row * width + column] =
        left[row] === right[column]
          ? cell(row + 1, column + 1) + 1
          : Math.max(cell(row + 1, column), cell(row, column + 1))
    }
  }
  const result: Array<Difference> = []
  let [row, column] = [0, 0]
  while (row < left.length && column < right.length) {
    if (left[row] === right[column]) {
      result.push(same(column++))
      row++
    } else if (cell(row + 1, column) >= cell(row, column + 1)) result.push(missing(row++))
    else result.push(extra(column++))
  }
  while (row < left.length) result.push(missing(row++))
  while (column < right.length) result.push(extra(column++))
  return result
}
