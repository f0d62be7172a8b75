// What programs use of a connection of `ws` besides its documented members, and what they replace in Node's modules.
import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { type EventEmitter, once } from "node:events"
import { openAsBlob } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import http from "node:http"
import net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tls from "node:tls"
import { promisify } from "node:util"
import type { ClientOptions, ServerOptions, WebSocket } from "ws"
import { closed, frame, type Lab, plain, same, sameEach, type Script, settled, until } from "./lab.ts"

interface Inside extends EventEmitter {
  _maxPayload: number
  _binaryType: string
  _isServer: boolean
  _extensions: { readonly [name: string]: { readonly _maxPayload: number; readonly _threshold: number } | undefined }
  end(): void
  write(bytes: Buffer): void
}

const receiverOf = (socket: WebSocket): Inside => Reflect.get(socket, "_receiver")

const transportOf = (socket: WebSocket): net.Socket => Reflect.get(socket, "_socket")

/** A socket of a server, its bare client, and the log of its events. */
const observed = async (lab: Lab, options = {}) => {
  const { raw, socket } = await lab.rawPair(options)
  lab.observe(socket, "server")
  raw.socket.on("end", () => raw.socket.end())
  return { raw, socket }
}

const masked = (first: number, payload: Buffer | string): Buffer => frame(first, payload, { mask: true })

describe("_receiver", () => {
  same("is null before the connection is open, and a Receiver afterwards", async (lab) => {
    const { port } = await lab.server({ perMessageDeflate: true, maxPayload: 1000 })
    const client = lab.client(port, { maxPayload: 2000 })
    lab.note(receiverOf(client), Reflect.get(client, "_sender"))
    await once(client, "open")
    const receiver = receiverOf(client)
    lab.note(receiver === receiverOf(client), receiver instanceof Reflect.get(lab.lib, "Receiver"))
    lab.note(receiver._maxPayload, receiver._binaryType, receiver._isServer, Object.keys(receiver._extensions))
    const { _maxPayload, _threshold } = receiver._extensions["permessage-deflate"] ?? {}
    lab.note(_maxPayload, _threshold)
    for (const event of ["message", "ping", "pong", "conclude", "error"]) lab.note(receiver.listenerCount(event))
  })

  sameEach(
    "an event whose listener is removed stays with the program",
    [[], ["message"], ["ping"], ["pong"], ["conclude"], ["message", "ping", "conclude"]].map(
      (removed): readonly [string, Script] => [
        removed.join(", ") || "all",
        async (lab) => {
          const { raw, socket } = await observed(lab)
          const receiver = receiverOf(socket)
          if (removed.length === 0) receiver.removeAllListeners()
          for (const event of removed) {
            receiver.removeAllListeners(event)
            receiver.on(event, (...args: ReadonlyArray<unknown>) => lab.note("receiver", event, ...args))
          }
          await raw.deliver(
            socket,
            Buffer.concat([masked(0x81, "text"), masked(0x82, "bytes"), masked(0x89, "ping"), masked(0x8a, "pong")])
          )
          await raw.deliver(socket, masked(0x88, Buffer.from([3, 232])))
          await settled(5)
          lab.note(socket.readyState)
          raw.socket.end()
          await closed(socket)
        }
      ]
    )
  )

  same("emits what the WebSocket emits, before it", async (lab) => {
    const { raw, socket } = await observed(lab)
    for (const event of ["message", "ping", "pong", "conclude"]) {
      receiverOf(socket).prependListener(event, (...args) => lab.note("receiver", event, socket.readyState, ...args))
    }
    await raw.deliver(socket, Buffer.concat([masked(0x81, "a"), masked(0x89, "b"), masked(0x8a, "c")]))
    raw.socket.write(masked(0x88, Buffer.from([3, 232, 0x62, 0x79, 0x65])))
    await closed(socket)
  })

  same("emits an error of the protocol", async (lab) => {
    const { raw, socket } = await observed(lab)
    receiverOf(socket).prependListener("error", (error) => lab.note("receiver", error))
    raw.socket.write(frame(0x81, "unmasked"))
    await closed(socket)
  })

  same("takes another limit, larger or smaller, from the next frame on", async (lab) => {
    const { raw, socket } = await observed(lab, { maxPayload: 4 })
    lab.note(receiverOf(socket)._maxPayload)
    receiverOf(socket)._maxPayload = 8
    await raw.deliver(socket, masked(0x82, "12345678"))
    // Set inside of a read, whose second message is larger.
    socket.once("message", () => {
      receiverOf(socket)._maxPayload = 0
    })
    await raw.deliver(socket, Buffer.concat([masked(0x82, "a"), masked(0x82, Buffer.alloc(70_000))]))
    await until(() => lab.log.length > 3)
    receiverOf(socket)._maxPayload = 1
    raw.socket.write(Buffer.concat([masked(0x82, "1"), masked(0x82, "12")]))
    await closed(socket)
  })

  same("takes another limit in the middle of a message", async (lab) => {
    const { raw, socket } = await observed(lab, { maxPayload: 4 })
    await raw.deliver(socket, masked(0x02, "1234"))
    receiverOf(socket)._maxPayload = 8
    await raw.deliver(socket, masked(0x80, "5678"))
    await raw.deliver(socket, masked(0x02, "1234"))
    receiverOf(socket)._maxPayload = 6
    raw.socket.write(masked(0x80, "567"))
    await closed(socket)
  })

  same("reads what a program writes to it", async (lab) => {
    const { socket } = await observed(lab)
    receiverOf(socket).write(masked(0x81, "written"))
    await settled()
  })

  same("of a server that never answers a close frame leaves the client its timeout", async (lab) => {
    const { client, remote } = await lab.pair({}, { closeTimeout: 30 } as ClientOptions)
    receiverOf(remote).removeAllListeners("conclude")
    lab.observe(client, "client")
    lab.observe(remote, "server")
    const ends = [closed(client), closed(remote)]
    client.close(4000, "why")
    await Promise.all(ends)
  })
})

describe("_sender", () => {
  same("has the socket and the extensions", async (lab) => {
    const { client } = await lab.pair({ perMessageDeflate: true })
    const sender: { readonly _socket: unknown; readonly _extensions: object } = Reflect.get(client, "_sender")
    lab.note(sender._socket === transportOf(client), Object.keys(sender._extensions))
    lab.note(sender instanceof Reflect.get(lab.lib, "Sender"), Reflect.get(client, "_sender") === sender)
  })
})

describe("a Sender of a connection that is closed", () => {
  same("calls every callback, with an error", async (lab) => {
    const { client } = await lab.pair()
    const sender: { readonly [name: string]: (...args: ReadonlyArray<unknown>) => void } = Reflect.get(
      client,
      "_sender"
    )
    client.terminate()
    await closed(client)
    const names: Array<string> = []
    const note = (name: string) => (error: unknown) => {
      if (error instanceof Error) names.push(name)
    }
    const options = { fin: true, mask: true, binary: true, compress: false }
    sender["sendFrame"]?.([Buffer.from([0x81, 1]), Buffer.from("a")], note("sendFrame"))
    sender["send"]?.("text", options, note("send"))
    sender["send"]?.(new Blob(["blob"]), options, note("blob"))
    sender["ping"]?.("ping", true, note("ping"))
    sender["pong"]?.("pong", true, note("pong"))
    await until(() => names.length > 4)
    lab.note(names.toSorted())
  })
})

const answering = (name: string, override: (lab: Lab, close: () => void) => () => void): readonly [string, Script] => [
  name,
  async (lab) => {
    const { client, remote } = await lab.pair({ closeTimeout: 200 } as ServerOptions)
    lab.observe(client, "client")
    lab.observe(remote, "server")
    const { close } = client
    client.close = override(lab, () => close.call(client, 4002))
    const ends = [closed(client), closed(remote)]
    remote.close(4001)
    await Promise.all(ends)
  }
]

describe("a program that overrides close", () => {
  sameEach("decides whether and when a close frame is answered", [
    answering("never", (lab) => () => lab.note("close")),
    answering("at once", (lab, close) => () => {
      lab.note("close")
      close()
    }),
    answering("later", (lab, close) => () => {
      lab.note("close")
      setTimeout(close, 20)
    })
  ])
})

describe("states", () => {
  same("_readyState, _closeCode and _protocol go with the connection", async (lab) => {
    const { client } = await lab.pair()
    const note = () => lab.note(...["_readyState", "_closeCode", "_protocol"].map((name) => Reflect.get(client, name)))
    note()
    client.close(4001)
    note()
    await closed(client)
    note()
  })
})

const watching = (add: "on" | "once" | "prependListener", size: number): readonly [string, Script] => [
  `${add}, ${size} bytes`,
  async (lab) => {
    const { client, remote } = await lab.pair()
    let bytes = 0
    transportOf(client)[add]("data", (chunk: Buffer) => {
      if (bytes === 0) lab.note("begins", chunk.subarray(0, 2))
      bytes += chunk.length
    })
    client.on("message", (data) => lab.note("message", data))
    for (let at = 0; at < 3; at++) {
      remote.send(Buffer.alloc(size, 1))
      await once(client, "message")
    }
    lab.note("bytes", add === "once" ? bytes > 0 : bytes)
  }
]

describe("_socket", () => {
  sameEach(
    "emits data to every listener, and messages all the same",
    (["on", "once", "prependListener"] as const).flatMap((add) =>
      [5, 200, 20_000, 200_000].map((size) => watching(add, size))
    )
  )

  same("gives a listener added before the first message what arrives, and none after it is removed", async (lab) => {
    const { server, port } = await lab.server()
    const seen: Array<string> = []
    const listener = (chunk: Buffer): void => void seen.push(chunk.toString("hex").slice(0, 4))
    server.on("connection", (socket) => {
      transportOf(socket).prependListener("data", listener)
      socket.on("message", (data) => {
        lab.note(data)
        transportOf(socket).removeListener("data", listener)
        socket.send(data)
      })
    })
    const client = lab.client(port)
    await once(client, "open")
    for (const text of ["first", "second"]) {
      client.send(text)
      await once(client, "message")
    }
    lab.note(seen)
  })

  same("calls a push that a program put in its place", async (lab) => {
    const { client, remote } = await lab.pair()
    const transport = transportOf(client)
    const push = transport.push
    let bytes = 0
    transport.push = (chunk: Buffer) => {
      bytes += chunk.length
      return Reflect.apply(push, transport, [chunk])
    }
    remote.send(Buffer.alloc(10_000))
    await once(client, "message")
    lab.note(bytes)
  })
})

describe("functions that a program replaces in Node's modules are called", () => {
  same("net.connect", async (lab) => {
    const { port } = await lab.server()
    const { connect } = net
    net.connect = ((...args: Parameters<typeof connect>) => {
      const [options] = args as unknown as [net.TcpNetConnectOpts & { path: unknown }]
      lab.note("net.connect", options.host, options.path)
      return Reflect.apply(connect, net, args)
    }) as typeof connect
    try {
      await once(lab.client(port), "open")
    } finally {
      net.connect = connect
    }
  })

  same("tls.connect", async (lab) => {
    const { connect } = tls
    tls.connect = ((options: tls.ConnectionOptions & { path: unknown }) => {
      lab.note("tls.connect", options.servername, options.host, options.path)
      const socket = new net.Socket()
      process.nextTick(() => socket.destroy(new Error("no TLS here")))
      return socket
    }) as unknown as typeof connect
    try {
      for (const options of [{}, { servername: "" }, { servername: "name" }] as ReadonlyArray<ClientOptions>) {
        for (const host of ["127.0.0.1", "localhost"]) {
          const client = new lab.lib.WebSocket(`wss://${host}:1`, options)
          lab.observe(client, "client")
          await closed(client)
        }
      }
    } finally {
      tls.connect = connect
    }
  })

  same("http.request and http.createServer", async (lab) => {
    const { createServer, request } = http
    http.createServer = ((...args: Parameters<typeof createServer>) => {
      lab.note("createServer", args.length)
      return Reflect.apply(createServer, http, args)
    }) as typeof createServer
    http.request = ((...args: Parameters<typeof request>) => {
      lab.note("request", args.length)
      return Reflect.apply(request, http, args)
    }) as typeof request
    try {
      await lab.pair()
    } finally {
      http.createServer = createServer
      http.request = request
    }
  })
})

/** Runs a program in a process of its own, with either library as `WebSocket`. */
const alone = async (library: string, program: string): Promise<string> => {
  const code = `const WebSocket = require(${JSON.stringify(library)});${program}`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "./test/support/resolve-src.mjs", "--input-type=commonjs", "--eval", code],
    { env: { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1" } }
  )
  return stdout
}

describe("globals that a program replaces don't matter", () => {
  for (const [name, replace] of [
    [
      "a setTimeout that returns an object without unref",
      "const set = setTimeout; globalThis.setTimeout = (...all) => ({ id: set(...all) });" +
        "const clear = clearTimeout; globalThis.clearTimeout = (timer) => clear(timer?.id)"
    ],
    [
      "a setTimeout that returns numbers",
      "const set = setTimeout; globalThis.setTimeout = (...all) => Number(set(...all))"
    ],
    ["a URL that throws", "globalThis.URL = class { constructor() { throw new Error() } }"],
    ["a URL without its statics", "globalThis.URL = URL.bind(null)"]
  ] as const) {
    it(name, async () => {
      const program = `${replace}
        const server = new WebSocket.Server({ port: 0, host: "127.0.0.1" }, () => {
          const client = new WebSocket("ws://127.0.0.1:" + server.address().port)
          client.on("open", () => client.close(4000))
          client.on("close", (code) => { console.log("closed", code); server.close() })
        })`
      const [ours, peer] = await Promise.all([alone("effect-ws/ws", program), alone("ws", program)])
      assert.strictEqual(peer, "closed 4000\n")
      assert.strictEqual(ours, peer)
    })
  }
})

describe("a blob that can't be read", () => {
  sameEach(
    "fails what was sent with it and after it, then the connection",
    [
      ["a file that was changed", undefined],
      ["an error", new Error("gone")],
      ["no error", "gone"]
    ].map(([name, reason]): readonly [string, Script] => [
      String(name),
      async (lab) => {
        const { client } = await lab.pair()
        lab.observe(client, "client")
        const folder = await mkdtemp(join(tmpdir(), "blob-"))
        const file = join(folder, "file")
        await writeFile(file, "x".repeat(100))
        const blob = await openAsBlob(file)
        await writeFile(file, "y".repeat(200))
        if (reason !== undefined) Object.assign(blob, { arrayBuffer: () => Promise.reject(reason) })
        client.send("before", (error) => lab.note("before", error))
        client.send(blob as never, (error) => lab.note("blob", error))
        client.send("after", (error) => lab.note("after", error))
        client.ping("", true, (error) => lab.note("ping", error))
        client.close(4000)
        lab.note(client.bufferedAmount)
        await closed(client)
        await rm(folder, { recursive: true })
      }
    ])
  )

  same("because the socket was closed", async (lab) => {
    const { client } = await lab.pair()
    lab.observe(client, "client")
    client.send(new Blob(["abc"]) as never, (error) => lab.note("blob", client.readyState, error))
    client.send("after", (error) => lab.note("after", client.readyState, error))
    client.terminate()
    await closed(client)
  })

  same("tells a Sender with a socket of its own, which is left to its owner", async (lab) => {
    const written: Array<unknown> = []
    const note = (name: string) => (error?: Error) => lab.note(name, error)
    const socket = {
      write: (bytes: Buffer, callback?: () => void) => {
        written.push(plain(bytes))
        callback?.()
      },
      cork: () => written.push("cork"),
      uncork: () => written.push("uncork"),
      end: () => written.push("end")
    }
    const sender: {
      onerror: unknown
      send(data: unknown, options: object, callback: unknown): void
    } = Reflect.construct(Reflect.get(lab.lib, "Sender"), [socket])
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    sender.onerror = note("onerror")
    const blob = Object.assign(new Blob(["abc"]), { arrayBuffer: () => Promise.reject(new Error("gone")) })
    sender.send("before", { fin: true }, note("before"))
    sender.send(blob, { fin: true }, note("blob"))
    sender.send("after", { fin: true }, note("after"))
    await until(() => lab.log.length > 3)
    lab.note(written)
  })
})

describe("bufferedAmount", () => {
  same("counts messages that are compressed until they are written", async (lab) => {
    const { client } = await lab.pair({ perMessageDeflate: true }, { perMessageDeflate: { threshold: 0 } })
    client.send("three")
    lab.note(client.bufferedAmount)
    const written = new Promise<void>((resolve) =>
      client.send("and more", () => {
        lab.note(client.bufferedAmount)
        resolve()
      })
    )
    lab.note(client.bufferedAmount)
    await written
  })

  same("what waits for the thread pool when the connection is terminated is told so, before close", async (lab) => {
    const { client } = await lab.pair({ perMessageDeflate: true }, { perMessageDeflate: true })
    lab.observe(client, "client")
    client.send("x".repeat(400_000), (error) => lab.note("first", client.readyState, error))
    client.send("second", (error) => lab.note("second", client.readyState, error))
    client.terminate()
    await closed(client)
  })
})
