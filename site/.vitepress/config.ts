import { readFileSync } from "node:fs"
import { defineConfig } from "vitepress"

const sidebar = JSON.parse(readFileSync(new URL("../pages/sidebar.json", import.meta.url), "utf8"))

/** GitHub's anchors, so that a link works there and here. */
const slugify = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- _]/gu, "")
    .replaceAll(" ", "-")

export default defineConfig({
  title: "effect-ws",
  description: "WebSockets for Node on Effect",
  srcDir: "pages",
  outDir: "dist",
  base: process.env["SITE_BASE"] ?? "/effect-ws/",
  lastUpdated: false,
  head: [["link", { rel: "icon", href: "data:," }]],
  markdown: { anchor: { slugify } },
  ignoreDeadLinks: [/conformance-report/],
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar,
    nav: [
      { text: "Guide", link: "/effect" },
      { text: "API", link: "/api/" },
      { text: "Examples", link: "/examples" },
      { text: "Performance", link: "/performance" }
    ],
    socialLinks: [{ icon: "github", link: "https://github.com/effect-ws/effect-ws" }],
    editLink: undefined,
    footer: { message: "MIT licence" }
  }
})
