/**
 * A vote with Express 5 and the API of `ws`: votes come in by HTTP, and everyone who looks on is told of each over a
 * WebSocket on the same port.
 *
 * `node examples/express/server.ts`; PORT comes from the environment.
 */
import { WebSocket, WebSocketServer } from "effect-ws/ws"
import express from "express"
import { createServer, type IncomingMessage } from "node:http"
import { readPage } from "../page.ts"

const votes = new Map(["Coffee", "Tea", "Water"].map((choice) => [choice, 0]))

const tally = (): string => JSON.stringify({ votes: Object.fromEntries(votes), watching: watchers.clients.size })

const tellAll = (): void => {
  const message = tally()
  for (const watcher of watchers.clients) if (watcher.readyState === WebSocket.OPEN) watcher.send(message)
}

const app = express()

const page = readPage(import.meta.url)

app.get("/", (_, response) => response.type("html").send(page))

app.post("/votes/:choice", (request, response) => {
  const count = votes.get(request.params.choice)
  if (count === undefined) {
    response.status(404).json({ error: "there is no such choice" })
    return
  }
  votes.set(request.params.choice, count + 1)
  response.sendStatus(204)
  tellAll()
})

const server = createServer(app)

const watchers = new WebSocketServer({
  server,
  path: "/live",
  // Pages have nothing to say here
  maxPayload: 1,
  // Like `ws`, this API takes every origin unless it is told otherwise
  verifyClient: ({ origin, req }: { origin: string; req: IncomingMessage }) => origin === `http://${req.headers.host}`
})

watchers.on("connection", (watcher) => {
  watcher.on("error", (error) => console.error("a watcher was cut off:", error.message))
  watcher.on("close", tellAll)
  tellAll()
})

server.listen(Number(process.env["PORT"] ?? 8080), "localhost", () => {
  const address = server.address()
  if (typeof address === "object") console.log(`http://localhost:${address?.port}/ is the vote`)
})

process.once("SIGINT", () => {
  for (const watcher of watchers.clients) watcher.close(1001)
  watchers.close()
  server.close()
})
