// The server: options, listening, clients, and its end.
import { describe } from "@effect/vitest"
import { once } from "node:events"
import * as http from "node:http"
import type { Duplex } from "node:stream"
import { WebSocket, type WebSocketServer } from "ws"
import { attempt, closed, frame, type Lab, same, sameEach, settled, until } from "./lab.ts"

const observe = (lab: Lab, server: WebSocketServer, name = "server"): void => {
  for (const event of ["listening", "connection", "close", "error"]) server.on(event, () => lab.note(name, event))
}

describe("the constructor [server:constructor]", () => {
  const given: { readonly [name: string]: unknown } = {
    none: undefined,
    empty: {},
    "port and server": { port: 0, server: http.createServer() },
    "port and noServer": { port: 0, noServer: true },
    "server and noServer": { server: http.createServer(), noServer: true },
    "all three": { port: 0, server: http.createServer(), noServer: true },
    "a null port": { port: null },
    "an undefined port, no server": { port: undefined, noServer: true },
    "a bad port": { port: 70_000 },
    "noServer false": { noServer: false }
  }
  sameEach(
    "which options go together [server:options] [option:port] [option:server] [option:noServer]",
    Object.entries(given).map(
      ([name, options]) =>
        [
          name,
          (lab) => {
            lab.note(
              attempt(() => {
                const server: WebSocketServer = Reflect.construct(lab.lib.WebSocketServer, [options])
                const { WebSocket, ...rest } = server.options
                lab.note(WebSocket === lab.lib.WebSocket, Object.keys(rest).sort(), {
                  ...rest,
                  server: typeof rest.server
                })
                server.close()
                return "made"
              })
            )
          }
        ] as const
    )
  )
  same(
    "listens, and calls back [option:host] [option:backlog] [server-event:listening] [server:address]",
    async (lab) => {
      const server = new lab.lib.WebSocketServer({ port: 0, host: "127.0.0.1", backlog: 5 }, () => lab.note("callback"))
      observe(lab, server)
      lab.note(server.address())
      await once(server, "listening")
      const address = server.address()
      lab.note(typeof address === "object" && address !== null && [address.address, address.family, address.port > 0])
      server.close(() => lab.note("closed"))
      lab.note(server.address())
      await once(server, "close")
      lab.note(attempt(() => server.address()))
    }
  )
  same("an address in use [server-event:error]", async (lab) => {
    const { port } = await lab.server()
    const server = new lab.lib.WebSocketServer({ port, host: "127.0.0.1" })
    const [error] = await once(server, "error")
    lab.note(error.code, error.syscall)
  })
  same("a plain request gets 426 [server:426]", async (lab) => {
    const { port } = await lab.server()
    const response = await fetch(`http://127.0.0.1:${port}/`)
    lab.note(
      response.status,
      response.headers.get("content-type"),
      response.headers.get("content-length"),
      await response.text()
    )
  })
})

describe("the end [server:close] [server-event:close]", () => {
  same("waits for the clients", async (lab) => {
    const { client, remote, server } = await lab.pair()
    observe(lab, server)
    server.close((error) => lab.note("callback", error ?? "none"))
    lab.note(client.readyState, remote.readyState)
    await settled(5)
    client.close()
    await Promise.all([once(server, "close"), closed(client)])
    lab.note(server.clients.size)
  })
  same("twice, and once more when it is closed", async (lab) => {
    const { server } = await lab.server()
    observe(lab, server)
    server.close((error) => lab.note("first", error ?? "none"))
    server.close((error) => lab.note("second", error ?? "none"))
    await once(server, "close")
    server.close((error) => lab.note("third", error ?? "none"))
    lab.note("called")
    await once(server, "close")
  })
  for (const clientTracking of [true, false]) {
    same(
      `on a server of somebody's, clientTracking ${clientTracking} [option:clientTracking] [server:clients]`,
      async (lab) => {
        const { port, server: outer } = await lab.http((_, response) => response.end("plain"))
        const server = new lab.lib.WebSocketServer({ server: outer, clientTracking })
        observe(lab, server)
        lab.note(server.clients === undefined)
        const client = lab.client(port)
        await once(client, "open")
        lab.note(server.clients?.size)
        server.close(() => lab.note("callback"))
        lab.note(
          attempt(() => server.address()),
          outer.listenerCount("upgrade"),
          outer.listening
        )
        await settled(5)
        client.close()
        await closed(client)
        await settled(5)
        lab.note(server.clients?.size, await (await fetch(`http://127.0.0.1:${port}/`)).text())
      }
    )
  }
  same("without a server [server:address]", async (lab) => {
    const server = new lab.lib.WebSocketServer({ noServer: true })
    observe(lab, server)
    lab.note(attempt(() => server.address()))
    server.close(() => lab.note("callback"))
    lab.note("called")
    await once(server, "close")
  })
  same("a request that comes too late", async (lab) => {
    const { port, server: outer } = await lab.http()
    const server = new lab.lib.WebSocketServer({ noServer: true })
    outer.on("upgrade", (request, socket, head) => {
      server.close()
      server.handleUpgrade(request, socket, head, () => lab.note("connection"))
    })
    const raw = await lab.rawClient(port)
    lab.note(raw.head, raw.bytes)
    raw.socket.end()
    await settled()
  })
  same("events of an http server are passed on", async (lab) => {
    const outer = http.createServer()
    const server = new lab.lib.WebSocketServer({ server: outer })
    observe(lab, server)
    outer.emit("listening")
    server.on("error", (error) => lab.note(error))
    outer.emit("error", new Error("passed on"))
    server.close()
    await once(server, "close")
    lab.note(outer.eventNames())
  })
})

describe("by hand [server:handleUpgrade] [server:shouldHandle]", () => {
  same("twice for one socket", async (lab) => {
    const { port, server: outer } = await lab.http()
    const server = new lab.lib.WebSocketServer({ noServer: true })
    outer.on("upgrade", (request, socket, head) => {
      server.handleUpgrade(request, socket, head, (client, same) =>
        lab.note("first", client.readyState, same === request)
      )
      lab.note(attempt(() => server.handleUpgrade(request, socket, head, () => lab.note("second"))))
    })
    const client = lab.observe(lab.client(port), "client")
    await once(client, "open")
    await settled()
  })
  same("a socket that is gone already", async (lab) => {
    const { port, server: outer } = await lab.http()
    const server = new lab.lib.WebSocketServer({ noServer: true })
    const gone = new Promise<void>((resolve) => {
      outer.on("upgrade", (request, socket: Duplex, head) => {
        socket.destroy()
        server.handleUpgrade(request, socket, head, () => lab.note("connection"))
        lab.note(socket.destroyed)
        resolve()
      })
    })
    const client = lab.client(port)
    client.on("error", (error) => lab.note("error" in error, "code" in error && error.code))
    await Promise.all([gone, closed(client)])
  })
  same("shouldHandle is asked", async (lab) => {
    class Picky extends lab.lib.WebSocketServer {
      override shouldHandle(request: http.IncomingMessage): boolean {
        lab.note("asked", request.url)
        return request.url !== "/no"
      }
    }
    const server = new Picky({ port: 0, host: "127.0.0.1" })
    lab.after(() => server.close())
    await once(server, "listening")
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    for (const path of ["/yes", "/no"]) {
      const client = lab.observe(new lab.lib.WebSocket(`ws://127.0.0.1:${port}${path}`), path, "open", "error", "close")
      client.on("open", () => client.close())
      await closed(client)
    }
    const plain = new lab.lib.WebSocketServer({ noServer: true, path: "/a" })
    for (const url of ["/a", "/a?b", "/a/", "/b", ""])
      lab.note(url, plain.shouldHandle({ url } as http.IncomingMessage))
  })
  same("several servers on one, by path", async (lab) => {
    const { port, server: outer } = await lab.http()
    const servers = ["a", "b"].map((name) => {
      const server = new lab.lib.WebSocketServer({ noServer: true })
      server.on("connection", (socket, request) => socket.send(`${name} ${String(request.url)}`))
      return server
    })
    outer.on("upgrade", (request, socket, head) => {
      const server = servers[request.url === "/a" ? 0 : 1]
      server?.handleUpgrade(request, socket, head, (client) => server.emit("connection", client, request))
    })
    for (const path of ["/a", "/b"]) {
      const client = new lab.lib.WebSocket(`ws://127.0.0.1:${port}${path}`)
      const [data] = await once(client, "message")
      lab.note(String(data))
      client.terminate()
    }
  })
})

describe("sockets of another class [option:WebSocket]", () => {
  same("one that extends ours", async (lab) => {
    class Own extends lab.lib.WebSocket {
      own = "mine"
      override send(...args: Array<unknown>): void {
        lab.note("send", args[0])
        Reflect.apply(super.send, this, args)
      }
      override emit(event: string | symbol, ...args: Array<unknown>): boolean {
        lab.note("emit", event)
        return super.emit(event, ...args)
      }
    }
    const { port, server } = await lab.server({ WebSocket: Own as never })
    server.on("connection", (socket) => {
      lab.note(socket instanceof Own, Reflect.get(socket, "own"), socket.readyState)
      socket.send("hello")
    })
    const client = lab.client(port)
    await once(client, "message")
    client.close(4000)
    await closed(client)
    await settled()
  })

  same("that of ws, and its stream", async (lab) => {
    const { port, server } = await lab.server({ WebSocket })
    server.on("connection", (socket) => {
      lab.note(socket instanceof WebSocket, server.clients.has(socket))
      const stream = lab.lib.createWebSocketStream(socket)
      stream.pipe(stream)
    })
    const client = lab.client(port)
    await once(client, "open")
    client.send("hello")
    lab.note(...(await once(client, "message")).map(String))
    client.close(4000)
    lab.note(...(await once(client, "close")).map(String))
    await settled()
    lab.note(server.clients.size)
  })
})

describe("many clients", () => {
  same("a broadcast, and who is left [server:clients]", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => {
        for (const other of server.clients)
          if (other.readyState === lab.lib.WebSocket.OPEN) other.send(data, { binary: isBinary })
      })
    })
    const clients = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = lab.client(port)
        await once(client, "open")
        return client
      })
    )
    lab.note(server.clients.size, server.clients instanceof Set)
    const heard = Promise.all(clients.map((client) => once(client, "message")))
    clients[0]?.send("to all")
    lab.note((await heard).map(([data]) => String(data)))
    clients[1]?.close()
    clients[2]?.terminate()
    await until(() => server.clients.size <= 3)
    lab.note(server.clients.size)
  })
  same("a listener that throws", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    const errors: Array<unknown> = []
    const handlers = process.listeners("uncaughtException")
    process.removeAllListeners("uncaughtException")
    process.on("uncaughtException", (error) => errors.push(error.message))
    try {
      const gone = closed(socket)
      socket.on("close", () => {
        throw new Error("from a listener")
      })
      raw.socket.end(frame(0x88, "", { mask: true }))
      await gone
      await settled()
    } finally {
      process.removeAllListeners("uncaughtException")
      for (const handler of handlers) process.on("uncaughtException", handler)
    }
    lab.note(errors)
  })
})
