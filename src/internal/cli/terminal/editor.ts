import * as readline from "node:readline"
import { PassThrough, Writable } from "node:stream"
import type { Shown } from "./format.ts"
import { type History, historySize } from "./history.ts"
import { type Drawing, endOf, graphemes, type Place, windowOf } from "./layout.ts"
import { LineQueue, type Lines } from "./lines.ts"
import type { CliStreams } from "./streams.ts"

const promptMark = "> "

/** What begins the further lines of a message that was entered. */
const continuationMark = "| "

const clearRow = "\u001B[2K"
const clearScreen = "\u001B[2J\u001B[H"

/** Makes the terminal mark what is pasted, so that its line feeds differ from keys (xterm's "bracketed paste"). */
const pasteOn = "\u001B[?2004h"
const pasteOff = "\u001B[?2004l"

/** Stands for a line feed in the line, which Node's editor would end there: a character of the private use area. */
const lineFeed = "\uE00A"

const up = (rows: number): string => (rows > 0 ? `\u001B[${rows}A` : "")

const down = (rows: number): string => (rows > 0 ? `\u001B[${rows}B` : "")

const right = (columns: number): string => (columns > 0 ? `\u001B[${columns}C` : "")

/** What is typed, with pictures for what would move the cursor. */
const visible = (line: string): string =>
  line
    .replaceAll(lineFeed, "\n")
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/[\0-\x1f]/g, (character) => String.fromCharCode(0x2400 + character.charCodeAt(0)))

/** Whether a text of several lines begins a JSON value that is not complete. */
export const isOpenJson = (text: string): boolean => {
  if (!text.includes("\n") || text.endsWith("\n\n") || !/^\s*[[{]/.test(text)) return false
  let depth = 0
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}]/gs)) {
    if (token === "{" || token === "[") depth++
    else if (token === "}" || token === "]") depth--
  }
  return depth > 0
}

/** A search in the history, from the latest line on. */
interface Search {
  readonly query: string
  /** The place of what was found in the history. */
  readonly at: number
}

/** Gives a terminal's raw mode to Node's editor, but none of its keys: these go through `Editor` first. */
class Keyboard extends PassThrough {
  readonly isTTY = true
  readonly setRawMode: (on: boolean) => void

  constructor(input: CliStreams["input"]) {
    super()
    this.setRawMode = (on) => {
      if ("setRawMode" in input && typeof input.setRawMode === "function") input.setRawMode(on)
    }
  }
}

/**
 * A line editor whose line stays below what is written above it. Node's own edits, and keeps the history; what is on
 * the screen is drawn here, so that it is known where the cursor stands.
 */
export class Editor {
  private readonly queue = new LineQueue()
  private readonly input: CliStreams["input"]
  private readonly output: CliStreams["output"]
  private readonly keyboard: Keyboard
  private readonly editor: readline.Interface
  private readonly history: History
  private readonly leave: () => void
  /** The history of this session and of those before, the latest line first. */
  private past: ReadonlyArray<string>
  /** What has been pasted so far, while a paste is under way. */
  private pasted: string | undefined = undefined
  private search: Search | undefined = undefined
  private prompting = false
  private drawing = false
  private drawn: Drawing | undefined = undefined
  /** The rows of its end and of the cursor, counted from the one of the prompt. */
  private lastRow = 0
  private cursorRow = 0

  /** `leave` is called when a person wants to quit: with CTRL+C, or CTRL+D. */
  constructor({ input, output }: CliStreams, history: History, leave: () => void) {
    this.leave = leave
    this.input = input
    this.output = output
    this.history = history
    this.past = history.lines.map((line) => line.replaceAll("\n", lineFeed))
    this.keyboard = new Keyboard(input)
    this.editor = readline.createInterface({
      input: this.keyboard,
      output: new Writable({ write: (_, __, done) => done() }),
      terminal: true,
      history: [...this.past],
      historySize,
      removeHistoryDuplicates: true
    })
    this.editor.on("line", (line) => this.entered(line))
    this.editor.on("history", (lines) => (this.past = [...lines]))
    this.editor.on("SIGINT", leave)
    this.editor.on("SIGCONT", this.continued)
    this.editor.on("close", this.left)
    readline.emitKeypressEvents(input, this.editor)
    input.on("keypress", this.pressed)
    input.on("end", this.left)
    input.resume()
    output.on("resize", this.resized)
  }

  get lines(): Lines {
    return this.queue.take
  }

  /** Shows the prompt, from now on. */
  begin(): void {
    if (!this.prompting) this.output.write(pasteOn)
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
    if (this.prompting) this.output.write(pasteOff)
    this.prompting = false
    this.input.off("keypress", this.pressed)
    this.input.off("end", this.left)
    this.input.pause()
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
    const text = line.replaceAll(lineFeed, "\n")
    if (this.prompting) {
      this.output.write(`${promptMark}${line.split(lineFeed).map(visible).join(`\n${continuationMark}`)}\n`)
    }
    this.queue.add(text)
    this.history.add(text)
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

  private readonly pressed = (text: string | undefined, key: readline.Key): void => {
    if (key.name === "paste-start") {
      this.pasted = ""
    } else if (this.pasted !== undefined) {
      if (key.name === "paste-end") this.paste(this.pasted)
      else this.pasted += text ?? key.sequence ?? ""
    } else if (this.search !== undefined) {
      this.searching(this.search, text, key)
    } else {
      this.edit(text, key)
    }
  }

  /** Inserts a text as it is: its line feeds are part of the message, the last one aside. */
  private paste(text: string): void {
    this.pasted = undefined
    this.search = undefined
    this.insert(text.replaceAll(/\r\n?/g, "\n").replace(/\n$/, "").replaceAll("\n", lineFeed))
  }

  private insert(text: string): void {
    this.editor.write(text)
    this.drawSoon()
  }

  private edit(text: string | undefined, key: readline.Key): void {
    const { ctrl = false, meta = false, name = "" } = key
    if (name === "return" || name === "enter") {
      if (meta || isOpenJson(this.editor.line.replaceAll(lineFeed, "\n"))) return this.insert(lineFeed)
    }
    if (ctrl && name === "r") {
      this.search = { query: "", at: -1 }
    } else {
      for (let count = this.units(key); count > 0; count--) this.editor.write(text ?? null, key)
    }
    // The shell has written since, where the line was drawn: `continued` comes next.
    if (ctrl && name === "z") {
      this.drawn = undefined
      return
    }
    if (this.prompting && ctrl && name === "l") {
      this.output.write(clearScreen)
      this.drawn = undefined
    }
    this.drawSoon()
  }

  /** How often Node's editor must be given a key that moves or deletes by one character: it counts code points. */
  private units({ ctrl, meta, name, shift }: readline.Key): number {
    if (ctrl === true || meta === true || shift === true) return 1
    const { cursor, line } = this.editor
    if (name === "left" || name === "backspace") {
      const [last] = [...graphemes.segment(line.slice(0, cursor))].slice(-1)
      return Math.max(1, [...(last?.segment ?? "")].length)
    }
    if (name === "right" || name === "delete") {
      for (const { segment } of graphemes.segment(line.slice(cursor))) return [...segment].length
    }
    return 1
  }

  /** A key during a search: it changes the search, or ends it. */
  private searching(search: Search, text: string | undefined, key: readline.Key): void {
    const { ctrl = false, meta = false, name = "" } = key
    const found = this.past[search.at]
    if (ctrl && name === "r") {
      this.search = this.find(search.query, search.at + 1) ?? search
    } else if (name === "backspace") {
      const query = [...search.query].slice(0, -1).join("")
      this.search = this.find(query, 0) ?? { query, at: -1 }
    } else if (name === "escape" || (ctrl && (name === "g" || name === "c"))) {
      this.search = undefined
    } else if (text !== undefined && !ctrl && !meta && /^[^\p{Cc}]+$/u.test(text)) {
      const query = search.query + text
      this.search = this.find(query, Math.max(0, search.at)) ?? { query, at: -1 }
    } else {
      this.search = undefined
      if (found !== undefined) this.replace(found)
      if (name === "return" || name === "enter") this.editor.write(null, { name: "return" })
      else this.edit(text, key)
    }
    this.drawSoon()
  }

  private find(query: string, from: number): Search | undefined {
    const at = query === "" ? -1 : this.past.findIndex((line, index) => index >= from && line.includes(query))
    return at < 0 ? undefined : { query, at }
  }

  private replace(line: string): void {
    this.editor.write(null, { ctrl: true, name: "e" })
    this.editor.write(null, { ctrl: true, name: "u" })
    this.editor.write(line)
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
    this.input.resume()
    if (this.prompting) this.output.write(pasteOn)
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

  /** What is to be drawn: the line, or the search and what it has found. */
  private content(): Drawing {
    if (this.search !== undefined) {
      const { at, query } = this.search
      const before = `search: ${visible(query)}`
      const found = this.past[at]
      return { before, text: found === undefined ? before : `${before}  ${visible(found)}` }
    }
    const { cursor, line } = this.editor
    return { text: promptMark + visible(line), before: promptMark + visible(line.slice(0, cursor)) }
  }

  /** Draws the line from where the cursor stands, which is at the left edge. */
  private draw(): void {
    if (!this.prompting) return
    // What has left the screen at the top can't be cleared. One row is for the last message, one for the cursor.
    this.drawn = windowOf(this.content(), this.columns, Math.max(1, this.rows - 2))
    const { text } = this.drawn
    const { column } = this.measure()
    // At the right edge a terminal waits for one more character before it goes on to the next row.
    const wrap = endOf(text, this.columns).column === 0 ? " " : ""
    this.output.write(`${text}${wrap}${up(this.lastRow - this.cursorRow)}\r${right(column)}`)
  }
}

const nothingDrawn = { text: "", before: "" }
