// The whole connection over a pipe in memory: however bytes are cut and the reader pauses, one story, and an end.
import * as fc from "fast-check"
import type { Closed } from "../../src/internal/protocol/closeHandshake.ts"
import { Connection } from "../../src/internal/connection/connection.ts"
import type { Codec } from "../../src/internal/protocol/codec.ts"
import { Deflate } from "../../src/internal/deflate/deflate.ts"
import { hixie76 } from "../../src/internal/protocol/hixie/codec.ts"
import { hybi } from "../../src/internal/protocol/hybi/codec.ts"
import { memoryPair } from "../../src/internal/transport/memory.ts"
import { ReceiveBuffer } from "../../src/internal/socket/receiveBuffer.ts"
import type { Timers } from "../../src/internal/connection/timers.ts"
import { cutAt, cuts, frameBytes, mutated } from "./arbitraries.ts"
import { frameSeeds, hixieSeeds } from "./seeds.ts"
import { expect, expectSame, type Target } from "./target.ts"

interface Story {
  readonly told: ReadonlyArray<string>
  /** What was answered: the bytes, as a server writes them. */
  readonly answered: string
  readonly ended: string
}

interface Options {
  readonly codec: Codec
  readonly view: "messages" | "frames"
  readonly compressed: boolean
  readonly maxMessageSize: number
  /** At which reads the reader stops for a while. */
  readonly pauses: ReadonlyArray<boolean>
}

/** A clock that stands still: no story may need it. */
const still: Timers = { now: () => 0, after: () => ({ cancel: () => {} }) }

const endOf = ({ cause, received, sent }: Closed): string =>
  `${cause._tag === "Violation" ? cause.violation._tag : cause._tag} ${received?.code} ${sent?.code}`

const bufferSize = 256

const tell = (pieces: ReadonlyArray<Buffer>, options: Options): Promise<Story> =>
  new Promise((resolve) => {
    const [near, far] = memoryPair()
    const told: Array<string> = []
    const answered: Array<Buffer> = []
    const receiveBuffer = new ReceiveBuffer(bufferSize)
    let reads = 0
    let closed: Closed | undefined
    let gone = false

    const connection = new Connection(receiveBuffer, {
      transport: near,
      codec: options.codec,
      role: "server",
      timers: still,
      maxMessageSize: options.maxMessageSize,
      writeHighWaterMark: 1024,
      closeTimeout: 1000,
      compression: options.compressed
        ? new Deflate({
            deflate: { windowBits: 15, takeover: false },
            inflate: { windowBits: 15, takeover: false },
            threshold: Infinity,
            level: 1,
            memLevel: 8
          })
        : undefined
    })
    const finish = (): void => {
      if (closed === undefined || !gone || !receiveBuffer.isEmpty) return
      resolve({ told, answered: Buffer.concat(answered).toString("hex"), ended: endOf(closed) })
    }
    const take = (): void => {
      for (const item of receiveBuffer.take()) {
        if (typeof item === "string") told.push(`text ${item}`)
        else if (item instanceof Uint8Array) told.push(`bytes ${Buffer.from(item).toString("hex")}`)
        else told.push(`${item._tag} ${item.fin} ${Buffer.from(item.payload).toString("hex")}`)
      }
    }
    const wait = (): void => {
      if (receiveBuffer.isEmpty) {
        if (!receiveBuffer.over) receiveBuffer.await({ wake: read })
        finish()
        return
      }
      read()
    }
    const read = (): void => {
      if (options.pauses[reads++] === true) {
        setImmediate(() => {
          take()
          wait()
        })
        return
      }
      take()
      wait()
    }
    receiveBuffer.attach({
      connection,
      onPong: () => {},
      onClosed: (how) => {
        closed = how
        queueMicrotask(finish)
      }
    })
    if (options.view === "messages") receiveBuffer.claimMessages()
    else receiveBuffer.claimFrames()

    far.attach({
      received: (chunk) => answered.push(Buffer.from(chunk)),
      drained: () => {},
      ended: () => far.end(),
      closed: () => {
        gone = true
        queueMicrotask(finish)
      }
    })
    connection.start()
    wait()
    for (const piece of pieces) far.write(piece)
    far.end()
  })

/** Pongs may be fewer where the peer is slow; here it isn't, and what counts is that all is told the same. */
const connectionProperty = (codec: Codec, bytes: fc.Arbitrary<Buffer>) =>
  fc.asyncProperty(
    bytes,
    cuts,
    fc.array(fc.boolean(), { maxLength: 6 }),
    fc.constantFrom("messages" as const, "frames" as const),
    fc.boolean(),
    fc.constantFrom(10, 1000, 100_000),
    async (bytes, cuts, pauses, view, compressed, maxMessageSize) => {
      const options = { codec, view, compressed: compressed && codec === hybi, maxMessageSize }
      const whole = await tell([Buffer.from(bytes)], { ...options, pauses: [] })
      const cut = await tell(cutAt(bytes, cuts), { ...options, pauses })
      expectSame(cut, whole, "cut and read with pauses")
      const size = whole.told.reduce((sum, one) => sum + one.length, 0)
      expect(options.compressed || size <= 2 * bytes.length + 40 * whole.told.length, () => "more told than there was")
    }
  )

export const targets: ReadonlyArray<Target> = [
  { name: "connection", property: connectionProperty(hybi, frameBytes(frameSeeds, true)) },
  { name: "connection-hixie", property: connectionProperty(hixie76, mutated(hixieSeeds)) }
]
