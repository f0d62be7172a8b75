// How connections end: close codes, states, and who ends the transport when.
import { describe } from "@effect/vitest"
import { once } from "node:events"
import { Duplex } from "node:stream"
import type { WebSocket } from "ws"
import { attempt, closed, frame, type Lab, same, sameEach, settled } from "./lab.ts"

const both = (client: WebSocket, remote: WebSocket): Promise<unknown> => Promise.all([closed(client), closed(remote)])

describe("the closing handshake [method:close] [event:close] [property:readyState]", () => {
  const args: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
    ["nothing", []],
    ["1000", [1000]],
    ["1000 with a reason", [1000, "bye"]],
    ["4999 with bytes", [4999, Buffer.from("grün")]],
    ["an empty reason", [1001, ""]],
    ["123 bytes of reason", [1001, "x".repeat(123)]],
    ["124 bytes of reason", [1001, "x".repeat(124)]],
    ["124 bytes in 62 characters", [1001, "ä".repeat(62)]],
    ["no code but a reason", [undefined, "why"]],
    ["a code that is a string", ["1000"]],
    ["null", [null]],
    ["a reason that is a number", [1000, 5]],
    ["a reason that is an object", [1000, {}]],
    ["a reason that is an array", [1000, [1, 2]]],
    ["null for a reason", [1000, null]],
    ...[0, 999, 1003, 1004, 1005, 1006, 1007, 1014, 1015, 1016, 2999, 3000, 5000, NaN].map(
      (code) => [String(code), [code]] as const
    )
  ]
  for (const side of ["client", "remote"] as const) {
    sameEach(
      `arguments, from the ${side === "remote" ? "server" : "client"}`,
      args.map(
        ([name, given]) =>
          [
            name,
            async (lab) => {
              const pair = await lab.pair()
              pair.client.on("close", (code, reason) => lab.note("client", code, reason, pair.client.readyState))
              pair.remote.on("close", (code, reason) => lab.note("server", code, reason, pair.remote.readyState))
              lab.note(
                attempt(() => Reflect.apply(pair[side].close, pair[side], given)),
                pair[side].readyState
              )
              if (pair[side].readyState === 1) pair[side].close(4444)
              await both(pair.client, pair.remote)
              lab.log.sort((a, b) => String(a[0]).localeCompare(String(b[0])))
            }
          ] as const
      )
    )
  }
  for (const role of ["server", "client"] as const) {
    const open = (lab: Lab): ReturnType<typeof lab.rawPair> => (role === "server" ? lab.rawPair() : lab.rawAccepted())
    const mask = role === "server"
    same(`${role}: the peer answers, and the transport ends`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      socket.close(4000, "why")
      lab.note(socket.readyState)
      socket.close(4001)
      await settled(5)
      raw.socket.write(frame(0x81, "still here", { mask }))
      await settled(5)
      raw.socket.write(frame(0x88, Buffer.from([0x0f, 0xa2]), { mask }))
      raw.socket.on("end", () => raw.socket.end())
      await closed(socket)
      lab.note(
        socket.readyState,
        attempt(() => socket.close()),
        attempt(() => socket.terminate())
      )
    })
    same(`${role}: the peer closes`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      raw.socket.write(frame(0x88, Buffer.concat([Buffer.from([0x0f, 0xa2]), Buffer.from("so")]), { mask }))
      raw.socket.on("end", () => raw.socket.end())
      await closed(socket)
    })
    same(`${role}: the peer ends without a close frame`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      raw.socket.end()
      await closed(socket)
      await raw.closed
    })
    same(`${role}: the peer ends where an answer is due`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      socket.close(1000)
      await settled(3)
      raw.socket.end()
      await closed(socket)
    })
    same(`${role}: the peer is gone`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      raw.socket.resetAndDestroy()
      await closed(socket)
    })
    same(`${role}: the peer never answers [option:closeTimeout]`, async (lab) => {
      const { socket } =
        role === "server"
          ? await lab.rawPair({ closeTimeout: 60 } as object)
          : await lab.rawAccepted({ closeTimeout: 60 } as object)
      lab.observe(socket, role)
      const start = performance.now()
      socket.close(1000)
      await closed(socket)
      const took = performance.now() - start
      lab.note(took > 50 && took < 1000)
    })
    same(`${role}: the peer answers, but never ends [option:closeTimeout]`, async (lab) => {
      const { raw, socket } =
        role === "server"
          ? await lab.rawPair({ closeTimeout: 60 } as object)
          : await lab.rawAccepted({ closeTimeout: 60 } as object)
      lab.observe(socket, role)
      raw.socket.write(frame(0x88, Buffer.from([0x03, 0xe8]), { mask }))
      await closed(socket)
    })
    same(`${role}: terminated [method:terminate]`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      socket.terminate()
      lab.note(socket.readyState)
      socket.terminate()
      socket.close()
      await closed(socket)
      raw.socket.end()
      await raw.closed
      lab.wire.length = 0
    })
    same(`${role}: terminated while it closes`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      socket.close(1000)
      socket.terminate()
      await closed(socket)
      raw.socket.end()
      await raw.closed
    })
    same(`${role}: sends in its last moments`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      const send = (name: string): void => socket.send(name, (error) => lab.note("callback", name, error ?? "none"))
      raw.socket.on("end", () => raw.socket.end())
      socket.on("message", () => {
        send("one")
        socket.close(4000)
        send("two")
      })
      socket.on("close", () => send("three"))
      raw.socket.write(Buffer.concat([frame(0x81, "a", { mask }), frame(0x88, "", { mask })]))
      await closed(socket)
      await settled()
    })
    same(`${role}: the peer breaks the protocol after we closed`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      socket.close(4000)
      raw.socket.on("end", () => raw.socket.end())
      raw.socket.write(frame(0x83, "a", { mask }))
      await closed(socket)
    })
    same(`${role}: the peer breaks the protocol, and answers our close frame`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      raw.socket.on("end", () => raw.socket.end())
      raw.socket.write(Buffer.concat([frame(0x83, "a", { mask }), frame(0x88, Buffer.from([0x03, 0xea]), { mask })]))
      await closed(socket)
    })
    same(`${role}: closed by an error listener`, async (lab) => {
      const { raw, socket } = await open(lab)
      lab.observe(socket, role)
      raw.socket.on("end", () => raw.socket.end())
      socket.on("error", () => {
        socket.close(4000)
        socket.send("too late", (error) => lab.note("send", error))
        socket.terminate()
      })
      raw.socket.write(frame(0x83, "a", { mask }))
      await closed(socket)
      await settled()
    })
  }
  same("both at once", async (lab) => {
    const { client, remote } = await lab.pair()
    client.on("close", (code, reason) => lab.note("client", code, reason))
    remote.on("close", (code, reason) => lab.note("server", code, reason))
    client.close(4001, "client")
    remote.close(4002, "server")
    await both(client, remote)
    lab.log.sort((a, b) => String(a[0]).localeCompare(String(b[0])))
  })
  same("behind everything that was sent", async (lab) => {
    const { client, remote } = await lab.pair()
    let size = 0
    remote.on("message", (data) => (size += (data as Buffer).length))
    for (let count = 0; count < 100; count++) client.send(Buffer.alloc(100_000))
    client.close(4000)
    await both(client, remote)
    lab.note(size)
  })
  same("whether it was clean [event:CloseEvent]", async (lab) => {
    const first = await lab.pair()
    const second = await lab.pair()
    for (const [name, socket] of [
      ["clean", first.client],
      ["clean, server", first.remote],
      ["lost", second.client],
      ["lost, server", second.remote]
    ] as const) {
      socket.addEventListener("close", (event) => lab.note(name, event.wasClean, event.code, event.reason))
    }
    first.client.close(4000, "why")
    await both(first.client, first.remote)
    second.client.terminate()
    await both(second.client, second.remote)
    lab.log.sort((a, b) => String(a[0]).localeCompare(String(b[0])))
  })
})

describe("a socket of the caller's [method:setSocket]", () => {
  same("any duplex stream", async (lab) => {
    const written: Array<string> = []
    const duplex = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _, done) => {
        written.push(chunk.toString("latin1"))
        done()
      }
    })
    const socket = Reflect.construct(lab.lib.WebSocket, [
      null,
      undefined,
      { autoPong: true, closeTimeout: 1000, maxPendingAutoPongs: 60 }
    ])
    lab.observe(socket, "socket")
    socket.setSocket(duplex, Buffer.from([0x81, 0x80, 0, 0, 0, 0]), { maxPayload: 100, allowSynchronousEvents: true })
    lab.note(socket.readyState, socket._isServer)
    duplex.push(frame(0x89, "a", { mask: true }))
    await once(socket, "ping")
    socket.send("b")
    await settled()
    duplex.push(frame(0x88, Buffer.from([0x03, 0xe8]), { mask: true }))
    duplex.push(null)
    await closed(socket)
    lab.note(Buffer.from(written.join(""), "latin1"))
  })
})
