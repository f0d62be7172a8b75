/**
 * What hostile bytes make a server keep: `npm run soak:memory`. Each attack goes to each server, one connection at a time;
 * the figure is what lives on the heap and in buffers afterwards, while the connection is still there or as it ended.
 */
import { once } from "node:events"
import * as net from "node:net"
import { encodeFrame } from "../../src/internal/protocol/hybi/encoder.ts"
import { liveBytes } from "./live.ts"
import { servers } from "./servers.ts"
import { upgradeHead } from "../support/upgrade.ts"

const masked = (opcode: number, fin: boolean, payload: Uint8Array, rsv = 0): Buffer =>
  encodeFrame(opcode, fin, rsv, payload, 0x3d21fa37)

const many = (count: number, frame: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => frame))

const nothing = new Uint8Array(0)
const one = new Uint8Array(1)

interface Attack {
  readonly name: string
  readonly bytes: Buffer
  /** Whether permessage-deflate is agreed on. */
  readonly compressed?: boolean
  /** Whether each byte is written by itself. */
  readonly singly?: boolean
  /** Whether what the server answers is read. Default `true`. */
  readonly reads?: boolean
}

const attacks: ReadonlyArray<Attack> = [
  { name: "nothing", bytes: Buffer.alloc(0) },
  {
    name: "16 000 fragments of one byte",
    bytes: Buffer.concat([masked(2, false, one), many(15_999, masked(0, false, one))])
  },
  {
    name: "120 000 fragments of one byte",
    bytes: Buffer.concat([masked(2, false, one), many(119_999, masked(0, false, one))])
  },
  {
    name: "16 000 empty fragments",
    bytes: Buffer.concat([masked(2, false, nothing), many(15_999, masked(0, false, nothing))])
  },
  {
    name: "60 000 empty fragments, RSV1",
    bytes: Buffer.concat([masked(2, false, nothing, 4), many(59_999, masked(0, false, nothing))]),
    compressed: true
  },
  {
    name: "20 000 bytes of a frame, one a packet",
    bytes: masked(2, true, Buffer.alloc(30_000)).subarray(0, 20_000),
    singly: true
  },
  { name: "half a message of 1 MiB", bytes: masked(2, true, Buffer.alloc(1024 * 1024)).subarray(0, 512 * 1024) },
  { name: "100 000 pings, answers unread", bytes: many(100_000, masked(9, true, Buffer.alloc(125))), reads: false },
  {
    name: "10 000 messages of 10 KiB, answers unread",
    bytes: many(10_000, masked(2, true, Buffer.alloc(10_240))),
    reads: false
  }
]

const request = upgradeHead()

const deflateRequest = upgradeHead({ fields: ["Sec-WebSocket-Extensions: permessage-deflate"] })

/** Writes until everything is out, or the other side takes no more for two seconds. */
const pour = async (socket: net.Socket, { bytes, singly = false }: Attack): Promise<void> => {
  const size = singly ? 1 : 64 * 1024
  for (let at = 0; at < bytes.length && !socket.destroyed && socket.writable; at += size) {
    const out = socket.write(bytes.subarray(at, at + size))
    if (singly) await new Promise((resolve) => setImmediate(resolve))
    if (out) continue
    const stuck = AbortSignal.timeout(2000)
    try {
      await once(socket, "drain", { signal: stuck })
    } catch {
      return
    }
  }
}

const measure = async (port: number, attack: Attack): Promise<string> => {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true })
  socket.on("error", () => {})
  socket.write(attack.compressed === true ? deflateRequest : request)
  await once(socket, "data")
  if (attack.reads === false) socket.pause()
  else socket.resume()
  const before = await liveBytes()
  await pour(socket, attack)
  await new Promise((resolve) => setTimeout(resolve, 200))
  // What our own side keeps is the same for all servers, and no fault of theirs.
  const kept = (await liveBytes()) - before - socket.writableLength
  const ended = socket.destroyed || socket.readableEnded
  socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  return `${(kept / 1024).toFixed(0)} KiB${ended ? ", ended" : ""}`
}

const rows = new Map(attacks.map(({ name }) => [name, [name]]))
const names = Object.keys(servers)
for (const start of Object.values(servers)) {
  const server = await start()
  for (const attack of attacks) {
    // Once to warm up.
    await measure(server.port, attack)
    rows.get(attack.name)?.push(await measure(server.port, attack))
  }
}
const width = Math.max(...attacks.map(({ name }) => name.length))
console.log(["".padEnd(width), ...names.map((name) => name.padEnd(18))].join("  "))
for (const [name = "", ...figures] of rows.values()) {
  console.log([name.padEnd(width), ...figures.map((figure) => figure.padEnd(18))].join("  "))
}
process.exit(0)
