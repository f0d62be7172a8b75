/** Opens each page of the built site in Chromium, narrow and wide, light and dark: `npm run test:site`. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type Browser, chromium, type Page } from "playwright-core"
import { args, executablePath } from "../browser/chromium.ts"
import { fileOf, serve, type Served } from "./serve.ts"

const folder = fileURLToPath(new URL("../../site/dist/", import.meta.url))

/** The paths of all pages. What VitePress shows for an unknown path is none. */
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".html") && file !== "404.html")
  .map((file) => `/${file.replaceAll("\\", "/")}`)
  .toSorted()

const looks = [360, 1280].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({ colorScheme, width }))
)

let browser: Browser
let served: Served

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: [...args] })
  served = await serve(folder)
})

afterAll(async () => {
  await browser.close()
  served.close()
})

interface Shape {
  readonly headings: number
  /** Pixels by which the content is wider than the window. */
  readonly overflow: number
  readonly dark: boolean
}

const shapeOf = (page: Page): Promise<Shape> =>
  page.evaluate(`({
    headings: document.querySelectorAll("h1").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    dark: getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).every((part) => part < 128)
  })`)

describe("the site", () => {
  it("has the guide, the reference, the examples and the measurements", () => {
    for (const path of [
      "index",
      "effect",
      "api/index",
      "api/Socket",
      "examples",
      "performance",
      "bench",
      "conformance"
    ]) {
      assert.include(paths, `/${path}.html`)
    }
  })

  for (const { colorScheme, width } of looks) {
    it(`shows each page ${width} pixels wide in ${colorScheme} colours without an error or a scroll bar`, async () => {
      const context = await browser.newContext({ colorScheme, viewport: { height: 800, width } })
      const page = await context.newPage()
      const wrong: Array<string> = []
      let path = ""
      page.on("pageerror", (error) => wrong.push(`${path}: ${error.message}`))
      page.on("console", (message) => {
        if (message.type() === "error") wrong.push(`${path}: ${message.text()}`)
      })
      page.on("response", (response) => {
        if (response.status() >= 400) wrong.push(`${path}: ${response.status()} for ${response.url()}`)
      })
      for (path of paths) {
        await page.goto(`${served.url}${path}`, { waitUntil: "load" })
        const { dark, headings, overflow } = await shapeOf(page)
        if (headings !== 1) wrong.push(`${path}: ${headings} headings of the first level`)
        if (overflow > 0) wrong.push(`${path}: ${overflow} pixels too wide`)
        if (dark !== (colorScheme === "dark")) wrong.push(`${path}: not in ${colorScheme} colours`)
      }
      await context.close()
      assert.deepStrictEqual(wrong, [])
    })
  }

  it("finds a page by a word in it", async () => {
    const page = await browser.newPage({ viewport: { height: 800, width: 1280 } })
    await page.goto(served.url)
    await page.locator(".DocSearch-Button").click()
    await page.locator("#localsearch-input").fill("backpressure")
    await page.locator(".result").first().waitFor()
    await page.locator(".result").first().click()
    await page.waitForURL(/backpressure/)
    await page.close()
  })

  it("links to pages and headings that exist", () => {
    const ids = new Map<string, ReadonlySet<string>>()
    const idsOf = (file: string): ReadonlySet<string> => {
      const known = ids.get(file)
      if (known !== undefined) return known
      const found = new Set([...readFileSync(file, "utf8").matchAll(/ id="([^"]+)"/g)].map(([, id = ""]) => id))
      ids.set(file, found)
      return found
    }
    const wrong = new Set<string>()
    for (const path of paths) {
      for (const [, target = ""] of readFileSync(`${folder}${path}`, "utf8").matchAll(/<a [^>]*?href="([^"]+)"/g)) {
        const url = new URL(target.replaceAll("&amp;", "&"), `http://site${path}`)
        if (url.host !== "site") continue
        const file = fileOf(folder, url.pathname)
        if (file === undefined) wrong.add(`${path}: ${target}`)
        else if (url.hash !== "" && !idsOf(file).has(decodeURIComponent(url.hash.slice(1))))
          wrong.add(`${path}: ${target}`)
      }
    }
    assert.deepStrictEqual([...wrong], [])
  })
})
