// What coalescing must not break: the turn of the others, the order, the tick of a lone message, backpressure, and bytes that a
// transport still holds.
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, type Scope, Stream } from "effect"
import { Frame, Server, Socket } from "effect-ws"
import { WebSocketServer } from "effect-ws/ws"
import { once } from "node:events"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import { Duplex } from "node:stream"
import * as tls from "node:tls"
import { readSize } from "../src/internal/transport/sharedReads.ts"
import { makeCertificate } from "./support/certificate.ts"

const kibibyte = 1024
const mebibyte = 1024 * kibibyte

const requestTo = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

type Secure = { readonly key: string; readonly cert: string } | undefined

/** A connection of its own making: it sends bytes as they are, and knows the frames that come. */
class Peer {
  readonly transport: Duplex
  onFrame: (frame: Frame.Frame) => void = () => {}
  private head: Buffer | undefined = Buffer.alloc(0)
  private opened: (() => void) | undefined = undefined
  private readonly parser = Frame.makeParser((frame) => this.onFrame(frame), {
    role: "client",
    maxMessageSize: 64 * mebibyte
  })

  constructor(transport: Duplex) {
    this.transport = transport
    transport.on("error", () => {})
    transport.on("data", (chunk: Buffer) => this.read(chunk))
  }

  async open(path: string): Promise<void> {
    this.transport.write(requestTo(path))
    await new Promise<void>((resolve) => {
      this.opened = resolve
    })
  }

  private read(chunk: Buffer): void {
    if (this.head === undefined) {
      assert.isUndefined(this.parser.feed(chunk))
      return
    }
    this.head = Buffer.concat([this.head, chunk])
    const end = this.head.indexOf("\r\n\r\n")
    if (end < 0) return
    const rest = this.head.subarray(end + 4)
    this.head = undefined
    if (rest.length > 0) this.read(rest)
    this.opened?.()
  }
}

const openPeer = (port: number, path = "/", secure?: Secure): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket =
        secure === undefined
          ? net.connect(port, "127.0.0.1")
          : tls.connect({ port, host: "127.0.0.1", servername: "localhost", ca: secure.cert })
      await once(socket, secure === undefined ? "connect" : "secureConnect")
      const peer = new Peer(socket)
      await peer.open(path)
      return peer
    }),
    (peer) => Effect.sync(() => peer.transport.destroy())
  )

/** Hears of each message that a server handles. */
type Handled = (path: string, size: number) => void

const path = (socket: Server.Connection): string => socket.request.url

const handlers = {
  "Stream.runForEach": (socket: Server.Connection, handled: Handled) =>
    Stream.runForEach(socket.messages, (message) => {
      handled(path(socket), message.length)
      return socket.send(message)
    }),
  "Socket.run": (socket: Server.Connection, handled: Handled) =>
    Socket.run(socket, (message) => {
      handled(path(socket), message.length)
      return socket.send(message)
    }),
  "Socket.runBatch": (socket: Server.Connection, handled: Handled) =>
    Socket.runBatch(socket, (messages) => {
      for (const message of messages) handled(path(socket), message.length)
      return socket.sendAll(messages)
    })
}

type HandlerName = keyof typeof handlers

const names = Object.keys(handlers) as ReadonlyArray<HandlerName>

/** An echo server of the Effect face; answers its port. */
const effectEcho = (name: HandlerName, handled: Handled, secure?: Secure) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false, shutdownTimeout: 100, tls: secure })
    yield* Effect.forkScoped(
      server.run((socket) => handlers[name](socket, handled)),
      { startImmediately: true }
    )
    return server.address.port
  })

/** A server of the callback face; answers its port. */
const callbackServer = (
  onConnection: (
    socket: InstanceType<typeof WebSocketServer>["clients"] extends Set<infer W> ? W : never,
    url: string
  ) => void,
  secure?: Secure
) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = secure === undefined ? http.createServer() : https.createServer(secure)
      const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 512, concurrencyLimit: 4 } })
      sockets.on("connection", (socket, request) => onConnection(socket, request.url ?? ""))
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      assert.isObject(address)
      return { server, sockets, port: (address as net.AddressInfo).port }
    }),
    ({ server, sockets }) =>
      Effect.sync(() => {
        for (const socket of sockets.clients) socket.terminate()
        server.close()
      })
  )

const callbackEcho = (handled: Handled, secure?: Secure) =>
  Effect.map(
    callbackServer((socket, url) => {
      socket.on("message", (data, binary) => {
        handled(url, (data as Buffer).length)
        socket.send(data, { binary })
      })
    }, secure),
    ({ port }) => port
  )

const frameOf = (size: number, fill = 7): Uint8Array =>
  Frame.encode(Frame.binary(new Uint8Array(size).fill(fill)), { mask: true })

const repeat = (bytes: Uint8Array, count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => bytes))

/** Waits until a count stands still for 20 looks, 10 ms apart: everything that can move has moved. */
const standstill = (count: () => number) =>
  Effect.gen(function* () {
    let last = -1
    for (let still = 0; still < 20;) {
      yield* Effect.sleep(10)
      still = count() === last ? still + 1 : 0
      last = count()
    }
  })

/** Looks every few milliseconds; the test's own time limit ends it. */
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe("a connection that floods leaves the others their turn", () => {
  /** What libuv reads from one socket before it looks at the next one: 32 times. */
  const turn = 32 * readSize
  const size = 125
  const flood = repeat(frameOf(size), 1000)

  const check = (echo: (handled: Handled) => Effect.Effect<number, unknown, Scope.Scope>) =>
    Effect.gen(function* () {
      let flooded = 0
      const port = yield* echo((url) => {
        if (url === "/flood") flooded += size + 6
      })
      const flooder = yield* openPeer(port, "/flood")
      const quiet = yield* openPeer(port, "/quiet")
      const pour = (): void => {
        while (flooder.transport.write(flood)) {}
      }
      flooder.transport.on("drain", pour)
      pour()
      const between: Array<number> = []
      yield* Effect.promise(async () => {
        for (let i = 0; i < 20; i++) {
          const before = flooded
          const answered = new Promise<void>((resolve) => {
            quiet.onFrame = () => resolve()
          })
          quiet.transport.write(frameOf(5))
          await answered
          between.push(flooded - before)
        }
      })
      assert.isAbove(flooded, turn / 4, "it does flood")
      // The message may arrive just after its turn, and its echo just after the peer's.
      assert.isAtMost(Math.max(...between), 3 * turn)
    })

  for (const name of names) {
    it.live(`while ${name} handles it`, () => check((handled) => effectEcho(name, handled)))
  }

  it.live("while the callback face handles it", () => check((handled) => callbackEcho(handled)))
})

describe("messages keep their order", () => {
  const sizes = [0, 1, 30, 125, 126, 600, 5000, 16 * kibibyte, 70_000, 200_000]

  /** Sends from all phases of the event loop, and answers the first bytes of the messages in the order they were sent. */
  const sendFromEverywhere = async (send: (text: string) => void): Promise<Array<string>> => {
    const sent: Array<string> = []
    const next = (): void => {
      const size = sizes[(sent.length * 7) % sizes.length] ?? 0
      const text = `${sent.length};`.padEnd(size, "load ")
      sent.push(text)
      send(text)
    }
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < round % 7; i++) next()
      process.nextTick(next)
      queueMicrotask(next)
      await Promise.resolve()
      next()
      if (round % 3 === 0) {
        await new Promise<void>((resolve) => {
          setImmediate(() => {
            next()
            resolve()
          })
        })
      }
    }
    await new Promise((resolve) => setImmediate(resolve))
    return sent
  }

  for (const secure of [false, true]) {
    for (const compression of [false, true]) {
      const where = `${secure ? "over TLS" : "over TCP"}${compression ? ", some compressed elsewhere" : ""}`
      it.live(`callback face, ${where}`, () =>
        Effect.gen(function* () {
          const certificate = secure ? makeCertificate() : undefined
          let sent: Array<string> = []
          const { port } = yield* callbackServer((socket) => {
            void sendFromEverywhere((text) => socket.send(text)).then((all) => {
              sent = all
              socket.close()
            })
          }, certificate)
          const socket = yield* Socket.connect(`${secure ? "wss" : "ws"}://127.0.0.1:${port}/`, {
            compression,
            keepAlive: false,
            tls: { ca: certificate?.cert }
          })
          const got = yield* Stream.runCollect(socket.messages)
          assert.isTrue(sent.length > 300)
          assert.deepStrictEqual(
            got.map((message) => [message.length, String(message).slice(0, 8)]),
            sent.map((text) => [text.length, text.slice(0, 8)])
          )
          assert.deepStrictEqual(got, sent)
        })
      )
    }
  }

  it.live("Effect face, sends that wait for room and sends that don't", () =>
    Effect.gen(function* () {
      const sent: Array<string> = []
      const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false, compression: { threshold: 512 } })
      yield* Effect.forkScoped(
        server.run((socket) =>
          Effect.forEach(
            Array.from({ length: 400 }, (_, index) =>
              `${index};`.padEnd(sizes[(index * 7) % sizes.length] ?? 0, "load ")
            ),
            (text, index) => {
              sent.push(text)
              return index % 3 === 0 ? socket.sendAll([text]) : socket.send(text)
            },
            { discard: true }
          )
        ),
        { startImmediately: true }
      )
      const socket = yield* Socket.connect(`ws://127.0.0.1:${server.address.port}/`, {
        compression: true,
        keepAlive: false
      })
      assert.deepStrictEqual(yield* Stream.runCollect(socket.messages), sent)
    })
  )
})

/** A byte stream that is fed by hand, and keeps what is written to it, by reference. */
class Hand extends Duplex {
  readonly kept: Array<Buffer> = []
  /** Whether a write is done only when `release` is called. */
  holding = false
  private readonly held: Array<() => void> = []

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.kept.push(chunk)
    if (this.holding) this.held.push(done)
    else done()
  }

  release(): void {
    this.holding = false
    for (const done of this.held.splice(0)) done()
  }

  get bytes(): number {
    return this.kept.reduce((sum, { length }) => sum + length, 0)
  }
}

/** A connection over such a stream, after its handshake; `server` is told of it as of one that it accepted. */
const openHand = async (server: http.Server): Promise<Hand> => {
  const hand = new Hand()
  server.emit("connection", hand)
  hand.push(requestTo("/"))
  while (hand.kept.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setImmediate(resolve))
  hand.kept.length = 0
  return hand
}

/** The payloads of the frames that were written. */
const payloads = (pieces: ReadonlyArray<Uint8Array>): ReadonlyArray<Buffer> => {
  const all: Array<Buffer> = []
  const parser = Frame.makeParser((frame) => all.push(Buffer.from(frame.payload)), {
    role: "client",
    maxMessageSize: mebibyte
  })
  for (const piece of pieces) assert.isUndefined(parser.feed(Buffer.from(piece)))
  return all
}

/** What sends one message on the only connection of a server, in either face. */
interface Sender {
  readonly server: http.Server
  readonly send: (text: string) => void
}

const callbackSender = Effect.sync((): Sender => {
  const server = http.createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)))
  return {
    server,
    send: (text) => {
      for (const socket of sockets.clients) socket.send(text)
    }
  }
})

const effectSender = (name: HandlerName) =>
  Effect.gen(function* () {
    const server = http.createServer()
    const open = new Set<Server.Connection>()
    const acceptor = yield* Effect.orDie(Server.attach(server, { keepAlive: false, shutdownTimeout: 0 }))
    yield* Effect.forkScoped(
      acceptor.run((socket) => {
        open.add(socket)
        return handlers[name](socket, () => {})
      }),
      { startImmediately: true }
    )
    const sender: Sender = {
      server,
      send: (text) => {
        for (const socket of open) Effect.runFork(socket.send(text))
      }
    }
    return sender
  })

const checkTick = (make: Effect.Effect<Sender, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const { server, send } = yield* make
    yield* Effect.promise(async () => {
      const hand = await openHand(server)
      const seen: Array<string> = []
      const leaves = (phase: string): void => {
        hand.kept.length = 0
        send(phase)
        process.nextTick(() => {
          const [payload] = payloads(hand.kept)
          if (payload?.toString() === phase) seen.push(phase)
        })
      }
      leaves("synchronously")
      await new Promise((resolve) => setImmediate(resolve))
      queueMicrotask(() => leaves("microtask"))
      await new Promise((resolve) => setImmediate(resolve))
      process.nextTick(() => leaves("nextTick"))
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise<void>((resolve) => {
        setTimeout(() => {
          leaves("timer")
          setImmediate(resolve)
        }, 0)
      })
      await new Promise<void>((resolve) => {
        setImmediate(() => {
          leaves("immediate")
          setImmediate(resolve)
        })
      })
      assert.deepStrictEqual(seen, ["synchronously", "microtask", "nextTick", "timer", "immediate"])

      // The answer to a read is written before the read's own call returns, in one piece.
      hand.kept.length = 0
      hand.emit("data", Buffer.from(frameOf(5)))
      assert.deepStrictEqual(
        hand.kept.map(({ length }) => length),
        [7]
      )
      hand.emit("data", repeat(frameOf(5), 50))
      assert.deepStrictEqual(
        hand.kept.map(({ length }) => length),
        [7, 50 * 7]
      )
      hand.destroy()
    })
  })

describe("a lone message leaves in its tick", () => {
  it.live("callback face", () => checkTick(callbackSender))
  for (const name of names) it.live(name, () => checkTick(effectSender(name)))
})

describe("coalescing hides no backpressure", () => {
  const allowance = 32 * mebibyte
  const offer = 64 * mebibyte

  for (const name of names) {
    it.live(`${name}: a peer that sends and never reads is not read from any more`, () =>
      Effect.gen(function* () {
        let handled = 0
        const port = yield* effectEcho(name, (_, size) => {
          handled += size
        })
        const peer = yield* openPeer(port)
        peer.transport.pause()
        const chunk = repeat(frameOf(32), 2000)
        const before = process.memoryUsage.rss()
        let offered = 0
        const pour = (): void => {
          while (offered < offer) {
            offered += chunk.length
            if (!peer.transport.write(chunk)) return
          }
        }
        peer.transport.on("drain", pour)
        pour()
        yield* standstill(() => handled)
        assert.isAbove(handled, 0)
        assert.isBelow(offered, offer)
        assert.isBelow(process.memoryUsage.rss() - before, allowance)

        // Nothing is lost by the wait: once it reads, all comes back.
        let echoed = 0
        peer.onFrame = (frame) => {
          echoed += frame.payload.length
        }
        peer.transport.off("drain", pour)
        peer.transport.resume()
        yield* Effect.promise(async () => {
          const wanted = (offered / chunk.length) * 2000 * 32
          await until(() => echoed >= wanted)
          assert.strictEqual(echoed, wanted)
        })
      })
    )
  }

  for (const [how, send] of [
    ["send", (socket: Server.Connection, message: Uint8Array) => socket.send(message)],
    [
      "sendAll",
      (socket: Server.Connection, message: Uint8Array) => socket.sendAll(Array.from({ length: 100 }, () => message))
    ]
  ] as const) {
    it.live(`${how} of small messages waits when the peer doesn't read`, () =>
      Effect.gen(function* () {
        const message = new Uint8Array(32)
        let calls = 0
        const server = yield* Server.make({ host: "127.0.0.1", keepAlive: false, shutdownTimeout: 100 })
        yield* Effect.forkScoped(
          server.run((socket) =>
            Effect.whileLoop({
              while: () => calls < 10_000_000,
              body: () => send(socket, message),
              step: () => {
                calls++
              }
            })
          ),
          { startImmediately: true }
        )
        const before = process.memoryUsage.rss()
        const peer = yield* openPeer(server.address.port)
        peer.transport.pause()
        yield* standstill(() => calls)
        assert.isAbove(calls, 0)
        assert.isBelow(calls, 10_000_000)
        assert.isBelow(process.memoryUsage.rss() - before, allowance)
      })
    )
  }

  it.live("callback face: bufferedAmount counts all that no callback has heard of", () =>
    Effect.gen(function* () {
      const count = 20_000
      const size = 1000
      const seen = yield* Deferred.make<{ readonly waiting: number; readonly buffered: number }>()
      const { port } = yield* callbackServer((socket) => {
        let written = 0
        for (let i = 0; i < count; i++) socket.send(new Uint8Array(size), () => written++)
        Effect.runFork(
          Effect.andThen(
            standstill(() => written),
            Effect.suspend(() =>
              Deferred.succeed(seen, { waiting: (count - written) * (size + 4), buffered: socket.bufferedAmount })
            )
          )
        )
      })
      const peer = yield* openPeer(port)
      peer.transport.pause()
      const { buffered, waiting } = yield* Deferred.await(seen)
      assert.isAbove(waiting, 0)
      // The system may have taken a part of the write that is under way.
      assert.isAtMost(buffered, waiting)
      assert.isAbove(buffered, waiting - 128 * kibibyte)
    })
  )
})

/** Text that says who sent it and when, of many lengths. */
const textFor = (who: number, index: number): string => `${who}/${index};`.padEnd(10 + ((index * 37) % 900), `${who}`)

/** Several connections are written to; some of them read late. All of them must get what was sent to them. */
const checkSockets = (port: number, secure: Secure, peers: number, count: number) =>
  Effect.gen(function* () {
    const all = yield* Effect.forEach(Array.from({ length: peers }), () => openPeer(port, "/", secure), {
      concurrency: 4
    })
    const got = all.map((peer) => {
      const texts: Array<string> = []
      peer.onFrame = (frame) => texts.push(Buffer.from(frame.payload).toString())
      return texts
    })
    const late = all.filter((_, index) => index % 2 === 0)
    for (const { transport } of late) transport.pause()
    let sent = 0
    for (const [who, peer] of all.entries()) {
      for (let index = 0; index < count; index += 50) {
        const texts = Array.from({ length: 50 }, (_, i) => textFor(who, index + i))
        peer.transport.write(Buffer.concat(texts.map((text) => Frame.encode(Frame.text(text), { mask: true }))))
        sent += 50
        if (index % 200 === 0) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      }
    }
    yield* Effect.promise(async () => {
      await new Promise((resolve) => setTimeout(resolve, 100))
      for (const { transport } of late) transport.resume()
      await until(() => got.reduce((sum, texts) => sum + texts.length, 0) >= sent)
    })
    for (const [who, texts] of got.entries()) {
      assert.deepStrictEqual(
        texts,
        Array.from({ length: count }, (_, index) => textFor(who, index)),
        `connection ${who}`
      )
    }
  })

describe("a slab that a transport still holds is not written again", () => {
  it.live("by a stream that keeps what it was given, while other connections write", () =>
    Effect.gen(function* () {
      const { sockets, server } = yield* Effect.sync(() => {
        const server = http.createServer()
        return { server, sockets: new WebSocketServer({ server }) }
      })
      yield* Effect.promise(async () => {
        const hands = []
        for (let i = 0; i < 4; i++) hands.push(await openHand(server))
        const [first, second] = hands
        assert.isDefined(first)
        assert.isDefined(second)
        if (first === undefined || second === undefined) return
        first.holding = second.holding = true
        const expected: Array<Array<string>> = hands.map(() => [])
        for (let index = 0; index < 2000; index++) {
          let who = 0
          for (const socket of sockets.clients) {
            const text = textFor(who, index)
            expected[who]?.push(text)
            socket.send(text)
            who++
          }
          if (index % 5 === 0) await new Promise((resolve) => setImmediate(resolve))
          if (index === 1200) first.release()
        }
        second.release()
        await new Promise((resolve) => setImmediate(resolve))
        for (const [who, hand] of hands.entries()) {
          assert.deepStrictEqual(payloads(hand.kept).map(String), expected[who], `connection ${who}`)
          hand.destroy()
        }
      })
    })
  )

  for (const secure of [false, true]) {
    const where = secure ? "by TLS" : "by TCP"
    for (const name of names) {
      it.live(`${where}, ${name}, when peers read late`, () =>
        Effect.gen(function* () {
          const certificate = secure ? makeCertificate() : undefined
          const port = yield* effectEcho(name, () => {}, certificate)
          yield* checkSockets(port, certificate, 4, secure ? 4000 : 12_000)
        })
      )
    }
    it.live(`${where}, callback face, when peers read late`, () =>
      Effect.gen(function* () {
        const certificate = secure ? makeCertificate() : undefined
        const port = yield* callbackEcho(() => {}, certificate)
        yield* checkSockets(port, certificate, 4, secure ? 4000 : 12_000)
      })
    )
  }

  it.live("by an HTTP/2 stream whose peer reads late", () =>
    Effect.gen(function* () {
      const count = 3000
      const certificate = makeCertificate()
      const sockets = new WebSocketServer({ noServer: true })
      sockets.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })))
      const server = http2.createSecureServer(certificate)
      server.on("stream", (stream) => {
        stream.respond({ ":status": 200 })
        // The opening handshake travels inside the stream, as it would on a connection of its own.
        stream.once("data", (head: Buffer) => {
          assert.isTrue(head.toString().endsWith("\r\n\r\n"))
          stream.pause()
          const request = new http.IncomingMessage(new net.Socket())
          Object.assign(request, { method: "GET", url: "/", httpVersion: "1.1" })
          Object.assign(request.headers, {
            host: "localhost",
            upgrade: "websocket",
            connection: "Upgrade",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="
          })
          sockets.handleUpgrade(request, stream, Buffer.alloc(0), (socket) =>
            sockets.emit("connection", socket, request)
          )
        })
      })
      const session = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          server.listen(0, "127.0.0.1")
          await once(server, "listening")
          const { port } = server.address() as net.AddressInfo
          return http2.connect(`https://localhost:${port}`, { ca: certificate.cert, host: "127.0.0.1" })
        }),
        (session) =>
          Effect.sync(() => {
            session.destroy()
            server.close()
          })
      )
      yield* Effect.promise(async () => {
        const peers = await Promise.all(
          Array.from({ length: 4 }, async () => {
            const peer = new Peer(session.request({ ":method": "POST" }, { endStream: false }))
            await peer.open("/")
            return peer
          })
        )
        const got = peers.map((peer) => {
          const texts: Array<string> = []
          peer.onFrame = (frame) => texts.push(Buffer.from(frame.payload).toString())
          return texts
        })
        peers[0]?.transport.pause()
        for (let index = 0; index < count; index++) {
          for (const [who, peer] of peers.entries()) {
            peer.transport.write(Frame.encode(Frame.text(textFor(who, index)), { mask: true }))
          }
          if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
          if (index === count / 2) peers[0]?.transport.resume()
        }
        await until(() => got.every((texts) => texts.length >= count))
        for (const [who, texts] of got.entries()) {
          assert.deepStrictEqual(
            texts,
            Array.from({ length: count }, (_, index) => textFor(who, index)),
            `stream ${who}`
          )
          peers[who]?.transport.destroy()
        }
      })
    })
  )
})
