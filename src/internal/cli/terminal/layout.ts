/** How text lies on the rows of a terminal. */
import { CliOutput } from "effect/cli"

/** A place on the screen, from the first character of the prompt on. */
export interface Place {
  readonly row: number
  readonly column: number
}

/** What is on the screen: the prompt and the line, and what of it stands before the cursor. */
export interface Drawing {
  readonly text: string
  readonly before: string
}

/** Cuts text into what a reader takes for characters. */
export const graphemes = new Intl.Segmenter()

/**
 * Characters of ASCII that no other can join, which are one column wide each, and whatever else there is: finding its
 * characters and their widths takes a thousand times as long.
 */
const runs = /[ -~]+(?=[ -~]|$)|[ -~]?[^ -~]+/gs
const isPlain = /^[ -~]+$/

/** The rows of a text that begins at the left edge of so many columns, and the column where the last one ends. */
const fold = (text: string, columns: number): { readonly rows: ReadonlyArray<string>; readonly column: number } => {
  const rows: Array<string> = []
  let [row, column] = ["", 0]
  const place = (part: string, width: number): void => {
    if (column + width > columns) {
      rows.push(row)
      row = ""
      column = 0
    }
    row += part
    column += width
  }
  for (const [run] of text.matchAll(runs)) {
    if (isPlain.test(run)) {
      for (let at = 0; at < run.length;) {
        const room = column < columns ? columns - column : columns
        const part = run.slice(at, at + room)
        place(part, part.length)
        at += part.length
      }
    } else {
      for (const { segment } of graphemes.segment(run)) place(segment, CliOutput.displayWidth(segment))
    }
  }
  rows.push(row)
  if (column < columns) return { rows, column }
  rows.push("")
  return { rows, column: 0 }
}

/** Where a text ends that begins at the left edge of so many columns. */
export const endOf = (text: string, columns: number): Place => {
  const { column, rows } = fold(text, columns)
  return { row: rows.length - 1, column }
}

/** Of a text and what of it stands before the cursor, so many rows around the cursor. */
export const windowOf = (drawing: Drawing, columns: number, height: number): Drawing => {
  const { rows } = fold(drawing.text, columns)
  if (rows.length <= height) return drawing
  const cursor = endOf(drawing.before, columns).row
  const first = Math.max(0, Math.min(cursor - Math.floor(height / 2), rows.length - height))
  const hidden = rows.slice(0, first).join("").length
  return { text: rows.slice(first, first + height).join(""), before: drawing.before.slice(hidden) }
}
