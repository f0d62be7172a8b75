// What every measured client has in common. Runs on Node, Bun and Deno.
import process from "node:process"
import type { Compression } from "../workload/frames.ts"
import { makeCycle, type Payload } from "../workload/payload.ts"

/** What a client is to do. */
export interface ClientMode {
  readonly port: number
  readonly secure: boolean
  readonly kind: "echo" | "handshakes" | "idle"
  readonly connections: number
  /** Messages that each connection keeps under way. */
  readonly depth: number
  readonly payload: Payload
  readonly compression: Compression
}

/** The mode that the harness asked for. */
export const mode: ClientMode = JSON.parse(process.argv[2] ?? "{}")

/** Where connection `index` goes: each loopback address has ephemeral ports of its own. */
export const urlFor = (index: number): string =>
  mode.secure ? `wss://127.0.0.1:${mode.port}/` : `ws://127.0.0.${1 + (index % 16)}:${mode.port}/`

type Data = string | Uint8Array<ArrayBuffer>

const cycle = mode.kind === "echo" ? makeCycle(mode.payload) : []

const outgoing: ReadonlyArray<Data> = cycle.map((message) =>
  mode.payload.kind === "bytes" ? new Uint8Array(message) : message.toString()
)

const same = (data: string | Uint8Array | ArrayBuffer, expected: Buffer): boolean =>
  typeof data === "string"
    ? data === expected.toString()
    : expected.equals(data instanceof Uint8Array ? data : new Uint8Array(data))

/** One connection's messages: what to send next, and whether what comes is the echo. */
export class Conversation {
  #sent = 0
  #received = 0

  /** The next message to send. */
  next(): Data {
    return outgoing[this.#sent++ % outgoing.length] ?? ""
  }

  /** The messages to begin with. */
  first(): ReadonlyArray<Data> {
    return Array.from({ length: mode.depth }, () => this.next())
  }

  /** Fails the program unless `data` is the next echo: its length each time, its bytes every 64th time. */
  check(data: string | Uint8Array | ArrayBuffer): void {
    const expected = cycle[this.#received % cycle.length] ?? Buffer.alloc(0)
    const length = typeof data === "string" ? data.length : data.byteLength
    if (length !== expected.length || ((this.#received & 63) === 0 && !same(data, expected))) {
      fail(`message ${this.#received} is not the echo`)
    }
    this.#received++
  }
}

/** Ends the program with what went wrong. */
export const fail = (reason: string): never => {
  console.log(JSON.stringify({ failed: reason }))
  process.exit(1)
}

/** Ends the program with a reason that the harness shows in place of a figure. */
export const unsupported = (reason: string): never => {
  console.log(JSON.stringify({ unsupported: reason }))
  process.exit(0)
}

interface Collectable {
  readonly gc?: (() => void) | undefined
  readonly Bun?: { readonly gc: (force: boolean) => void } | undefined
}

const collect = (): void => {
  const runtime: Collectable = globalThis
  if (runtime.Bun === undefined) runtime.gc?.()
  else runtime.Bun.gc(true)
  console.log(JSON.stringify({ collected: process.memoryUsage().heapUsed }))
}

/** Waits for the word to begin, opens every connection, and says so. */
export const begin = (openAll: () => Promise<unknown>): void => {
  console.log(JSON.stringify({ started: true }))
  process.stdin.on("data", (line) => {
    const words = String(line)
    if (words.startsWith("collect")) collect()
    if (words.startsWith("go")) {
      openAll().then(
        () => console.log(JSON.stringify({ ready: true })),
        (error: unknown) => fail(String(error))
      )
    }
  })
  process.stdin.on("end", () => process.exit())
}

/** Runs `work` for every connection of the mode, at most 32 at a time. */
export const forEachConnection = async (work: (index: number) => Promise<void>): Promise<void> => {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < mode.connections) await work(next++)
  }
  await Promise.all(Array.from({ length: 32 }, worker))
}

/** What a library with callbacks must do for the driver below. */
export interface Link {
  readonly send: (data: Data) => void
  readonly close: () => void
}

/** What the driver below hears from it. */
export interface Listener {
  readonly onOpen: (link: Link) => void
  readonly onMessage: (data: string | Uint8Array | ArrayBuffer) => void
  readonly onClose: () => void
}

/** The whole program of a client with callbacks. */
export const drive = (connect: (url: string, listener: Listener) => void): void => {
  const opened = (index: number): Promise<void> =>
    new Promise((resolve) => {
      const conversation = new Conversation()
      let link: Link | undefined
      connect(urlFor(index), {
        onOpen: (open) => {
          link = open
          if (mode.kind === "echo") for (const message of conversation.first()) open.send(message)
          resolve()
        },
        onMessage: (data) => {
          conversation.check(data)
          link?.send(conversation.next())
        },
        onClose: () => fail("a connection closed")
      })
    })
  const cycle = (index: number): Promise<void> =>
    new Promise((resolve) => {
      connect(urlFor(index), { onOpen: (link) => link.close(), onMessage: () => undefined, onClose: resolve })
    })
  const repeat = async (index: number): Promise<void> => {
    for (;;) await cycle(index)
  }
  begin(async () => {
    if (mode.kind !== "handshakes") return forEachConnection(opened)
    for (let index = 0; index < mode.connections; index++) void repeat(index)
  })
}
