// What becomes of a connection when a listener throws, or the process exits.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { assert, describe, it } from "@effect/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { WebSocketServer } from "effect-ws/ws"
import { closed, frame, Lab, libraries } from "./lab.ts"

const library = fileURLToPath(new URL("../../src/ws/index.ts", import.meta.url))

/** Runs a client in a process of its own, and answers what a server heard of it. */
const heard = async (lines: string): Promise<ReadonlyArray<unknown>> => {
  const log: Array<unknown> = []
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  const gone = new Promise<void>((resolve) => {
    server.on("connection", (socket) => {
      socket.on("message", (data) => log.push(String(data)))
      socket.on("close", (code) => {
        log.push(code)
        resolve()
      })
      socket.send("go")
    })
  })
  const program = `
    import { WebSocket } from ${JSON.stringify(library)}
    const socket = new WebSocket("ws://127.0.0.1:${port}")
    ${lines}
  `
  const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", program], { stdio: "ignore" })
  await Promise.all([gone, once(child, "exit")])
  server.close()
  return log
}

describe("a process that ends", () => {
  it("writes what it sent before it exits", async () => {
    assert.deepStrictEqual(
      await heard(
        `socket.on("open", () => { socket.send("a"); socket.send("b"); socket.close(4000); process.exit() })`
      ),
      ["a", "b", 4000]
    )
  })
  it("from inside of a read, too", async () => {
    assert.deepStrictEqual(await heard(`socket.on("message", () => { socket.send("a"); process.exit() })`), ["a", 1006])
  })
  it("and when an error ends it", async () => {
    assert.deepStrictEqual(await heard(`socket.on("message", () => { socket.send("a"); throw new Error("why") })`), [
      "a",
      1006
    ])
  })
})

describe("a listener that throws", () => {
  /** Runs with errors that nobody catches collected. */
  const collecting = async (body: () => Promise<void>): Promise<ReadonlyArray<string>> => {
    const errors: Array<string> = []
    const handlers = process.listeners("uncaughtException")
    process.removeAllListeners("uncaughtException")
    process.on("uncaughtException", (error) => errors.push(error.message))
    try {
      await body()
    } finally {
      process.removeAllListeners("uncaughtException")
      for (const handler of handlers) process.on("uncaughtException", handler)
    }
    return errors
  }
  for (const role of ["server", "client"] as const) {
    it(`${role}: the connection goes on with the next message, and what was sent leaves`, async () => {
      const lab = new Lab(libraries.ours)
      const seen: Array<string> = []
      const errors = await collecting(async () => {
        const { raw, socket } = role === "server" ? await lab.rawPair() : await lab.rawAccepted()
        socket.on("message", (data) => {
          seen.push(String(data))
          socket.send(`got ${String(data)}`)
          if (String(data) !== "fine") throw new Error(String(data))
        })
        const mask = role === "server"
        raw.socket.write(
          Buffer.concat([
            frame(0x81, "one", { mask }),
            frame(0x81, "fine", { mask }),
            frame(0x01, "t", { mask }),
            frame(0x80, "wo", { mask }),
            frame(0x81, "fine", { mask }),
            frame(0x88, "", { mask })
          ])
        )
        raw.socket.on("end", () => raw.socket.end())
        await closed(socket)
      })
      lab.end()
      assert.deepStrictEqual(seen, ["one", "fine", "two", "fine"])
      assert.deepStrictEqual(errors, ["one", "two"])
      assert.deepStrictEqual(
        lab.wire.map(([, , , payload]) => payload),
        ["Buffer got one", "Buffer got fine", "Buffer got two", "Buffer got fine", "Buffer ", undefined]
      )
    })
  }
  it("of write callbacks: the others are called all the same", async () => {
    const lab = new Lab(libraries.ours)
    const called: Array<number> = []
    const errors = await collecting(async () => {
      const { client } = await lab.pair()
      for (const number of [1, 2, 3]) {
        client.send("x", () => {
          called.push(number)
          if (number < 3) throw new Error(`number ${number}`)
        })
      }
      while (called.length < 3) await new Promise((resolve) => setImmediate(resolve))
    })
    lab.end()
    assert.deepStrictEqual(called, [1, 2, 3])
    assert.isAbove(errors.length, 0)
  })
})
