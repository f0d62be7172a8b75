import { CliOutput } from "effect/cli"
import * as readline from "node:readline"
import { Writable } from "node:stream"
import type { Shown } from "./format.ts"
import { LineQueue, type Lines } from "./lines.ts"
import type { CliStreams } from "./streams.ts"

const promptMark = "> "

/** How many lines can be fetched back. */
const historySize = 1000

const clearRow = "\u001B[2K"
const clearScreen = "\u001B[2J\u001B[H"

const up = (rows: number): string => (rows > 0 ? `\u001B[${rows}A` : "")

const down = (rows: number): string => (rows > 0 ? `\u001B[${rows}B` : "")

const right = (columns: number): string => (columns > 0 ? `\u001B[${columns}C` : "")

/** A place on the screen, from the first character of the prompt on. */
interface Place {
  readonly row: number
  readonly column: number
}

/** What is on the screen: the prompt and the line, and what of it stands before the cursor. */
interface Drawing {
  readonly text: string
  readonly before: string
}

const graphemes = new Intl.Segmenter()

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

/** What is typed, with pictures for what would move the cursor. */
const visible = (line: string): string =>
  // oxlint-disable-next-line no-control-regex
  line.replaceAll(/[\0-\x1f]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))

/**
 * A line editor whose line stays below what is written above it. Node's own edits, and keeps the history; what is on
 * the screen is drawn here, so that it is known where the cursor stands.
 */
export class Editor {
  private readonly queue = new LineQueue()
  private readonly input: CliStreams["input"]
  private readonly output: CliStreams["output"]
  private readonly editor: readline.Interface
  private readonly leave: () => void
  private prompting = false
  private drawing = false
  private drawn: Drawing | undefined = undefined
  /** The rows of its end and of the cursor, counted from the one of the prompt. */
  private lastRow = 0
  private cursorRow = 0

  /** `leave` is called when a person wants to quit: with CTRL+C, or CTRL+D. */
  constructor({ input, output }: CliStreams, leave: () => void) {
    this.leave = leave
    this.input = input
    this.output = output
    this.editor = readline.createInterface({
      input,
      output: new Writable({ write: (_, __, done) => done() }),
      terminal: true,
      historySize,
      removeHistoryDuplicates: true
    })
    this.editor.on("line", (line) => this.entered(line))
    this.editor.on("SIGINT", leave)
    this.editor.on("SIGCONT", this.continued)
    this.editor.on("close", this.left)
    input.on("keypress", this.pressed)
    output.on("resize", this.resized)
  }

  get lines(): Lines {
    return this.queue.take
  }

  /** Shows the prompt, from now on. */
  begin(): void {
    this.prompting = true
    this.draw()
  }

  /** Writes above the line that is being typed. */
  above(text: Shown): void {
    this.erase()
    this.output.write(text)
    this.drawSoon()
  }

  close(): void {
    this.erase()
    this.prompting = false
    this.input.off("keypress", this.pressed)
    this.output.off("resize", this.resized)
    this.editor.off("close", this.left)
    this.editor.close()
  }

  private readonly left = (): void => {
    this.queue.end()
    this.leave()
  }

  private entered(line: string): void {
    this.erase()
    if (this.prompting) this.output.write(`${promptMark}${visible(line)}\n`)
    this.queue.add(line)
    this.drawSoon()
  }

  /** What happens in one turn, such as many lines that are pasted or many messages that arrive, is drawn once. */
  private drawSoon(): void {
    if (this.drawing) return
    this.drawing = true
    setImmediate(() => {
      this.drawing = false
      this.erase()
      this.draw()
    })
  }

  private readonly pressed = (_: unknown, key: readline.Key | undefined): void => {
    // The shell has written since, where the line was drawn: `continued` comes next.
    if (key?.ctrl === true && key.name === "z") {
      this.drawn = undefined
      return
    }
    if (this.prompting && key?.ctrl === true && key.name === "l") {
      this.output.write(clearScreen)
      this.drawn = undefined
    }
    this.drawSoon()
  }

  /** A terminal breaks the line anew by itself, and the cursor goes along with its character. */
  private readonly resized = (): void => {
    this.measure()
    this.erase()
    this.draw()
  }

  /** The process was stopped by CTRL+Z, and goes on; Node's editor has paused. */
  private readonly continued = (): void => {
    this.editor.resume()
    this.draw()
  }

  private get columns(): number {
    const { output } = this
    return "columns" in output && typeof output.columns === "number" && output.columns > 0 ? output.columns : 80
  }

  private get rows(): number {
    const { output } = this
    return "rows" in output && typeof output.rows === "number" && output.rows > 0 ? output.rows : 24
  }

  /** Finds out where things stand that are drawn. */
  private measure(): Place {
    const { before, text } = this.drawn ?? nothingDrawn
    const cursor = endOf(before, this.columns)
    this.lastRow = endOf(text, this.columns).row
    this.cursorRow = cursor.row
    return cursor
  }

  /** Clears row by row what is drawn, and no more; the cursor is at the left edge of the first row then. */
  private erase(): void {
    if (this.drawn === undefined) return
    const rows = `${clearRow}${up(1)}`.repeat(this.lastRow)
    this.output.write(`${down(this.lastRow - this.cursorRow)}${rows}${clearRow}\r`)
    this.drawn = undefined
  }

  /** Draws the line from where the cursor stands, which is at the left edge. */
  private draw(): void {
    if (!this.prompting) return
    const { cursor, line } = this.editor
    const whole = { text: promptMark + visible(line), before: promptMark + visible(line.slice(0, cursor)) }
    // What has left the screen at the top can't be cleared. One row is for the last message, one for the cursor.
    this.drawn = windowOf(whole, this.columns, Math.max(1, this.rows - 2))
    const { text } = this.drawn
    const { column } = this.measure()
    // At the right edge a terminal waits for one more character before it goes on to the next row.
    const wrap = endOf(text, this.columns).column === 0 ? " " : ""
    this.output.write(`${text}${wrap}${up(this.lastRow - this.cursorRow)}\r${right(column)}`)
  }
}

const nothingDrawn = { text: "", before: "" }
