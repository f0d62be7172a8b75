import { readFileSync } from "node:fs"

const style = readFileSync(new URL("style.css", import.meta.url), "utf8")

/** The page beside an example's module, with the style sheet of all examples in it: one request is enough to show it. */
export const readPage = (module: string, file = "page.html"): string =>
  readFileSync(new URL(file, module), "utf8").replace(
    `<link rel="stylesheet" href="../style.css" />`,
    () => `<style>\n${style}</style>`
  )
