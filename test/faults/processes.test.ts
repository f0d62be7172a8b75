import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Server } from "effect-ws"
import * as ws from "effect-ws/ws"
import * as legacy from "effect-ws/ws/legacy"
import { once } from "node:events"
import * as net from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { Bystander, connect, type Running, serve, type ServerSettings } from "./faces.ts"
import type { Voice } from "./list.ts"
import { Side } from "./processes.ts"
import { run, watched } from "./watch.ts"

const faces = ["Effect", "ws", "legacy"] as const

/** How a connection ends whose peer is gone without a word; which of the two, the system's leftovers decide. */
const lost: { readonly [F in (typeof faces)[number]]: RegExp } = {
  Effect: /^ConnectionClosed 1006 Transport(Ended|Failed)$/,
  ws: /^close 1006$/,
  legacy: /^close 1000$/
}

const until = async (holds: () => boolean, what: string): Promise<void> => {
  for (const end = performance.now() + 5000; !holds();) {
    if (performance.now() > end) throw new Error(`never: ${what}`)
    await sleep(2)
  }
}

const first = <A>([one]: ReadonlyArray<A>): A => {
  if (one === undefined) throw new Error("there is none")
  return one
}

/** Servers of all faces, each with a bystander. */
const withServers = (
  settings: ServerSettings,
  use: (servers: ReadonlyArray<readonly [face: Voice, server: Running, bystander: Bystander]>) => Promise<void>
): Promise<void> =>
  watched(async () => {
    const servers = await Promise.all(
      faces.map(async (face) => {
        const server = await serve[face](settings)
        const bystander = new Bystander(face, server.port)
        await bystander.check()
        return [face, server, bystander] as const
      })
    )
    await watched(() => use(servers), { lookFor: 2 * (settings.keepAlive ?? 0) })
    for (const [, server, bystander] of servers) {
      await bystander.check()
      await bystander.leave()
      await server.stop()
    }
  })

describe("a process on the other side", () => {
  it("that is killed", () =>
    withServers({}, async (servers) => {
      const count = 20
      const clients = servers.map(([face, { port }]) => ({ face, port, count }))
      const side = new Side("side", { servers: faces, clients })
      const ports = (await side.said("ports")) as ReadonlyArray<number>
      await side.said("open")
      const ours = await Promise.all(
        faces.map(async (face, index) => {
          const answered = Promise.withResolvers<void>()
          const client = connect[face](ports[index] ?? 0, { path: "/", answered: () => answered.resolve() })
          await answered.promise
          return [face, client] as const
        })
      )
      await side.kill()
      for (const [face, client] of ours) {
        await client.over
        assert.deepStrictEqual(client.told.slice(0, 2), ["open", "message hello"])
        assert.match(client.told[2] ?? "", lost[face])
      }
      for (const [face, server, bystander] of servers) {
        await bystander.check()
        const told = Array.from({ length: count }, (_, index) => server.told(`/${index}`))
        await until(() => told.every((each) => each.length === 3), `all are told: ${face}`)
        for (const each of told) {
          assert.deepStrictEqual(each.slice(0, 2), ["open", "message hello"])
          assert.match(each[2] ?? "", lost[face])
        }
      }
    }))

  it("that stands still, is found by keepalive", () =>
    withServers({ keepAlive: 300 }, async (servers) => {
      const [, server, bystander] = first(servers)
      const clients = [{ face: "Effect", port: server.port, count: 1 }]
      const side = new Side("side", { servers: ["Effect"], clients })
      const [port = 0] = (await side.said("ports")) as ReadonlyArray<number>
      await side.said("open")
      const client = connect.Effect(port, { path: "/", keepAlive: 300, answered: () => side.child.kill("SIGSTOP") })
      await client.over
      await until(() => server.told("/0").length === 3, "it is found")
      const told = ["open", "message hello", "ConnectionClosed 1006 KeepAliveTimeout"]
      assert.deepStrictEqual([client.told, server.told("/0")], [told, told])
      await bystander.check()
      await side.kill()
    }))
})

/** Opens a bare connection, and answers whether the server takes it. */
const knock = (port: number): Promise<net.Socket | undefined> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.on("error", () => {})
    socket.on("close", () => resolve(undefined))
    socket.write(
      "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    socket.on("data", () => resolve(socket))
  })

/** Most files that a process may open: its own dozens, and a few connections. */
const limit = 64

describe("a process that may open no more files", () => {
  it("serves those that it has, and new ones when others leave", () =>
    watched(async () => {
      const side = new Side("side", { servers: faces, clients: [] }, limit)
      const ports = (await side.said("ports")) as ReadonlyArray<number>
      for (const [index, face] of faces.entries()) {
        const port = ports[index] ?? 0
        const bystander = new Bystander(face, port)
        await bystander.check()
        const knocks: Array<net.Socket | undefined> = []
        for (let count = 0; count < limit; count++) knocks.push(await knock(port))
        const open = knocks.filter((socket) => socket !== undefined)
        assert.isAbove(open.length, 10, face)
        assert.isBelow(open.length, limit - 10, face)
        await bystander.check()
        for (const socket of open) socket.destroy()
        let again: net.Socket | undefined
        await until(() => {
          void knock(port).then((socket) => {
            if (again === undefined) again = socket
            else socket?.destroy()
          })
          return again !== undefined
        }, `there is room again: ${face}`)
        again?.destroy()
        await bystander.check()
        await bystander.leave()
      }
      assert.lengthOf(side.lines, 2)
      await side.kill()
    }))

  it("opens those that it can, as a client", () =>
    withServers({}, async (servers) => {
      const plan = servers.map(([face, { port }]) => [face, port])
      const side = new Side("starved", plan, limit)
      for (const face of faces) {
        const told = (await side.said(face)) as ReadonlyArray<string>
        const failures = told.filter((each) => each !== "open")
        assert.isAbove(told.length - failures.length, 10, face)
        assert.isAbove(failures.length, 10, face)
        for (const failure of failures) assert.match(failure, /EMFILE/, face)
        assert.strictEqual(told.at(-1), "open", face)
      }
      assert.lengthOf(side.lines, faces.length)
      await side.kill()
    }))
})

describe("a port that is in use", () => {
  it("the Effect face: a ServerError", () =>
    watched(async () => {
      const server = await serve.Effect()
      const error = await run(Effect.flip(Effect.scoped(Server.make({ host: "127.0.0.1", port: server.port }))))
      assert.deepInclude(error.reason, { _tag: "ListenFailed", code: "EADDRINUSE" })
      const bystander = new Bystander("Effect", server.port)
      await bystander.check()
      await bystander.leave()
      await server.stop()
    }))

  for (const [face, Lib] of [
    ["ws", ws.WebSocketServer],
    ["legacy", legacy.Server]
  ] as const) {
    it(`the ${face} face: an error event`, () =>
      watched(async () => {
        const server = await serve[face]()
        const second = new Lib({ host: "127.0.0.1", port: server.port })
        const [error] = await once(second, "error")
        assert.strictEqual(error.code, "EADDRINUSE")
        second.close()
        const bystander = new Bystander(face, server.port)
        await bystander.check()
        await bystander.leave()
        await server.stop()
      }))
  }
})
