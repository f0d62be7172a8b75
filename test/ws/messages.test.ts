// Messages on an open connection: what is sent, what arrives, and when callers hear of it.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { describe } from "@effect/vitest"
import { once } from "node:events"
import type { WebSocket } from "ws"
import { attempt, closed, frame, type Lab, plain, requestHead, same, sameEach, settled, until } from "./lab.ts"

/** The next messages of a socket. */
const messages = (socket: WebSocket, count: number): Promise<ReadonlyArray<unknown>> =>
  new Promise((resolve) => {
    const all: Array<unknown> = []
    socket.on("message", (data, isBinary) => {
      all.push([plain(data), isBinary])
      if (all.length === count) resolve(all)
    })
  })

/** Sends from a server, and logs the frames that a bare client gets. */
const sent =
  (send: (socket: WebSocket, lab: Lab) => unknown, frames = 1, head?: string) =>
  async (lab: Lab): Promise<void> => {
    const { raw, socket } = await lab.rawPair({ perMessageDeflate: head !== undefined }, head)
    socket.on("error", (error) => lab.note("error", error))
    lab.note(await send(socket, lab))
    await until(() => lab.wire.length >= frames)
    lab.note(socket.bufferedAmount, socket.readyState)
    raw.socket.destroy()
  }

const cyclic = Object.assign(Object.create(null), { valueOf: () => "text of an object" })

describe("what can be sent [method:send]", () => {
  const values: ReadonlyArray<readonly [string, unknown]> = [
    ["a string", "häß"],
    ["an empty string", ""],
    ["a number", 42],
    ["zero", 0],
    ["a buffer", Buffer.from("abc")],
    ["an empty buffer", Buffer.alloc(0)],
    ["floats", new Float32Array([1, 2])],
    ["a view", new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2)],
    ["an ArrayBuffer", new Uint8Array([1, 2, 3]).buffer],
    ["an array of numbers", [1, 2, 3]],
    ["an object with valueOf", cyclic],
    ["an array-like", { length: 2, 0: 7, 1: 8 }],
    ["a shared buffer", new SharedArrayBuffer(3)],
    ["true", true],
    ["a plain object", {}],
    ["a symbol", Symbol.iterator],
    ["a bigint", 5n],
    ["null", null],
    ["undefined", undefined],
    ["false", false],
    ["NaN", NaN],
    ["a date", new Date(0)]
  ]
  const options: ReadonlyArray<readonly [string, unknown]> = [
    ["nothing", undefined],
    ["binary", { binary: true }],
    ["text", { binary: false }],
    ["undefined binary", { binary: undefined }],
    ["masked", { mask: true }],
    ["the first part", { fin: false }]
  ]
  sameEach(
    "values and options",
    values.flatMap(([value, data]) =>
      options.map(
        ([name, option]) =>
          [
            `${value}, ${name}`,
            sent(
              (socket) =>
                attempt(() => Reflect.apply(socket.send, socket, option === undefined ? [data] : [data, option])),
              0
            )
          ] as const
      )
    )
  )
  sameEach("lengths [send:mask]", [
    ...[125, 126, 65_535, 65_536, 200_000].map(
      (length) => [`${length} bytes`, sent((socket) => socket.send(Buffer.alloc(length, 1)))] as const
    ),
    ...[125, 126, 16_383, 16_384, 65_536].map(
      (length) => [`${length} characters`, sent((socket) => socket.send("ä".repeat(length)))] as const
    ),
    ["masked bytes", sent((socket) => socket.send(Buffer.alloc(300, 1), { mask: true }))],
    ["masked text", sent((socket) => socket.send("häßlich", { mask: true }))]
  ])
  sameEach("parts of messages [send:fin] [send:binary]", [
    [
      "three",
      sent((socket) => {
        socket.send("a", { fin: false })
        socket.send("b", { fin: false })
        socket.send("c", { fin: true })
        socket.send("d")
      }, 4)
    ],
    [
      "the last one by default",
      sent((socket) => {
        socket.send(Buffer.from("a"), { fin: false })
        socket.send("b")
        socket.send("c")
      }, 3)
    ],
    [
      "with a ping between",
      sent((socket) => {
        socket.send("a", { fin: false })
        socket.ping("b")
        socket.send("c", { fin: true })
      }, 3)
    ],
    [
      "never ended",
      sent((socket) => {
        socket.send("a", { fin: false })
        socket.close(1000)
      }, 2)
    ]
  ])
  sameEach("blobs", [
    ["one", sent((socket) => socket.send(new Blob(["abc"]) as never))],
    ["as text", sent((socket) => socket.send(new Blob(["abc"]) as never, { binary: false }))],
    [
      "in order with others",
      sent((socket, lab) => {
        socket.send("a", () => lab.note("a"))
        socket.send(new Blob(["b"]) as never, () => lab.note("b"))
        socket.send("c", () => lab.note("c"))
        socket.ping("d", undefined, () => lab.note("d"))
        socket.send(new Blob(["e"]) as never, { fin: false }, () => lab.note("e"))
        socket.send("f", { fin: true }, () => lab.note("f"))
        const amount = socket.bufferedAmount
        socket.close(4000, "g")
        return [amount, socket.readyState]
      }, 7)
    ],
    ["in a ping", sent((socket) => Reflect.apply(socket.ping, socket, [new Blob(["abc"])]))],
    [
      "too large for a ping",
      sent((socket) => attempt(() => Reflect.apply(socket.ping, socket, [new Blob(["x".repeat(126)])])), 0)
    ],
    [
      "one that can't be read",
      async (lab) => {
        const { raw, socket } = await lab.rawPair()
        lab.observe(socket, "server")
        const blob = Object.assign(new Blob(["abc"]), { arrayBuffer: () => Promise.reject(new Error("gone")) })
        socket.send("before")
        socket.send(blob as never, (error) => lab.note("first", error))
        socket.send("after", (error) => lab.note("second", error))
        raw.socket.on("end", () => raw.socket.end())
        await closed(socket)
      }
    ],
    [
      "the connection is lost meanwhile",
      async (lab) => {
        const { socket } = await lab.rawPair()
        lab.observe(socket, "server")
        socket.send(new Blob(["abc"]) as never, (error) => lab.note("first", error?.constructor.name))
        socket.send("after", (error) => lab.note("second", error?.constructor.name))
        socket.terminate()
        await closed(socket)
        await settled(10)
      }
    ]
  ])
})

describe("pings and pongs [method:ping] [method:pong] [event:ping] [event:pong]", () => {
  const args: ReadonlyArray<readonly [string, ReadonlyArray<unknown>]> = [
    ["nothing", []],
    ["text", ["abc"]],
    ["a number", [7]],
    ["bytes", [Buffer.from("abc")]],
    ["125 bytes", ["x".repeat(125)]],
    ["126 bytes", ["x".repeat(126)]],
    ["126 bytes in 63 characters", ["ä".repeat(63)]],
    ["masked", ["abc", true]],
    ["not masked", ["abc", false]],
    ["an array", [[1, 2]]],
    ["an object", [{}]],
    ["null", [null]]
  ]
  for (const verb of ["ping", "pong"] as const) {
    sameEach(
      `arguments of ${verb}`,
      args.map(
        ([name, given]) =>
          [name, sent((socket) => attempt(() => Reflect.apply(socket[verb], socket, given)), 0)] as const
      )
    )
  }
  sameEach("callbacks", [
    [
      "first",
      sent((socket, lab) =>
        Reflect.apply(socket.ping, socket, [(...all: Array<unknown>) => lab.note("called", all.length)])
      )
    ],
    [
      "second",
      sent((socket, lab) =>
        Reflect.apply(socket.ping, socket, ["a", (...all: Array<unknown>) => lab.note("called", all.length)])
      )
    ],
    ["third", sent((socket, lab) => socket.ping("a", undefined, (error) => lab.note("called", Boolean(error))))]
  ])
  same("both ways", async (lab) => {
    const { client, remote } = await lab.pair()
    lab.observe(client, "client")
    lab.observe(remote, "server")
    client.ping("from the client")
    remote.ping(Buffer.from("from the server"))
    await Promise.all([once(client, "pong"), once(remote, "pong")])
    client.pong("unasked")
    await once(remote, "pong")
  })
  same("no answers but the caller's [option:autoPong]", async (lab) => {
    const { client, remote } = await lab.pair({ autoPong: false })
    lab.observe(client, "client")
    remote.on("ping", (data) => remote.pong(`mine: ${String(data)}`))
    client.ping("a")
    await once(client, "pong")
  })
})

describe("callbacks of send", () => {
  same("in order, after the call, with no error", async (lab) => {
    const { client, remote } = await lab.pair()
    const all = messages(remote, 5)
    client.send("a", (...args) => lab.note("a", args.length, args[0] ?? "none"))
    client.send("b", {}, (...args) => lab.note("b", args.length))
    client.ping("", undefined, () => lab.note("ping"))
    Reflect.apply(client.send, client, ["c", undefined, () => lab.note("c")])
    Reflect.apply(client.send, client, ["d", null, () => lab.note("d")])
    client.send(Buffer.alloc(100_000), () => lab.note("e"))
    lab.note("sent")
    lab.note(await all)
    await settled()
  })
  same("a callback that sends, and one that closes", async (lab) => {
    const { client, remote } = await lab.pair()
    lab.observe(client, "client")
    lab.observe(remote, "server")
    client.send("a", () => client.send("b", () => client.close(4001)))
    await Promise.all([closed(client), closed(remote)])
  })
  same("when it is too late [property:bufferedAmount]", async (lab) => {
    const { client, remote } = await lab.pair()
    client.close()
    lab.note(client.readyState, client.bufferedAmount)
    client.send("abc", (error) => lab.note("first", error))
    client.send("abc")
    client.ping("de", undefined, (error) => lab.note("ping", error))
    client.pong("")
    lab.note("called", client.bufferedAmount > 0)
    await Promise.all([closed(client), closed(remote)])
    client.send(Buffer.alloc(10), (error) => lab.note("last", error))
    lab.note(attempt(() => Reflect.apply(client.send, client, [{}])))
    await settled()
  })
  same("when the connection is terminated", async (lab) => {
    const { client, remote } = await lab.pair()
    const got = once(remote, "message")
    client.send("out before", (error) => lab.note("callback", error ?? "none"))
    client.terminate()
    lab.note(client.readyState)
    lab.note(String((await got)[0]))
    await closed(client)
  })
  same("a peer that doesn't read [property:bufferedAmount]", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    lab.observe(socket, "server", "close", "error")
    raw.socket.pause()
    let errors = 0
    let calls = 0
    for (let count = 0; count < 400; count++) {
      socket.send(Buffer.alloc(100_000), (error) => {
        calls++
        if (error) errors++
      })
    }
    lab.note(socket.bufferedAmount > 1_000_000)
    await settled()
    raw.socket.destroy()
    await closed(socket)
    await settled()
    lab.note(calls, errors > 0)
    lab.wire.length = 0
  })
  same("nothing waits once the system has taken all", async (lab) => {
    const { client, remote } = await lab.pair()
    const all = messages(remote, 2)
    client.send("abc")
    lab.note(client.bufferedAmount)
    client.send(Buffer.alloc(20_000))
    lab.note(client.bufferedAmount)
    await all
    lab.note(client.bufferedAmount)
  })
})

describe("what arrives [property:binaryType] [event:message]", () => {
  const types = ["nodebuffer", "arraybuffer", "fragments", "blob", "other", undefined]
  sameEach(
    "in every type",
    types.map(
      (type) =>
        [
          String(type),
          async (lab: Lab) => {
            const { raw, socket } = await lab.rawPair()
            Reflect.set(socket, "binaryType", type)
            lab.note(socket.binaryType)
            lab.observe(socket, "server", "message")
            raw.socket.write(
              Buffer.concat([
                frame(0x82, "whole", { mask: true }),
                frame(0x82, "", { mask: true }),
                frame(0x81, "text", { mask: true }),
                frame(0x02, "pa", { mask: true }),
                frame(0x00, "", { mask: true }),
                frame(0x80, "rts", { mask: true }),
                frame(0x01, "te", { mask: true }),
                frame(0x80, "xt", { mask: true })
              ])
            )
            await messages(socket, 5)
          }
        ] as const
    )
  )
  same("changed on the way", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    const order = ["arraybuffer", "fragments", "blob", "nodebuffer"] as const
    lab.observe(socket, "server", "message")
    let at = 0
    socket.on("message", () => Reflect.set(socket, "binaryType", order[at++]))
    raw.socket.write(Buffer.concat(Array.from({ length: 5 }, (_, index) => frame(0x82, `m${index}`, { mask: true }))))
    await messages(socket, 5)
  })
  same("set before the connection is open", async (lab) => {
    const { port, server } = await lab.server()
    server.on("connection", (socket) => socket.send(Buffer.from("abc")))
    const client = lab.client(port)
    client.binaryType = "arraybuffer"
    lab.observe(client, "client", "message")
    await once(client, "message")
  })
  same("behind the response", async (lab) => {
    const { server } = await lab.http()
    const sockets = new lab.lib.WebSocketServer({ noServer: true })
    server.on("upgrade", (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (socket) => {
        socket.send("first")
        socket.send("second")
        lab.observe(socket, "server", "message")
      })
    })
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const client = lab.observe(lab.client(port), "client", "message", "open")
    await messages(client, 2)
    await lab.rawClient(port, Buffer.concat([Buffer.from(requestHead()), frame(0x81, "with the head", { mask: true })]))
    await settled(5)
  })
})

describe("several events in one read [option:allowSynchronousEvents]", () => {
  const batch = (mask: boolean): Buffer =>
    Buffer.concat([
      frame(0x81, "one", { mask }),
      frame(0x89, "two", { mask }),
      frame(0x82, "three", { mask }),
      frame(0x8a, "four", { mask }),
      frame(0x81, "five", { mask }),
      frame(0x88, Buffer.from([3, 232]), { mask })
    ])
  for (const allowSynchronousEvents of [true, false]) {
    same(`allowSynchronousEvents ${allowSynchronousEvents}: microtasks and ticks between`, async (lab) => {
      const { raw, socket } = await lab.rawPair({ allowSynchronousEvents })
      lab.observe(socket, "server")
      for (const event of ["message", "ping", "pong"]) {
        socket.on(event, (data: unknown) => {
          void Promise.resolve().then(() => lab.note("microtask after", data))
          process.nextTick(() => lab.note("tick after", data))
        })
      }
      const gone = closed(socket)
      raw.socket.on("end", () => raw.socket.end())
      raw.socket.write(batch(true))
      await gone
    })
    same(`allowSynchronousEvents ${allowSynchronousEvents}: a client`, async (lab) => {
      const { raw, socket } = await lab.rawAccepted({ allowSynchronousEvents })
      lab.observe(socket, "client")
      const gone = closed(socket)
      raw.socket.on("end", () => raw.socket.end())
      raw.socket.write(batch(false))
      await gone
    })
    for (const verb of ["pause", "close", "terminate"] as const) {
      same(
        `allowSynchronousEvents ${allowSynchronousEvents}: ${verb} at the second message  [property:isPaused]`,
        async (lab) => {
          const { raw, socket } = await lab.rawPair({ allowSynchronousEvents })
          lab.observe(socket, "server")
          let seen = 0
          socket.on("message", () => {
            if (++seen !== 2) return
            socket[verb]()
            lab.note(verb, socket.readyState, socket.isPaused)
            socket.send("answer", (error) => lab.note("answer", error?.message))
          })
          await raw.deliver(socket, Buffer.concat([batch(true).subarray(0, -8), frame(0x81, "six", { mask: true })]))
          await settled(20)
          raw.socket.write(frame(0x81, "seven", { mask: true }))
          await settled(20)
          lab.note("resume", socket.readyState, socket.isPaused)
          socket.resume()
          await settled(20)
          lab.note(socket.readyState, socket.isPaused)
          raw.socket.end()
          await closed(socket)
        }
      )
    }
  }
})

describe("pausing [method:pause] [method:resume] [property:isPaused]", () => {
  same("nothing is told meanwhile, everything afterwards", async (lab) => {
    const { client, remote } = await lab.pair()
    lab.observe(remote, "server")
    remote.pause()
    lab.note(remote.isPaused)
    client.send("a")
    client.send("b")
    await settled(10)
    lab.note("resume")
    const all = messages(remote, 2)
    remote.resume()
    lab.note(remote.isPaused)
    await all
    remote.resume()
    remote.pause()
    remote.pause()
    lab.note(remote.isPaused)
  })
  same("the peer closes meanwhile", async (lab) => {
    const { client, remote } = await lab.pair()
    lab.observe(remote, "server")
    remote.pause()
    client.send("a")
    client.close(4000, "bye")
    await settled(10)
    lab.note(remote.readyState, remote.isPaused)
    remote.resume()
    await Promise.all([closed(client), closed(remote)])
    lab.note(
      remote.isPaused,
      attempt(() => remote.pause()),
      attempt(() => remote.resume()),
      remote.isPaused
    )
  })
  same("the connection is terminated meanwhile", async (lab) => {
    const { client, remote } = await lab.pair()
    lab.observe(remote, "server")
    client.send("a")
    client.send("b")
    remote.pause()
    await until(() => Reflect.get(remote, "_socket").readableLength > 0)
    remote.terminate()
    lab.note(remote.readyState)
    await Promise.all([closed(client), closed(remote)])
  })
})

describe("compression [send:compress] [deflate:threshold]", () => {
  const text = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `name ${id}` })))
  const takeovers = [
    true,
    { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 100 },
    { threshold: 100 }
  ]
  sameEach(
    "both ways",
    takeovers.flatMap((perMessageDeflate, index) =>
      ([text, "short", "", Buffer.alloc(200_000, 3), "x".repeat(99), "x".repeat(100)] as const).map(
        (data) =>
          [
            `${index}: ${String(data).length}`,
            async (lab: Lab) => {
              const { client, remote } = await lab.pair({ perMessageDeflate }, { perMessageDeflate })
              lab.note(client.extensions, remote.extensions)
              remote.on("message", (data, isBinary) => remote.send(data, { binary: isBinary }))
              const all = messages(client, 4)
              client.send(data, (error) => lab.note("written", error ?? "none"))
              client.send(data, { compress: false })
              client.send(data, { fin: false })
              client.send(data, { fin: false })
              client.send(data, { fin: true })
              client.send("last")
              lab.note(await all)
            }
          ] as const
      )
    )
  )
  /** The first byte of each frame tells what was compressed. */
  const firstBytes =
    (head: string, perMessageDeflate: object | boolean) =>
    async (lab: Lab): Promise<void> => {
      const { raw, socket } = await lab.rawPair({ perMessageDeflate }, head)
      for (const length of [0, 10, 1023, 1024, 5000]) {
        socket.send("x".repeat(length))
        socket.send(Buffer.alloc(length), { compress: false })
        socket.send("x".repeat(length), { fin: false })
        socket.send("x".repeat(length), { fin: false })
        socket.send("x", { fin: true })
      }
      socket.ping("x")
      await until(() => lab.wire.length >= 26)
      lab.note(lab.wire.map(([, first]) => first))
      lab.wire.length = 0
      raw.socket.destroy()
    }
  const offer = (params: string): string => requestHead([`Sec-WebSocket-Extensions: permessage-deflate${params}`])
  sameEach("what is compressed", [
    ["with takeover", firstBytes(offer(""), true)],
    ["without", firstBytes(offer("; server_no_context_takeover"), true)],
    ["without, threshold 10", firstBytes(offer("; server_no_context_takeover"), { threshold: 10 })],
    ["without, threshold 0", firstBytes(offer("; server_no_context_takeover"), { threshold: 0 })],
    ["not negotiated", firstBytes(requestHead(), true)]
  ])
  same("many at once, in order [deflate:concurrencyLimit]", async (lab) => {
    const { client, remote } = await lab.pair({ perMessageDeflate: { concurrencyLimit: 2 } })
    const all = messages(remote, 60)
    for (let count = 0; count < 20; count++) {
      client.send(`large ${count} ${text.repeat(10)}`)
      client.send(`small ${count}`)
      client.send(Buffer.alloc(count), { compress: false })
    }
    lab.note(await all)
  })
  same("closed while messages wait", async (lab) => {
    const { client, remote } = await lab.pair({ perMessageDeflate: true })
    lab.observe(remote, "server")
    let written = 0
    for (let count = 0; count < 5; count++) {
      client.send(text.repeat(20), (error) => {
        if (!error) written++
      })
    }
    client.close(4000)
    lab.note(client.readyState, client.bufferedAmount > 0)
    await Promise.all([closed(client), closed(remote)])
    lab.note(written)
  })
  same("terminated while messages wait", async (lab) => {
    const { client, remote } = await lab.pair({ perMessageDeflate: true })
    let errors = 0
    let calls = 0
    for (let count = 0; count < 5; count++) {
      client.send(text.repeat(2000), (error) => {
        calls++
        if (error) errors++
      })
    }
    client.terminate()
    await Promise.all([closed(client), closed(remote)])
    await settled(20)
    lab.note(calls, errors)
  })
})

describe("masking keys [option:generateMask]", () => {
  same("are the caller's", async (lab) => {
    const lengths: Array<number> = []
    const generateMask = (mask: Buffer): void => {
      lengths.push(mask.length)
      mask.fill(lengths.length)
    }
    const { raw, socket } = await lab.rawAccepted({ generateMask })
    socket.send("text")
    socket.send(Buffer.alloc(200, 9))
    socket.ping("p")
    socket.close(1000)
    raw.socket.on("data", (bytes: Buffer) => lab.note("mask", [...bytes.subarray(2, 6)]))
    await settled(10)
    lab.note(lengths)
    lab.log.splice(0, lab.log.length, lab.log.at(-1) ?? [])
    raw.socket.destroy()
  })
  same("unmasked at the caller's wish", async (lab) => {
    const { raw, socket } = await lab.rawAccepted()
    socket.send("text", { mask: false })
    socket.send(Buffer.alloc(200, 9), { mask: true })
    socket.ping("p", false)
    await settled(10)
    raw.socket.destroy()
  })
})

describe("options of zlib [deflate:zlibDeflateOptions] [deflate:zlibInflateOptions]", () => {
  same("the level counts", async (lab) => {
    const sizes: Array<number> = []
    for (const level of [0, 9]) {
      const options = { zlibDeflateOptions: { level, memLevel: 9 }, zlibInflateOptions: { chunkSize: 1024 } }
      const head = requestHead(["Sec-WebSocket-Extensions: permessage-deflate"])
      const { raw, socket } = await lab.rawPair({ perMessageDeflate: options }, head)
      let size = 0
      raw.socket.on("data", (chunk) => (size += chunk.length))
      socket.send("a".repeat(5000))
      await until(() => lab.wire.length > 0)
      sizes.push(size)
      lab.wire.length = 0
      raw.socket.destroy()
    }
    lab.note(sizes)
  })
})
