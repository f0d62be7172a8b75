/**
 * y-websocket's providers and a server that speaks the protocols of Yjs: two documents become the same, by way of
 * the server alone, and each knows who else is there.
 */
import * as decoding from "lib0/decoding"
import * as encoding from "lib0/encoding"
import assert from "node:assert/strict"
import { WebSocket, WebSocketServer } from "ws"
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness"
import { readSyncMessage, writeSyncStep1, writeUpdate } from "y-protocols/sync"
import { WebsocketProvider } from "y-websocket"
import * as Y from "yjs"
import { first, listen } from "./support.ts"

const sync = 0
const awareness = 1

/** A document that the server holds, and who is connected to it. */
class Room {
  readonly doc = new Y.Doc()
  readonly awareness = new Awareness(this.doc)
  /** The connections, with the clients that each has told of. */
  readonly connections = new Map<WebSocket, Set<number>>()

  constructor() {
    this.awareness.setLocalState(null)
    this.doc.on("update", (update: Uint8Array) => this.broadcast(sync, (encoder) => writeUpdate(encoder, update)))
    this.awareness.on(
      "update",
      ({ added, updated, removed }: Record<"added" | "updated" | "removed", Array<number>>, origin: unknown) => {
        const known = origin instanceof WebSocket ? this.connections.get(origin) : undefined
        for (const client of added) known?.add(client)
        const update = encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed])
        this.broadcast(awareness, (encoder) => encoding.writeVarUint8Array(encoder, update))
      }
    )
  }

  private broadcast(kind: number, write: (encoder: encoding.Encoder) => void): void {
    const message = messageOf(kind, write)
    for (const socket of this.connections.keys()) socket.send(message)
  }

  join(socket: WebSocket): void {
    socket.binaryType = "arraybuffer"
    this.connections.set(socket, new Set())
    socket.on("message", (data: ArrayBuffer) => this.read(socket, new Uint8Array(data)))
    socket.on("close", () => {
      const clients = [...(this.connections.get(socket) ?? [])]
      this.connections.delete(socket)
      removeAwarenessStates(this.awareness, clients, null)
    })
    socket.send(messageOf(sync, (encoder) => writeSyncStep1(encoder, this.doc)))
    const states = encodeAwarenessUpdate(this.awareness, [...this.awareness.getStates().keys()])
    socket.send(messageOf(awareness, (encoder) => encoding.writeVarUint8Array(encoder, states)))
  }

  private read(socket: WebSocket, message: Uint8Array): void {
    const decoder = decoding.createDecoder(message)
    if (decoding.readVarUint(decoder) === sync) {
      const encoder = encoding.createEncoder()
      encoding.writeVarUint(encoder, sync)
      readSyncMessage(decoder, encoder, this.doc, socket)
      if (encoding.length(encoder) > 1) socket.send(encoding.toUint8Array(encoder))
    } else {
      applyAwarenessUpdate(this.awareness, decoding.readVarUint8Array(decoder), socket)
    }
  }
}

const messageOf = (kind: number, write: (encoder: encoding.Encoder) => void): Uint8Array => {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, kind)
  write(encoder)
  return encoding.toUint8Array(encoder)
}

const { port, server: web } = await listen()
const server = new WebSocketServer({ server: web, perMessageDeflate: true })
const room = new Room()
server.on("connection", (socket, request) => {
  assert.equal(request.url, "/room?who=test")
  room.join(socket)
})

const connect = (): WebsocketProvider =>
  new WebsocketProvider(`ws://127.0.0.1:${port}`, "room", new Y.Doc(), {
    // The type is that of a browser's global constructor
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    params: { who: "test" }
  })

const synced = async (provider: WebsocketProvider): Promise<void> => {
  if (!provider.synced) await first((listener) => provider.once("sync", listener))
}

const one = connect()
await synced(one)
assert.ok(one.ws instanceof WebSocket)

/** Waits until a condition holds, which an event of this kind may bring about. */
const until = async (target: Y.Doc | Awareness, event: "update", holds: () => boolean): Promise<void> => {
  while (!holds()) await first((listener) => void (target as Y.Doc).once(event, listener))
}

// Changes before and after the other is there, the large one compressed
const text = one.doc.getText("text")
text.insert(0, "Hello")
const long = "word ".repeat(30_000)
const two = connect()
await synced(two)
const other = two.doc.getText("text")
await until(two.doc, "update", () => other.toJSON() === "Hello")
other.insert(5, `, ${long}`)
await until(one.doc, "update", () => text.toJSON() === `Hello, ${long}`)

// Both write at once, in many small messages
for (let index = 0; index < 200; index++) {
  text.insert(0, "a")
  other.insert(other.length, "z")
}
const isWhole = (value: string): boolean => value === `${"a".repeat(200)}Hello, ${long}${"z".repeat(200)}`
await until(one.doc, "update", () => isWhole(text.toJSON()))
await until(two.doc, "update", () => isWhole(other.toJSON()))
await until(room.doc, "update", () => isWhole(room.doc.getText("text").toJSON()))

// Who is there
const names = (provider: WebsocketProvider): ReadonlyArray<unknown> =>
  [...provider.awareness.getStates().values()].map((state) => state["name"]).toSorted()
one.awareness.setLocalState({ name: "one" })
two.awareness.setLocalState({ name: "two" })
await until(one.awareness, "update", () => names(one).join() === "one,two")
await until(two.awareness, "update", () => names(two).join() === "one,two")
two.destroy()
await until(one.awareness, "update", () => names(one).join() === "one")

// The connection is lost, and comes back by itself with what was written in between
for (const socket of server.clients) socket.terminate()
await first((listener) => one.once("connection-close", listener))
text.delete(0, text.length)
await synced(one)
await until(room.doc, "update", () => room.doc.getText("text").toJSON() === "")
one.destroy()
for (const doc of [one.doc, two.doc, room.doc]) doc.destroy()
server.close()
web.close()
