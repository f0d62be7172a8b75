// The process that measures a client: a server that checks what arrives and answers with frames made beforehand.
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { type Checker, DeflatedMessages, FrameReader, WrongEcho } from "./workload/checker.ts"
import { encodeFrame, type MessageOptions, Outbox } from "./workload/frames.ts"
import type { Answer, Job, MirrorCommand } from "./workload/jobs.ts"
import { makeCycle } from "./workload/payload.ts"
import { answer, headerEnd } from "./workload/upgrade.ts"
import { measureWindow } from "./workload/window.ts"

const closeFrame = encodeFrame(0x88, Buffer.from([0x03, 0xe8]), false)

/** What the connections of one run have in common when messages come whole and uncompressed. */
class MaskedMessages {
  readonly cycle: ReadonlyArray<Buffer>
  readonly frameLength: number
  readonly #header: Buffer
  /** Unmasking in script is slow: of large messages one in sixteen is looked into, of small ones each. */
  readonly #every: number

  constructor(options: MessageOptions) {
    this.cycle = makeCycle(options.payload)
    const sample = encodeFrame(options.payload.kind === "bytes" ? 0x82 : 0x81, this.cycle[0] ?? Buffer.alloc(0), true)
    this.frameLength = sample.length
    this.#header = sample.subarray(0, sample.length - options.payload.size - 4)
    this.#every = options.payload.size <= 128 ? 1 : 16
  }

  check(index: number, bytes: Buffer, at: number): void {
    const header = this.#header
    for (let i = 0; i < header.length; i++) {
      if (bytes[at + i] !== header[i]) throw new WrongEcho(`message ${index} starts with another header`)
    }
    if (index % this.#every !== 0) return
    const key = at + header.length
    const start = key + 4
    const expected = this.cycle[index % this.cycle.length] ?? Buffer.alloc(0)
    for (let i = 0; i < expected.length; i++) {
      if (((bytes[start + i] ?? 0) ^ (bytes[key + (i & 3)] ?? 0)) !== expected[i]) {
        throw new WrongEcho(`byte ${i} of message ${index} differs`)
      }
    }
  }
}

class MaskedChecker implements Checker {
  readonly #shared: MaskedMessages
  readonly #cut: Buffer
  #kept = 0
  #index = 0

  constructor(shared: MaskedMessages) {
    this.#shared = shared
    this.#cut = Buffer.allocUnsafe(shared.frameLength)
  }

  take(chunk: Buffer): number {
    const { frameLength } = this.#shared
    const before = this.#index
    let at = 0
    if (this.#kept > 0) {
      at = Math.min(frameLength - this.#kept, chunk.length)
      chunk.copy(this.#cut, this.#kept, 0, at)
      this.#kept += at
      if (this.#kept < frameLength) return 0
      this.#kept = 0
      this.#shared.check(this.#index++, this.#cut, 0)
    }
    while (chunk.length - at >= frameLength) {
      this.#shared.check(this.#index++, chunk, at)
      at += frameLength
    }
    this.#kept = chunk.copy(this.#cut, 0, at)
    return this.#index - before
  }
}

class InflatingChecker implements Checker {
  readonly #reader: FrameReader
  #index = 0

  constructor(shared: DeflatedMessages) {
    this.#reader = new FrameReader((first, payload) => shared.check(this.#index++, first, payload))
  }

  take(chunk: Buffer): number {
    const before = this.#index
    this.#reader.feed(chunk)
    return this.#index - before
  }
}

/** Waits for a close frame and answers it. */
class Closer implements Checker {
  readonly #reader: FrameReader

  constructor(socket: Socket, onClose: () => void) {
    this.#reader = new FrameReader((first) => {
      if (first !== 0x88) return
      socket.end(closeFrame)
      onClose()
    })
  }

  take(chunk: Buffer): number {
    this.#reader.feed(chunk)
    return 0
  }
}

let count = 0
let failure: Error | undefined
let server: Server | undefined
const sockets = new Set<Socket>()

const fail = (error: unknown): void => {
  failure ??= error instanceof Error ? error : new Error(String(error))
}

const makeOnConnection = (job: Job): ((socket: Socket) => void) => {
  const compression = job.kind === "echo" ? job.compression : "off"
  const outbox = job.kind === "echo" ? new Outbox(job, job.depth, false) : undefined
  const makeChecker = ((): ((socket: Socket) => Checker) => {
    if (job.kind !== "echo") return (socket) => new Closer(socket, () => count++)
    if (job.compression === "off") {
      const shared = new MaskedMessages(job)
      return () => new MaskedChecker(shared)
    }
    const shared = new DeflatedMessages({ payload: job.payload, compression: job.compression })
    return () => new InflatingChecker(shared)
  })()

  return (socket) => {
    let header: Buffer | undefined = Buffer.alloc(0)
    let sent = 0
    const checker = makeChecker(socket)
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on("error", () => undefined)
    socket.on("close", () => sockets.delete(socket))
    const onBytes = (chunk: Buffer): void => {
      if (header === undefined) {
        const messages = checker.take(chunk)
        if (messages === 0 || outbox === undefined) return
        count += messages
        socket.write(outbox.take(sent, messages))
        sent += messages
        return
      }
      header = Buffer.concat([header, chunk])
      const end = headerEnd(header)
      if (end < 0) return
      const rest = header.subarray(end)
      socket.write(answer(header.toString("latin1", 0, end), compression))
      header = undefined
      if (rest.length > 0) onBytes(rest)
    }
    socket.on("data", (chunk: Buffer) => {
      try {
        onBytes(chunk)
      } catch (error) {
        fail(error)
        socket.destroy()
      }
    })
  }
}

const perform = async (command: MirrorCommand): Promise<Answer> => {
  switch (command.type) {
    case "listen": {
      count = 0
      failure = undefined
      const onConnection = makeOnConnection(command.job)
      const listening =
        command.certificate === undefined
          ? createServer(onConnection)
          : createTlsServer(command.certificate, onConnection)
      server = listening
      await new Promise<void>((resolve) => listening.listen(0, "0.0.0.0", 4096, resolve))
      const address = listening.address()
      if (typeof address !== "object" || address === null) throw new Error("has no port")
      return { type: "listening", port: address.port }
    }
    case "measure": {
      const measurement = await measureWindow(command.pid, command.window, () => count)
      if (failure !== undefined) throw failure
      if (measurement.count === 0) throw new WrongEcho("sent nothing")
      return { type: "measured", measurement }
    }
    case "stop": {
      for (const socket of sockets) socket.destroy()
      server?.close()
      return { type: "released" }
    }
  }
}

process.on("message", (command: MirrorCommand) => {
  perform(command)
    .catch((error: unknown): Answer => ({
      type: "failed",
      reason: error instanceof Error ? error.message : String(error)
    }))
    .then((answer) => process.send?.(answer))
})
process.on("disconnect", () => process.exit())
