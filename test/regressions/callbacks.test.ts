// Programs on the API of ws that called back into it where only its own code used to call.
import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { PerMessageDeflate, Sender, WebSocket, WebSocketServer } from "effect-ws/ws"
import * as Original from "ws"

const program = fileURLToPath(new URL("programs/exitInDelivery.ts", import.meta.url))

describe("a process that exits in a listener", () => {
  for (const depth of [0, 1, 3]) {
    it(`writes what the listeners sent before, ${depth} deliveries deep`, () => {
      const output = execFileSync(process.execPath, [program, String(depth)], { encoding: "utf8" })
      const expected = Array.from({ length: depth + 1 }, (_, at) => `${at} wrote 8103627965`)
      assert.deepStrictEqual(output.trim().split("\n").toSorted(), expected)
    })
  }
})

interface Deflate {
  accept(configurations: ReadonlyArray<object>): unknown
  compress(data: Uint8Array, fin: boolean, callback: (error: Error | null, data: Buffer) => void): void
  decompress(data: Uint8Array, fin: boolean, callback: (error: Error | null, data: Buffer) => void): void
}

const deflates: Readonly<Record<string, new () => Deflate>> = {
  "effect-ws/ws": PerMessageDeflate as unknown as new () => Deflate,
  ws: (Original as unknown as { readonly PerMessageDeflate: new () => Deflate }).PerMessageDeflate
}

describe("PerMessageDeflate", () => {
  for (const [name, Deflate] of Object.entries(deflates)) {
    it(`is called again from its own callbacks: ${name}`, async () => {
      const deflate = new Deflate()
      deflate.accept([{}])
      const compress = (text: string, fin: boolean) =>
        new Promise<Buffer>((resolve) => deflate.compress(Buffer.from(text), fin, (_, data) => resolve(data)))
      const together = await new Promise<ReadonlyArray<Buffer>>((resolve) => {
        deflate.compress(Buffer.from("ab"), false, (_error, first) => {
          deflate.compress(Buffer.from("cd"), false, (_error, second) => {
            void compress("ef", true).then((third) => resolve([first, second, third]))
          })
        })
      })
      const texts: Array<string> = []
      await new Promise<void>((resolve) => {
        const next = (at: number): void => {
          const data = together[at]
          if (data === undefined) return resolve()
          deflate.decompress(data, at === together.length - 1, (_, text) => {
            texts.push(String(text))
            next(at + 1)
          })
        }
        next(0)
      })
      assert.strictEqual(texts.join(""), "abcdef")
    })
  }
})

describe("programs that override methods of a WebSocket", () => {
  it("are called for the answers to a ping and to a close frame", async () => {
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" })
    await once(server, "listening")
    const { port } = server.address() as AddressInfo
    const accepted = once(server, "connection")
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    const calls: Array<string> = []
    client.pong = (data: unknown) => calls.push(`pong ${String(data)}`)
    const { close } = client
    client.close = (code?: number, reason?: string | Buffer) => {
      calls.push(`close ${code} ${String(reason)}`)
      close.call(client, 4001)
    }
    const [socket] = (await accepted) as [WebSocket]
    await once(client, "open")
    socket.ping("hi")
    socket.close(4000, "bye")
    const [code] = (await once(socket, "close")) as [number]
    server.close()
    assert.deepStrictEqual([...calls, code], ["pong hi", "close 4000 bye", 4001])
  })
})

describe("Sender", () => {
  it("writes to a socket that has no more than write, cork and uncork", () => {
    const written: Array<Buffer> = []
    let called = 0
    const socket = {
      write: (bytes: Uint8Array, done?: (error?: Error | null) => void) => {
        written.push(Buffer.from(bytes))
        done?.()
      },
      cork: () => {},
      uncork: () => {}
    }
    const sender = new Sender(socket)
    sender.ping("hi", false, () => called++)
    sender.send("hello", { binary: false, compress: false, fin: true, mask: false }, () => called++)
    assert.strictEqual(Buffer.concat(written).toString("hex"), "89026869810568656c6c6f")
    assert.strictEqual(called, 2)
  })
})
