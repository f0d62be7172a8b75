import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope, Stream } from "effect"
import { Server, Socket } from "effect-ws"
import * as net from "node:net"
import type { AddressInfo } from "node:net"
import type { ProxyStep } from "../src/internal/client/proxyClient.ts"
import { Socks5Client } from "../src/internal/client/socks5.ts"
import { makeCertificate } from "./support/certificate.ts"

/** What a proxy was asked for, in hexadecimal, and where it listens. */
interface Proxy {
  readonly port: number
  readonly asked: Array<string>
}

interface Behaviour {
  /** The user and password that it demands. */
  readonly demands?: readonly [user: string, password: string]
  /** What it answers to a request, when it doesn't serve it. */
  readonly refuses?: number
  /** It answers with a name, not an address. */
  readonly namesItself?: boolean
  /** It sends what it has to say byte by byte. */
  readonly slowly?: boolean
}

/** A SOCKS 5 proxy of our own, which connects everybody to the loopback address. */
const proxy = (behaviour: Behaviour = {}): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: net.Server; readonly proxy: Proxy; readonly open: Set<net.Socket> }>(
      (resume) => {
        const asked: Array<string> = []
        const open = new Set<net.Socket>()
        const server = net.createServer((client) => {
          open.add(client)
          client.on("error", () => {})
          void serve(client, behaviour, asked)
        })
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as AddressInfo
          resume(Effect.succeed({ server, open, proxy: { port, asked } }))
        })
      }
    ),
    ({ open, server }) =>
      Effect.sync(() => {
        for (const socket of open) socket.destroy()
        server.close()
      })
  ).pipe(Effect.map(({ proxy }) => proxy))

const serve = async (client: net.Socket, behaviour: Behaviour, asked: Array<string>): Promise<void> => {
  let buffered = Buffer.alloc(0)
  let wake: (() => void) | undefined
  const onData = (chunk: Buffer): void => {
    buffered = Buffer.concat([buffered, chunk])
    wake?.()
  }
  client.on("data", onData)
  client.once("close", () => wake?.())
  const read = async (count: number): Promise<Buffer> => {
    while (buffered.length < count) {
      if (client.destroyed) throw new Error("the client went away")
      await new Promise<void>((resolve) => (wake = resolve))
    }
    const taken = buffered.subarray(0, count)
    buffered = buffered.subarray(count)
    return taken
  }
  const say = async (bytes: ReadonlyArray<number>): Promise<void> => {
    const pieces = behaviour.slowly === true ? bytes.map((byte) => [byte]) : [bytes]
    for (const piece of pieces) {
      client.write(Buffer.from(piece))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  try {
    const [, count = 0] = await read(2)
    const methods = [...(await read(count))]
    if (behaviour.demands !== undefined) {
      if (!methods.includes(2)) return void (await say([5, 0xff]))
      await say([5, 2])
      const [, size = 0] = await read(2)
      const user = (await read(size)).toString()
      const [length = 0] = await read(1)
      const password = (await read(length)).toString()
      const known = user === behaviour.demands[0] && password === behaviour.demands[1]
      await say([1, known ? 0 : 1])
      if (!known) return
    } else {
      await say([5, 0])
    }
    const head = await read(4)
    const size = head[3] === 1 ? 4 : head[3] === 4 ? 16 : 0
    const name = size === 0 ? await read(1) : Buffer.alloc(0)
    const address = await read(size === 0 ? (name[0] ?? 0) : size)
    const port = await read(2)
    asked.push(Buffer.concat([head, name, address, port]).toString("hex"))
    if (behaviour.refuses !== undefined) return void (await say([5, behaviour.refuses, 0, 1, 0, 0, 0, 0, 0, 0]))
    const server = net.connect(port.readUInt16BE(0), "127.0.0.1")
    server.on("error", () => client.destroy())
    server.once("connect", () => {
      const bound = behaviour.namesItself === true ? [3, 2, 0x6d, 0x65] : [1, 127, 0, 0, 1]
      void say([5, 0, 0, ...bound, 0, 80]).then(() => {
        client.off("data", onData)
        if (buffered.length > 0) server.write(buffered)
        client.pipe(server).pipe(client)
      })
    })
  } catch {
    client.destroy()
  }
}

const echo = (tls?: { readonly key: string; readonly cert: string }) =>
  Effect.gen(function* () {
    const server = yield* Server.make({ port: 0, host: "127.0.0.1", tls })
    yield* Effect.forkScoped(server.run((socket) => Stream.runForEach(socket.messages, socket.send)))
    return server.address.port
  })

const roundTrip = (url: string, options: Socket.ConnectOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const socket = yield* Socket.connect(url, options)
      yield* socket.send("through")
      return yield* Stream.runCollect(Stream.take(socket.messages, 1))
    })
  )

const failureOf = (url: string, options: Socket.ConnectOptions) =>
  Effect.map(Effect.flip(Effect.scoped(Socket.connect(url, options))), ({ message, reason }) => {
    assert.strictEqual(reason._tag, "OpenFailed")
    return message
  })

const portBytes = (port: number): string => port.toString(16).padStart(4, "0")

/** What a client says to a proxy whose bytes come so. */
const steps = (cuts: ReadonlyArray<Buffer>): ReadonlyArray<string> => {
  const client = new Socks5Client({ host: "h", port: 443, credentials: { user: "u", password: "p" } })
  const seen: Array<string> = []
  let rest = ""
  let open = false
  for (const cut of cuts) {
    if (open) {
      rest += cut.toString("hex")
      continue
    }
    const step: ProxyStep = client.receive(cut)
    if (step._tag === "Send") seen.push(Buffer.from(step.bytes).toString("hex"))
    if (step._tag === "Refused") seen.push(step.message)
    if (step._tag === "Open") {
      open = true
      rest = step.rest.toString("hex")
    }
  }
  return [...seen, `open ${rest}`]
}

const answer = (...parts: ReadonlyArray<string>): ProxyStep => {
  const client = new Socks5Client({ host: "h", port: 443, credentials: undefined })
  return parts.map((part) => client.receive(Buffer.from(part, "hex"))).at(-1) ?? { _tag: "Wait" }
}

const named = (length: number) =>
  new Socks5Client({ host: "n".repeat(length), port: 80, credentials: undefined }).invalid

describe("SOCKS 5", () => {
  it.live("the proxy is asked for the name of the server, without a password", () =>
    Effect.gen(function* () {
      const port = yield* echo()
      const via = yield* proxy()
      const answer = yield* roundTrip(`ws://localhost:${port}/`, { proxy: `socks5://127.0.0.1:${via.port}` })
      assert.deepStrictEqual(answer, ["through"])
      const name = Buffer.from("localhost").toString("hex")
      assert.deepStrictEqual(via.asked, [`0501000309${name}${portBytes(port)}`])
    })
  )

  it.live("addresses are sent as addresses; answers may come byte by byte, and name the proxy", () =>
    Effect.gen(function* () {
      const port = yield* echo()
      const via = yield* proxy({ slowly: true, namesItself: true })
      const options = { proxy: `socks5h://127.0.0.1:${via.port}` }
      assert.deepStrictEqual(yield* roundTrip(`ws://127.0.0.1:${port}/`, options), ["through"])
      assert.deepStrictEqual(yield* roundTrip(`ws://[2001:db8::1:2]:${port}/`, options), ["through"])
      assert.deepStrictEqual(via.asked, [
        `050100017f000001${portBytes(port)}`,
        `0501000420010db8000000000000000000010002${portBytes(port)}`
      ])
    })
  )

  it.live("user and password are sent when they are demanded, and TLS goes through", () =>
    Effect.gen(function* () {
      const certificate = makeCertificate()
      const port = yield* echo(certificate)
      const via = yield* proxy({ demands: ["me@home", "s:ecret"] })
      const options = { tls: { ca: certificate.cert } }
      const url = `wss://localhost:${port}/`
      const good = `socks5://me%40home:s%3Aecret@127.0.0.1:${via.port}`
      assert.deepStrictEqual(yield* roundTrip(url, { ...options, proxy: good }), ["through"])
      const bad = `socks5://me:wrong@127.0.0.1:${via.port}`
      assert.match(yield* failureOf(url, { ...options, proxy: bad }), /it does not accept the user and the password/)
      const none = `socks5://127.0.0.1:${via.port}`
      assert.match(yield* failureOf(url, { ...options, proxy: none }), /it demands a user and a password/)
    })
  )

  it.live("a refusal says why", () =>
    Effect.gen(function* () {
      for (const [refuses, why] of [
        [2, /its rules do not allow it/],
        [4, /the host is unreachable/],
        [5, /the connection was refused/],
        [99, /it answered 99/]
      ] as const) {
        const via = yield* proxy({ refuses })
        const message = yield* failureOf("ws://example.com/", { proxy: `socks5://127.0.0.1:${via.port}` })
        assert.match(message, why)
        assert.match(message, /the proxy 127\.0\.0\.1:\d+ gives no way to example\.com:80/)
      }
    })
  )

  it.live("a proxy that isn't there, isn't one, or isn't named right is a failure", () =>
    Effect.gen(function* () {
      const port = yield* echo()
      assert.match(yield* failureOf("ws://a/", { proxy: "socks5://127.0.0.1:1" }), /cannot connect to the proxy/)
      // An HTTP server answers 400 to what it can't read.
      const message = yield* failureOf("ws://a/", { proxy: `socks5://127.0.0.1:${port}` })
      assert.match(message, /it does not speak SOCKS 5|socket hang up/)
      for (const wrong of ["ftp://a", "nonsense", ""]) {
        assert.match(yield* failureOf("ws://a/", { proxy: wrong }), /must begin with http:, https: or socks5:/)
      }
    })
  )

  it("users, passwords and names have 1 to 255 bytes, and 255 of a name", () => {
    const target = { host: "example.com", port: 80 }
    const invalid = (user: string, password: string) =>
      new Socks5Client({ ...target, credentials: { user, password } }).invalid
    assert.isUndefined(invalid("u".repeat(255), "p".repeat(255)))
    assert.isDefined(invalid("u".repeat(256), "p"))
    assert.isDefined(invalid("u", "ä".repeat(128)))
    assert.isDefined(invalid("u", ""))
    assert.isUndefined(named(255))
    assert.isDefined(named(256))
  })

  it("gives the same steps however the proxy's bytes are cut, and keeps what is from beyond it", () => {
    const bytes = Buffer.from("050201000500000104030201ffff48495454", "hex")
    const expected = ["0101750170", "05010003016801bb", "open 48495454"]
    // A proxy answers only what it was sent, so its answers never come together.
    const answers = [bytes.subarray(0, 2), bytes.subarray(2, 4), bytes.subarray(4)]
    assert.deepStrictEqual(steps(answers), expected)
    assert.deepStrictEqual(steps([...bytes].map((byte) => Buffer.of(byte))), expected)
  })

  it("refuses answers that are none of SOCKS 5", () => {
    assert.strictEqual(answer("0400")._tag, "Refused")
    assert.strictEqual(answer("0502")._tag, "Refused")
    assert.strictEqual(answer("0500", "04000001")._tag, "Refused")
    assert.strictEqual(answer("0500", "0500000900")._tag, "Refused")
    assert.strictEqual(answer("0500", "05000001000000000050")._tag, "Open")
  })
})
