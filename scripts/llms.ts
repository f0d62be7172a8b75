/** Writes llms.txt, the list of pages for language models, from the same contents as the site: `node scripts/llms.ts`. */
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { contents, root } from "./contents.ts"

const repository = "https://github.com/effect-ws/effect-ws/blob/main"

/** The first sentence after a page's heading, without links and marks. */
const aboutOf = (file: string): string => {
  const text = readFileSync(`${root}${file}`, "utf8").replaceAll(/<!--[^]*?-->/g, "")
  const [, paragraph = ""] = /^# .+\n+((?![#|]|```|- )[^]*?)(?:\n\n|$)/m.exec(text) ?? []
  const plain = paragraph.replaceAll("\n", " ").replaceAll(/\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?/g, "$1")
  return /^.*?[.:](?= |$)/.exec(plain)?.[0].replace(/:$/, ".") ?? plain
}

export const render = (): string => {
  const chapters = contents.map(({ pages, title }) => {
    const items = pages.map(({ file, title }) => {
      const about = aboutOf(file)
      return `- [${title}](${repository}/${file})${about === "" ? "" : `: ${about}`}`
    })
    return `## ${title}\n\n${items.join("\n")}`
  })
  const summary =
    "> WebSockets for Node on Effect 4: connections as Streams of typed messages and frames, scoped lifetimes, every draft of the protocol, as server and as client; the callback API of ws; and the command wscat."
  return `# effect-ws\n\n${summary}\n\nThe same files are in the npm package, under docs/ and examples/.\n\n${chapters.join("\n\n")}\n`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(`${root}llms.txt`, render())
