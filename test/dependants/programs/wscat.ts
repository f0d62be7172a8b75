/** The original wscat: as a client that prints what comes back, and as a server that a client talks to. */
import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { WebSocket, WebSocketServer } from "ws"
import { listen } from "./support.ts"

const wscat = new URL("../../../node_modules/wscat/bin/wscat", import.meta.url).pathname
const announcePort = new URL("../../support/announce-port.mjs", import.meta.url).href

/** Runs wscat as this program is run, so that its `ws` is ours too. */
const run = (...args: ReadonlyArray<string>) =>
  spawn(process.execPath, [...process.execArgv, "--import", announcePort, wscat, ...args])

/** Waits for a line that the pattern finds, on its way to a person. */
const line = async (lines: AsyncIterable<string>, pattern: RegExp): Promise<RegExpExecArray> => {
  for await (const text of lines) {
    const found = pattern.exec(text)
    if (found !== null) return found
  }
  throw new Error(`no line is like ${pattern.source}`)
}

const linesOf = (input: NodeJS.ReadableStream): AsyncIterable<string> => {
  const lines = createInterface(input)[Symbol.asyncIterator]()
  // Unlike those of readline, these go on after a loop was left
  return { [Symbol.asyncIterator]: () => ({ next: () => lines.next() }) }
}

const { port, server: web } = await listen()
const server = new WebSocketServer({ server: web })
server.on("connection", (socket, request) => {
  assert.equal(request.headers["x-test"], "yes")
  socket.on("message", (data: Buffer) => socket.send(`back: ${data.toString()}`))
})

const client = run("--connect", `127.0.0.1:${port}`, "--header", "X-Test:yes", "--slash", "--show-ping-pong")
client.stderr.pipe(process.stderr)
const printed = linesOf(client.stdout)
await once(server, "connection")
client.stdin.write("hello ✓\n")
await line(printed, /back: hello ✓$/)
client.stdin.write("/ping now\n")
await line(printed, /Received pong \(data: "now"\)$/)
const [socket] = server.clients
assert.ok(socket !== undefined)
const closed = once(socket, "close")
client.stdin.write("/close 4000 done\n")
assert.deepEqual(await closed, [4000, Buffer.from("done")])
await once(client, "close")
server.close()
web.close()

const host = run("--listen", "0")
const announced = linesOf(host.stderr)
await line(announced, /^effect-ws\/ws is the ws of node_modules\/wscat/)
const [, hostPort] = await line(announced, /^listening on (\d+)$/)
const heard = linesOf(host.stdout)
const visitor = new WebSocket(`ws://127.0.0.1:${hostPort}`)
await once(visitor, "open")
visitor.send("knock")
await line(heard, /knock$/)
const answer = once(visitor, "message")
host.stdin.write("come in\n")
assert.deepEqual(await answer, [Buffer.from("come in"), false])
host.stdin.end()
await once(visitor, "close")
await once(host, "close")
