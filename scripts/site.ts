/**
 * Builds the documentation site into site/dist: `npm run docs:site`. The pages are those of the repository: a link between
 * two of them stays one on the site, a link to another file leads to the repository. VitePress fails on a dead link.
 */
import { execFileSync } from "node:child_process"
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { contents, root } from "./contents.ts"
import { report } from "./conformance-report.ts"

const repository = "https://github.com/effect-ws/effect-ws"

const site = join(root, "site")
const out = join(site, "pages")

/** Where a file of the repository is on the site, without `.md`. */
const addressOf = (file: string): string =>
  file === "README.md"
    ? "index"
    : file === "docs/api/README.md"
      ? "api/index"
      : file
          .replace(/\.md$/, "")
          .replace(/^([A-Z]+)$/, (name) => `project/${name.toLowerCase()}`)
          .replace(/^docs\//, "")
          .replace(/\/README$/, "")

const files = ["README.md", "docs/api/README.md", ...contents.flatMap(({ pages }) => pages.map(({ file }) => file))]

const addresses = new Map(files.map((file) => [file, addressOf(file)]))

const repositoryUrl = (file: string): string => {
  const path = join(root, file)
  if (!existsSync(path)) throw new Error(`a link leads to ${file}, which does not exist`)
  return `${repository}/${statSync(path).isDirectory() ? "tree" : "blob"}/main/${file}`
}

/** Where the first page's picture is for npm. */
const raw = "https://raw.githubusercontent.com/effect-ws/effect-ws/main/"

/** A link of a page as it is on the site. Absolute links to a page of the repository become links of the site, too. */
const rewrite = (from: string, target: string): string => {
  const own = target.startsWith(`${repository}/blob/main/`)
  if (!own && /^(?:[a-z]+:|#)/.test(target)) return target
  const [path = "", anchor] = (own ? target.slice(`${repository}/blob/main/`.length) : target).split("#")
  const file = own ? path : normalize(join(dirname(from), path)).replace(/\/$/, "")
  const address = addresses.get(file) ?? addresses.get(`${file}/README.md`)
  if (file.endsWith(".svg")) return `/pictures/${file.replaceAll("/", "-")}`
  return `${address === undefined ? repositoryUrl(file) : `/${address}`}${anchor === undefined ? "" : `#${anchor}`}`
}

/** Text outside of code: what follows a fence is left as it is. */
const outsideOfCode = (text: string, change: (text: string) => string): string =>
  text
    .split(/(^```[^]*?^```$|`[^`\n]+`)/m)
    .map((part, at) => (at % 2 === 0 ? change(part) : part))
    .join("")

const pictures = new Set<string>()

const render = (file: string): string => {
  const linked = readFileSync(join(root, file), "utf8")
    .replaceAll(/(!?\[(?:[^\]`]|`[^`]*`)*\])\(([^)\s]+)\)/g, (_, text: string, given: string) => {
      const target = given.startsWith(raw) ? relative(dirname(file), given.slice(raw.length)) : given
      if (target.endsWith(".svg") && !/^https?:/.test(target)) pictures.add(normalize(join(dirname(file), target)))
      return `${text}(${rewrite(file, target)})`
    })
    .replaceAll(/^(\[[^\]]+\]): (\S+)$/gm, (_, name: string, target: string) => `${name}: ${rewrite(file, target)}`)
  // What looks like an element is text: the pages have no HTML but comments.
  return outsideOfCode(linked, (text) => text.replaceAll(/<(?!!--)/g, "&lt;").replaceAll("{{", "&#123;&#123;"))
}

rmSync(out, { recursive: true, force: true })
for (const [file, address] of addresses) {
  const path = join(out, `${address}.md`)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, render(file))
}
const open = join(out, "public")
mkdirSync(join(open, "pictures"), { recursive: true })
for (const picture of pictures) {
  copyFileSync(join(root, picture), join(open, "pictures", picture.replaceAll("/", "-")))
}
writeFileSync(join(open, "conformance-report.html"), report())
cpSync(join(root, "llms.txt"), join(open, "llms.txt"))

const sidebar = contents.map(({ pages, title }) => ({
  text: title,
  collapsed: title === "API reference",
  items: pages.map(({ file, title }) => ({ text: title, link: `/${addresses.get(file)}` }))
}))
writeFileSync(join(site, "pages", "sidebar.json"), JSON.stringify(sidebar))

execFileSync(
  process.execPath,
  [join(site, "node_modules/vitepress/bin/vitepress.js"), "build", relative(process.cwd(), site)],
  {
    stdio: "inherit"
  }
)
