// Credentials and redirects.
import { assert, describe } from "@effect/vitest"
import { Effect } from "effect"
import { Socket } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import { rmSync } from "node:fs"
import * as http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { hold } from "./hold.ts"

/** Asks a server that redirects; gives the headers with which the place that it names was asked. */
const redirected = async (
  location: (target: number) => string,
  listen: { readonly path?: string } = {},
  connect: (url: string) => Promise<void>
): Promise<http.IncomingHttpHeaders | undefined> => {
  let seen: http.IncomingHttpHeaders | undefined
  const target = http.createServer().on("upgrade", (request, socket) => {
    seen = request.headers
    socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n")
  })
  target.listen(0, "127.0.0.1")
  await once(target, "listening")
  const address = target.address()
  const targetPort = typeof address === "object" && address !== null ? address.port : 0
  const first = http.createServer().on("upgrade", (_, socket) => {
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location(targetPort)}\r\nConnection: close\r\n\r\n`)
  })
  if (listen.path === undefined) first.listen(0, "127.0.0.1")
  else first.listen(listen.path)
  await once(first, "listening")
  const where = first.address()
  try {
    await connect(
      typeof where === "string"
        ? `ws+unix:${where}:/`
        : `ws://user:secret@127.0.0.1:${where === null ? 0 : where.port}/`
    )
    return seen
  } finally {
    for (const server of [first, target]) {
      server.closeAllConnections()
      server.close()
    }
    if (listen.path !== undefined) rmSync(listen.path, { force: true })
  }
}

describe("ws#2013", () => {
  const id = "ws#2013"

  const headers = { Cookie: "session=1", Authorization: "Bearer secret", "X-Kept": "yes" }

  const effectConnect = (url: string): Promise<void> =>
    Effect.runPromise(
      Effect.asVoid(Effect.exit(Effect.scoped(Socket.connect(url, { headers, maxRedirects: 3, auth: "user:secret" }))))
    )

  const wsConnect = (url: string): Promise<void> =>
    new Promise((resolve) => {
      const client = new ws.WebSocket(url, { headers, followRedirects: true, auth: "user:secret" })
      client.on("error", () => {})
      client.on("close", () => resolve())
    })

  const connects = { Effect: effectConnect, ws: wsConnect }
  for (const face of ["Effect", "ws"] as const) {
    hold(id, face, "another host, or another port, gets no credentials", async () => {
      const seen = await redirected((port) => `ws://127.0.0.1:${port}/`, {}, connects[face])
      assert.strictEqual(seen?.["x-kept"], "yes")
      assert.isUndefined(seen?.authorization)
      assert.isUndefined(seen?.cookie)
    })

    hold(id, face, "out of a Unix socket no credentials go", async () => {
      const path = join(tmpdir(), `effect-ws-${face}-${process.pid}.sock`)
      const seen = await redirected((port) => `ws://127.0.0.1:${port}/`, { path }, connects[face])
      assert.strictEqual(seen?.["x-kept"], "yes")
      assert.isUndefined(seen?.authorization)
      assert.isUndefined(seen?.cookie)
    })
  }

  hold(id, "legacy", "a redirect isn't followed", async () => {
    let told: unknown
    const seen = await redirected(
      (port) => `ws://127.0.0.1:${port}/`,
      {},
      (url) =>
        new Promise((resolve) => {
          const client = new legacy.WebSocket(url, { headers })
          client.on("error", (error) => {
            told = error
            // Whoever followed would be there by now.
            setTimeout(resolve, 100)
          })
        })
    )
    assert.match(String(told), /302/)
    assert.isUndefined(seen)
  })

  hold(id, "Effect", "a server can't send a client to a Unix socket", async () => {
    const path = join(tmpdir(), `effect-ws-inner-${process.pid}.sock`)
    let reached = false
    const inner = http.createServer().on("upgrade", (_, socket) => {
      reached = true
      socket.destroy()
    })
    inner.listen(path)
    await once(inner, "listening")
    try {
      await redirected(() => `ws+unix:${path}:/`, {}, effectConnect)
      assert.isFalse(reached)
    } finally {
      inner.close()
    }
  })
})
