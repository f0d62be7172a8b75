/** What the table of docs/migrating.md consists of. */

/** One way to use the package with one tool. */
export interface Cell {
  /** Fails when the tool doesn't do with the package what the table says. */
  readonly run: () => Promise<void>
  /** Why it doesn't work as it does elsewhere; `run` then holds that it is so. Default: it works. */
  readonly note?: string
}

/** A tool in one version: its cells in the order of the columns; `undefined` where there is nothing to try. */
export interface Row {
  readonly name: string
  readonly cells: ReadonlyArray<Cell | undefined>
}

/** Tools of one kind. */
export interface Group {
  readonly title: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<Row>
}
