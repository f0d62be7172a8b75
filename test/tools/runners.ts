/** Test runners, without flags. */
import type { Cell, Group, Row } from "./cell.ts"
import { node, project, type ProjectOptions, tool, toolFolder, versionOf } from "./project.ts"

const exchanges = `
test("exchanges messages", async () => {
  expect(await exchange(WebSocket, WebSocket.Server)).toEqual(expected)
})
`

const throws = `
test("gets the stub for browsers", () => {
  expect(() => new WebSocket("ws://localhost")).toThrow("browser")
})
`

const requires = `
const WebSocket = require("ws")
const { exchange, expected } = require("./exchange.cjs")
`

const jest = (name: string, config: object, test: string, note?: string): Cell => ({
  ...(note === undefined ? {} : { note }),
  run: async () => {
    const folder = await project({ manifest: { jest: config }, files: { "echo.test.js": requires + test } })
    await node([tool(name, "jest"), "--ci"], { cwd: folder })
  }
})

const browserCondition =
  'jest-environment-jsdom resolves packages as for a browser, where the package, like `ws`, has a stub that throws: set `testEnvironmentOptions: { customExportConditions: ["node"] }`.'

const jestRow = (name: string): Row => {
  const testEnvironment = toolFolder(`${name}-environment-jsdom`)
  const asInNode = { testEnvironment, testEnvironmentOptions: { customExportConditions: ["node"] } }
  return {
    name: `Jest ${versionOf(name)}`,
    cells: [
      jest(name, {}, exchanges),
      jest(name, { testEnvironment }, throws, browserCondition),
      jest(name, asInNode, exchanges),
      undefined
    ]
  }
}

const vitest = (environment: string): Cell => ({
  run: async () => {
    const imports = `
import { expect, test } from "vitest"
import WebSocket, { WebSocketServer } from "ws"
import { exchange, expected } from "./exchange.cjs"
WebSocket.Server === WebSocketServer || expect.fail("two servers")
`
    const links: ProjectOptions["links"] = { vitest: "vitest", jsdom: "jsdom", "happy-dom": "happy-dom" }
    const folder = await project({ links, files: { "echo.test.mjs": imports + exchanges } })
    await node([tool("vitest"), "run", "--environment", environment], { cwd: folder, env: { CI: "1" } })
  }
})

export const runners = (): Group => ({
  title: "Test runners",
  columns: ["Node", "jsdom", "jsdom, resolving as Node", "happy-dom"],
  rows: [
    jestRow("jest29"),
    jestRow("jest30"),
    { name: `Vitest ${versionOf("vitest")}`, cells: [vitest("node"), vitest("jsdom"), undefined, vitest("happy-dom")] }
  ]
})
