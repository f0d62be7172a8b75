/**
 * What compression costs one end of a connection: resident bytes, and how short a message of JSON becomes.
 *
 * `node bench/compression.ts`, after a build. Each mode is a process of its own, so that none has another's memory.
 */
import { Effect, Stream } from "effect"
import { type Extension, Socket } from "effect-ws"
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

/** Connections; each has two ends in the process. Below the 1024 compressors that a process keeps. */
const pairs = 400

/** Messages that each end sends. */
const rounds = 4

const modes: Readonly<Record<string, boolean | Extension.DeflateOptions>> = {
  off: false,
  "without takeover": true,
  "a client that keeps its window": { serverNoContextTakeover: true, clientNoContextTakeover: false },
  "with takeover": { serverNoContextTakeover: false, clientNoContextTakeover: false },
  "with takeover, windows of 2 KiB, memLevel 4": {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 11,
    clientMaxWindowBits: 11,
    memLevel: 4
  }
}

const message = (at: number): string =>
  JSON.stringify(
    Array.from({ length: 20 }, (_, row) => ({
      id: at * 1000 + row,
      name: `sensor ${(at * 7 + row * 13) % 97}`,
      value: ((at + 1) * 7919 + row * 104_729) % 10_007,
      unit: row % 2 === 0 ? "celsius" : "percent",
      ok: (at + row) % 5 !== 0
    }))
  )

const resident = (): number => {
  for (let i = 0; i < 3; i++) globalThis.gc?.()
  return process.memoryUsage().rss
}

const measure = (name: string) =>
  Effect.gen(function* () {
    const compression = modes[name]
    let wire = 0
    let text = 0
    const count: Socket.FrameObserver = ({ direction, payload }) => {
      if (direction === "sent") wire += payload.length
    }
    const exchange = Effect.fnUntraced(function* ([client, server]: readonly [Socket.Socket, Socket.Socket]) {
      for (let at = 0; at < rounds; at++) {
        for (const [from, to] of [
          [client, server],
          [server, client]
        ] as const) {
          const sent = message(at)
          text += sent.length
          yield* from.send(sent)
          yield* Stream.runDrain(Stream.take(to.messages, 1))
        }
      }
    })
    const open = Socket.makePair({ compression, keepAlive: false, onFrame: count })
    yield* exchange(yield* open)
    const before = resident()
    const opened = yield* Effect.forEach(Array.from({ length: pairs }), () => open)
    yield* Effect.forEach(opened, exchange, { discard: true })
    const each = (resident() - before) / pairs / 2 / 1024
    console.log(`${name}: ${each.toFixed(1)} KiB an end; ${((wire / text) * 100).toFixed(0)} % of the text on the wire`)
  })

const [mode] = process.argv.slice(2)
if (mode === undefined) {
  for (const name of Object.keys(modes)) {
    spawnSync(process.execPath, ["--expose-gc", fileURLToPath(import.meta.url), name], { stdio: "inherit" })
  }
} else {
  await Effect.runPromise(Effect.scoped(measure(mode)))
}
