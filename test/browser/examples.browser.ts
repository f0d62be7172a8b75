/** Starts each example, and uses its page as a person would. */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core"
import { WebSocket } from "ws"
import { args, executablePath } from "./chromium.ts"
import { type Example, start } from "./example.ts"

/** The exit code of a program on Effect that was interrupted from the keyboard. */
const interrupted = 130

let browser: Browser
let context: BrowserContext
let example: Example
/** What went wrong in the pages. */
let wrong: Array<string> = []

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: [...args] })
})

afterAll(() => browser.close())

beforeEach(async () => {
  wrong = []
  context = await browser.newContext({ ignoreHTTPSErrors: true })
  context.setDefaultTimeout(30_000)
})

afterEach(async () => {
  await context.close()
  await example.stop()
  assert.deepStrictEqual(wrong, [])
})

const open = async (): Promise<Page> => {
  const page = await context.newPage()
  page.on("pageerror", (error) => wrong.push(error.message))
  page.on("console", (message) => {
    if (message.type() === "error") wrong.push(message.text())
  })
  await page.goto(example.url)
  return page
}

/** Waits until an element's text is what the pattern finds. */
const reads = (page: Page, selector: string, text: string | RegExp): Promise<void> =>
  page.locator(selector).filter({ hasText: text }).waitFor()

/** Opens a WebSocket in the page, and answers how it ends after these messages. */
const endOf = (page: Page, path: string, ...messages: ReadonlyArray<string>): Promise<unknown> =>
  page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace(/^http/, "ws") + ${JSON.stringify(path)})
    socket.onopen = () => ${JSON.stringify(messages)}.forEach((message) => socket.send(message))
    socket.onclose = ({ code, reason }) => resolve([code, reason])
  })`)

/** The status with which a client that is no browser is refused. */
const refusal = async (path: string, headers: Readonly<Record<string, string>>): Promise<number | undefined> => {
  const socket = new WebSocket(new URL(path, example.url.replace("http", "ws")), { headers })
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage]
  socket.on("error", () => {})
  socket.terminate()
  return response.statusCode
}

/** What the page says of a file before it sends it. */
const announce = (size: number): string => JSON.stringify({ name: "bytes", size })

describe("upload", () => {
  let folder = ""

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "effect-ws-uploads-"))
    example = await start("upload", { UPLOADS: folder })
  })

  afterEach(() => rmSync(folder, { recursive: true }))

  /** The pieces of a file as they are written, in bytes. */
  const part = 64 * 1024

  it("takes files whole, and tells how far they are", async () => {
    const page = await open()
    const progress: Array<number> = []
    page.on("websocket", (socket) => {
      socket.on("framereceived", ({ payload }) => {
        const { received } = JSON.parse(String(payload)) as { readonly received?: number }
        if (received !== undefined) progress.push(received)
      })
    })
    const content = randomBytes(50 * part + 1)
    await page.locator("#files").setInputFiles({ name: "bytes", mimeType: "", buffer: content })
    const hash = createHash("sha256").update(content).digest("hex")
    await reads(page, "li.done output", `3.3 MB, SHA-256 ${hash}`)
    assert.deepStrictEqual(progress, [...Array.from({ length: 51 }, (_, index) => index * part), content.length])
    assert.strictEqual(await page.evaluate(`document.querySelector("progress").position`), 1)

    const files = ["empty", "two"].map((name) => ({ name, mimeType: "", buffer: Buffer.from(name.slice(5)) }))
    await page.locator("#files").setInputFiles([...files, { name: "name", mimeType: "", buffer: Buffer.from("✓") }])
    await page.locator("li.done").nth(3).waitFor()
    const stored = readdirSync(folder).map((file) => readFileSync(join(folder, file)))
    assert.deepStrictEqual(
      stored.map(({ length }) => length).toSorted((a, b) => a - b),
      [0, 0, 3, content.length]
    )
    assert.isTrue(stored.some((file) => file.equals(content)))
  })

  it("forgets what was cancelled midway", async () => {
    const page = await open()
    // Only so many parts leave the page
    await page.evaluate(`{
      let left = 8
      const { send } = WebSocket.prototype
      WebSocket.prototype.send = function (data) {
        if (typeof data === "string" || left-- > 0) send.call(this, data)
      }
    }`)
    const buffer = randomBytes(80 * part)
    await page.locator("#files").setInputFiles({ name: "bytes", mimeType: "", buffer })
    await reads(page, "output", "524.3 kB of 5.2 MB")
    assert.strictEqual(await page.evaluate(`document.querySelector("progress").position`), 0.1)
    assert.lengthOf(readdirSync(folder), 1)
    await page.getByRole("button", { name: "Cancel" }).click()
    await reads(page, "li.failed output", "cancelled")
    assert.strictEqual(await example.stop(), interrupted)
    assert.deepStrictEqual(readdirSync(folder), [])
  })

  it("takes nothing that isn't as announced", async () => {
    const page = await open()
    const tooLarge = [1008, "a name, and a size of at most 104857600 bytes"]
    assert.deepStrictEqual(await endOf(page, "/upload", announce(100 * 1024 * 1024 + 1)), tooLarge)
    assert.deepStrictEqual(await endOf(page, "/upload", "no announcement"), tooLarge)
    assert.deepStrictEqual(await endOf(page, "/upload", announce(100 * 1024 * 1024), "text"), [
      1003,
      "a file's parts are binary"
    ])
    assert.strictEqual(await refusal("/upload", { origin: "http://elsewhere.example" }), 403)
    assert.strictEqual(await example.stop(), interrupted)
    assert.deepStrictEqual(readdirSync(folder), [])
  })
})

/** How many points each line of the charts has. */
const pointsOf = (page: Page): Promise<ReadonlyArray<number>> =>
  page.evaluate(
    `[...document.querySelectorAll("polyline")].map((line) => line.getAttribute("points").split(" ").length)`
  )

describe("statistics", () => {
  beforeEach(async () => {
    example = await start("statistics")
  })

  it("draws a sample every second, for all who watch", async () => {
    const one = await open()
    await reads(one, "#watchers", "1")
    await one.waitForFunction(`document.querySelector("polyline").getAttribute("points").split(" ").length >= 3`)
    const [processor = 0, resident, heap] = await pointsOf(one)
    assert.isAtLeast(processor, 3)
    assert.deepStrictEqual([resident, heap], [processor, processor])
    assert.match(await one.locator("#resident").innerText(), /^\d+\.\d MB$/)

    // Who comes later has what was drawn before
    const two = await open()
    await reads(two, "#watchers", /\d/)
    assert.isAtLeast((await pointsOf(two))[0] ?? 0, processor)
    await reads(one, "#watchers", "2")
    await two.close()
    await reads(one, "#watchers", "1")

    assert.deepStrictEqual(await endOf(one, "/samples", "a word"), [1009, ""])
    assert.strictEqual(await example.stop(), interrupted)
    await reads(one, "#state", "the server is gone; trying again")
  })
})

const say = async (page: Page, name: string, text: string): Promise<void> => {
  await page.locator("#name").fill(name)
  await page.locator("#text").fill(text)
  await page.getByRole("button").click()
}

describe("tls", () => {
  beforeEach(async () => {
    example = await start("tls")
  })

  it("lets people talk over TLS", async () => {
    assert.match(example.url, /^https:/)
    const [one, two] = [await open(), await open()]
    await reads(two, "#state", /^connected to wss:/)
    await say(one, "Ada", "Is anybody here?")
    await reads(two, "li", "Ada: Is anybody here?")
    await say(two, "Grace", "<b>I am ✓</b>")
    await reads(one, "li", "Grace: <b>I am ✓</b>")

    // Who comes later is told
    const three = await open()
    await three.locator("li").nth(1).waitFor()
    assert.deepStrictEqual(await three.locator("li strong").allInnerTexts(), ["Ada: ", "Grace: "])

    const refused = [1008, "a name and a text, neither of them long"]
    assert.deepStrictEqual(await endOf(one, "/chat", JSON.stringify({ name: "Ada", text: "" })), refused)
    assert.deepStrictEqual(await endOf(one, "/chat", JSON.stringify({ name: "A", text: "x".repeat(2001) })), refused)
    assert.strictEqual(await example.stop(), interrupted)
    await reads(one, "#state", "closed with 1001")
  })
})

describe("express", () => {
  beforeEach(async () => {
    example = await start("express")
  })

  it("counts votes before everyone's eyes", async () => {
    const [one, two] = [await open(), await open()]
    await reads(one, "#state", "0 votes, 2 watching")
    await one.getByRole("button", { name: "Tea" }).click()
    await two.getByRole("button", { name: "Tea" }).click()
    await two.getByRole("button", { name: "Water" }).click()
    for (const page of [one, two]) {
      await reads(page, "#state", "3 votes, 2 watching")
      assert.deepStrictEqual(await page.locator("output").allInnerTexts(), ["0", "2", "1"])
    }
    await two.close()
    await reads(one, "#state", "3 votes, 1 watching")

    assert.strictEqual((await fetch(new URL("/votes/Milk", example.url), { method: "POST" })).status, 404)
    assert.deepStrictEqual(await endOf(one, "/live", "a word"), [1009, ""])
    assert.strictEqual(await refusal("/live", { origin: "http://elsewhere.example" }), 401)
    assert.strictEqual(await refusal("/elsewhere", { origin: example.url.slice(0, -1) }), 400)
    assert.strictEqual(await example.stop(), 0)
    await reads(one, "#state", "closed with 1001")
  })
})

describe("http", () => {
  beforeEach(async () => {
    example = await start("http")
  })

  it("opens connections of either kind, for those who have a session", async () => {
    const page = await open()
    await reads(page, "#clock-state", /^connected to/)
    await page.waitForFunction(`(() => {
      window.seen ??= new Set()
      return window.seen.add(document.getElementById("clock").dateTime).size >= 3
    })()`)
    await page.locator("#text").fill("Grüße ✓")
    await page.getByRole("button").click()
    await reads(page, "li", "GRÜSSE ✓")

    const [session] = await context.cookies()
    const cookie = `session=${session?.value}`
    const origin = example.url.slice(0, -1)
    const elsewhere = "http://elsewhere.example"
    assert.strictEqual(await refusal("/clock", { origin }), 401)
    assert.strictEqual(await refusal("/shout", { origin, cookie: "session=none" }), 401)
    assert.strictEqual(await refusal("/clock", { origin: elsewhere, cookie }), 403)
    assert.strictEqual(await refusal("/shout", { origin: elsewhere, cookie }), 403)
    assert.strictEqual(await refusal("/other", { origin, cookie }), 404)
    assert.strictEqual(await example.stop(), interrupted)
    await reads(page, "#clock-state", "closed with 1001")
    await reads(page, "#shout-state", "closed with 1001")
  })
})
