/** The demo's dashboard, in a browser: what it draws is what the server counts. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Browser, chromium, type Page } from "playwright-core"
import { args, executablePath } from "./chromium.ts"
import { type Example, start } from "./example.ts"

let browser: Browser
let example: Example
let page: Page
/** What went wrong in the page. */
const wrong: Array<string> = []

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: [...args] })
  example = await start("demo")
  page = await browser.newPage()
  page.on("pageerror", (error) => wrong.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text())
  })
  await page.goto(new URL("/metrics", example.url).href)
})

afterAll(async () => {
  await browser.close()
  await example.stop()
})

/** The text of a tile, once it is what the pattern finds. */
const tile = async (name: string, text: RegExp): Promise<void> =>
  page.locator("dl div", { hasText: name }).locator("dd").filter({ hasText: text }).waitFor()

/** A row of a table, by its cells. */
const row = (...cells: ReadonlyArray<string>) => page.getByRole("row", { name: cells.join(" "), exact: true })

describe("the dashboard", () => {
  it("shows the connection that feeds it, and those of its traffic", async () => {
    await tile("Connections", /^1$/)
    await row("accepted", "1").waitFor()
    await page.getByRole("button", { name: "Make traffic" }).click()
    await tile("Connections", /^9$/)
    await tile("Messages in", /^[1-9]/)
    await tile("Messages out", /^[1-9]/)
    await row("accepted", "9").waitFor()
    await page.getByRole("button", { name: "Stop traffic" }).click()
    await tile("Connections", /^1$/)
    await row("1000", "the client", "7").waitFor()
    await row("4000", "the client", "1").waitFor()
  })

  it("draws a line for each series, and says what stands where one points", async () => {
    const chart = page.locator("figure", { hasText: "Connections" }).locator("svg")
    await page.locator("figure", { hasText: "Messages per second" }).locator("polyline").nth(1).waitFor()
    const drawn = await chart.locator("polyline").getAttribute("points")
    assert.isAbove((drawn ?? "").split(" ").length, 2)
    assert.strictEqual(await chart.getAttribute("aria-label"), "Connections: open 1")
    // Where the line is highest there were nine; it moves on while one looks.
    const labels = new Set<string | null>()
    let tries = 0
    while (!labels.has("Connections: open 9") && tries++ < 20) {
      const points = ((await chart.locator("polyline").getAttribute("points")) ?? "").split(" ")
      const [x = 0] =
        points.map((point) => point.split(",").map(Number)).toSorted(([, a = 0], [, b = 0]) => a - b)[0] ?? []
      await chart.hover({ position: { x, y: 20 } })
      labels.add(await chart.getAttribute("aria-label"))
    }
    assert.include([...labels], "Connections: open 9")
    assert.deepStrictEqual(wrong, [])
  })

  it("goes on when the server has been away", async () => {
    const { port } = new URL(example.url)
    await example.stop()
    await page.locator("#state", { hasText: "trying again" }).waitFor()
    example = await start("demo", { PORT: port })
    await page.locator("#state", { hasText: "live" }).waitFor()
    await row("accepted", "1").waitFor()
  })
})
