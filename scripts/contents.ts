/** The pages of the documentation in the order in which they are listed: by the site, and by llms.txt. */
import { readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../", import.meta.url))

export interface Page {
  /** From the root of the repository. */
  readonly file: string
  /** The page's first heading. */
  readonly title: string
}

export interface Chapter {
  readonly title: string
  readonly pages: ReadonlyArray<Page>
}

const chapters: Readonly<Record<string, ReadonlyArray<string>>> = {
  Guide: ["effect", "server", "guarantees", "backpressure", "keepalive", "compression", "http2", "testing", "browser"],
  Topics: ["topics", "scaling"],
  "The ws API": ["migrating", "ws", "ws-legacy"],
  wscat: ["wscat", "wscat-cookbook"],
  "In production": ["deployment", "observability", "security", "threat-model", "reliability", "runtimes"],
  Reference: ["errors", "handshakes", "conformance", "versions"],
  Background: ["performance", "comparison", "architecture", "language"]
}

const documents = readdirSync(`${root}docs`).filter((file) => file.endsWith(".md"))

const named = new Set(Object.values(chapters).flat())

const titleOf = (file: string): string => {
  const [, title] = /^# (.+)$/m.exec(readFileSync(`${root}${file}`, "utf8")) ?? []
  if (title === undefined) throw new Error(`${file} has no heading`)
  return title.replaceAll("`", "")
}

const page = (file: string): Page => ({ file, title: titleOf(file) })

/** A page that no chapter names is listed last, so that none is left out. */
const more = documents.map((file) => basename(file, ".md")).filter((name) => !named.has(name))

export const contents: ReadonlyArray<Chapter> = [
  ...[...Object.entries(chapters), ["More", more] as const].map(([title, names]) => ({
    title,
    pages: names.filter((name) => documents.includes(`${name}.md`)).map((name) => page(`docs/${name}.md`))
  })),
  {
    title: "Examples and measurements",
    pages: ["examples/README.md", "bench/README.md", "test/conformance/README.md"].map(page)
  },
  {
    title: "Project",
    pages: ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(page)
  },
  {
    title: "API reference",
    pages: readdirSync(`${root}docs/api`)
      .filter((file) => file !== "README.md")
      .map((file) => page(`docs/api/${file}`))
  }
].filter(({ pages }) => pages.length > 0)
