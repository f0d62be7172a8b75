/**
 * What the pieces of permessage-deflate cost, without sockets: operations per second of processor time (all threads)
 * and compressed sizes, by the size of the message, the level and the way.
 *
 *   node bench/deflate-blocks.ts            all tables
 *   node bench/deflate-blocks.ts soak 60    1,000 connections for 60 seconds, with the memory of the process
 */
import * as ws from "ws"
import type { Driver } from "../src/internal/deflate/context.ts"
import { Deflate } from "../src/internal/deflate/deflate.ts"
import { usage } from "../src/internal/deflate/shared.ts"

type Result = Uint8Array | string | Error

const words = "active pending order customer total amount currency address street invoice item quantity note".split(" ")

/** A list of records as JSON, cut to a size; the same for the same seed. */
const json = (size: number, seed = 7): Buffer => {
  const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
  const word = (): string => words[next(words.length)] ?? ""
  let text = "["
  for (let id = 1; text.length < size; id++) {
    const record = {
      id,
      key: next(1e9).toString(36),
      state: word(),
      total: next(1e6) / 100,
      note: `${word()} ${word()}`
    }
    text += `${JSON.stringify(record)},`
  }
  return Buffer.from(text.slice(0, size))
}

const open = (driver: Driver, takeover: boolean, level: number, memLevel = 8): Deflate => {
  const direction = { windowBits: 15, takeover }
  return new Deflate({ deflate: direction, inflate: direction, threshold: 0, level, memLevel }, driver)
}

const processorSeconds = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e6
}

/** Operations per second of processor time; each is awaited when it has to be. */
const rate = async (operation: () => Result | Promise<Result> | undefined, milliseconds = 300): Promise<string> => {
  const first = await operation()
  if (first === undefined) return "-"
  if (!(first instanceof Uint8Array)) throw new Error(`not compressed or decompressed: ${first}`)
  for (const end = performance.now() + 100; performance.now() < end;) await operation()
  const before = processorSeconds()
  let count = 0
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    for (let round = 0; round < 16; round++) {
      const result = operation()
      if (result instanceof Promise) await result
    }
    count += 16
  }
  const perSecond = count / (processorSeconds() - before)
  return perSecond >= 1000 ? `${(perSecond / 1000).toFixed(1)}k` : perSecond.toFixed(0)
}

const compressLater = (deflate: Deflate, payload: Uint8Array): Promise<Result> =>
  new Promise((resolve) => deflate.compress(payload, resolve))

const inflateLater = (deflate: Deflate, payload: Uint8Array): Promise<Result> =>
  new Promise((resolve) => deflate.inflate(payload, Infinity, resolve))

const packed = async (payload: Uint8Array, level: number): Promise<Uint8Array> => {
  const deflate = open("handle", false, level)
  const result = await compressLater(deflate, payload)
  deflate.close()
  return result instanceof Uint8Array ? result : Buffer.alloc(0)
}

interface Peer {
  accept(offers: ReadonlyArray<object>): void
  compress(payload: Uint8Array, fin: boolean, callback: (error: Error | null, result: Uint8Array) => void): void
  decompress(payload: Uint8Array, fin: boolean, callback: (error: Error | null, result: Uint8Array) => void): void
  cleanup(): void
}

const isPeerClass = (value: unknown): value is new (options: object) => Peer => typeof value === "function"

const openPeer = (level: number): Peer => {
  const PerMessageDeflate: unknown = Reflect.get(ws, "PerMessageDeflate")
  if (!isPeerClass(PerMessageDeflate)) throw new Error("ws exports no PerMessageDeflate")
  const peer = new PerMessageDeflate({ isServer: true, zlibDeflateOptions: { level } })
  peer.accept([{ server_no_context_takeover: [true], client_no_context_takeover: [true] }])
  return peer
}

const sizes = [128, 2048, 16_384, 65_536, 262_144]

const waysTable = async (): Promise<void> => {
  for (const level of [3, 6]) {
    const rows: Record<string, Record<string, string>> = {}
    for (const size of sizes) {
      const payload = json(size)
      const message = await packed(payload, level)
      // With takeover a message that repeats the last one would cost next to nothing.
      const varied = Array.from({ length: Math.ceil(100_000 / size) }, (_, index) => json(size, index + 1))
      let turn = 0
      const handle = open("handle", false, level)
      const kept = open("handle", true, level)
      const single = open("public", false, level)
      const peer = openPeer(level)
      rows[`${size} B`] = {
        "deflate: handle": await rate(() => handle.compressSync(payload)),
        "handle, takeover": await rate(() => kept.compressSync(varied[turn++ % varied.length] ?? payload)),
        "public, at once": await rate(() => single.compressSync(payload)),
        "thread pool": await rate(() => compressLater(handle, payload)),
        ws: await rate(
          () => new Promise((resolve) => peer.compress(payload, true, (error, result) => resolve(error ?? result)))
        ),
        "inflate: handle": await rate(() => handle.inflateSync(message, Infinity)),
        "as a view": await rate(() => handle.inflateView(message, Infinity)),
        "public, at once ": await rate(() => single.inflateSync(message, Infinity)),
        "thread pool ": await rate(() => inflateLater(handle, message)),
        "ws ": await rate(
          () => new Promise((resolve) => peer.decompress(message, true, (error, result) => resolve(error ?? result)))
        )
      }
      for (const deflate of [handle, kept, single]) deflate.close()
      peer.cleanup()
    }
    console.log(`\nLevel ${level}, operations per second of processor time`)
    console.table(rows)
  }
}

const levelsTable = async (): Promise<void> => {
  const rows: Record<string, Record<string, string>> = {}
  for (const [level, memLevel] of [
    [1, 8],
    [2, 8],
    [3, 8],
    [4, 8],
    [5, 8],
    [6, 8],
    [9, 8],
    [3, 5],
    [3, 7],
    [3, 9]
  ] as const) {
    const row: Record<string, string> = {}
    for (const size of [128, 2048, 16_384, 65_536]) {
      const payload = json(size)
      const deflate = open("handle", false, level, memLevel)
      const ops = await rate(() => deflate.compressSync(payload) ?? compressLater(deflate, payload))
      const compressed = await compressLater(deflate, payload)
      row[`${size} B`] = `${ops} -> ${compressed instanceof Uint8Array ? compressed.length : 0} B`
      deflate.close()
    }
    rows[`level ${level}, memLevel ${memLevel}`] = row
  }
  console.log("\nBy level and memory, without takeover; from what size on the thread pool: see `syncSize`")
  console.table(rows)
}

const soak = async (seconds: number): Promise<void> => {
  const small = json(2048)
  const large = json(200_000)
  const smallMessage = await packed(small, 3)
  const largeMessage = await packed(large, 3)
  const driver: Driver = "handle"
  const connections = Array.from({ length: 1000 }, (_, index) => open(driver, index % 10 === 0, 3))
  const end = performance.now() + seconds * 1000
  let messages = 0
  let report = performance.now()
  while (performance.now() < end) {
    for (const [index, connection] of connections.entries()) {
      connection.compressSync(small)
      if (connection.inflateSync(smallMessage, 10_000) === "invalid") throw new Error("invalid")
      messages += 2
      // One in twenty comes anew in each round, half of those with a message under way.
      if ((index + messages) % 20 === 0) {
        if (index % 2 === 0) connection.inflate(largeMessage, Infinity, () => {})
        connection.close()
        connections[index] = open(driver, index % 10 === 0, 3)
      }
    }
    await Promise.all(
      connections
        .slice(0, 20)
        .flatMap((connection) => [compressLater(connection, large), inflateLater(connection, largeMessage)])
    )
    messages += 40
    if (performance.now() >= report) {
      report += (seconds * 1000) / 12
      console.log(`${messages} messages, ${Math.round(process.memoryUsage.rss() / 1e6)} MB`, JSON.stringify(usage()))
    }
  }
  for (const connection of connections) connection.close()
}

const [mode, duration] = process.argv.slice(2)
if (mode === "soak") {
  await soak(Number(duration ?? 60))
} else {
  await waysTable()
  await levelsTable()
}
