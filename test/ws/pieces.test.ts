// The classes beneath that programs reach for: Sender, Receiver, PerMessageDeflate, and the parsers of headers.
/* oxlint-disable unicorn/consistent-function-scoping -- helpers stand with the tests that they serve */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Duplex, type Writable } from "node:stream"
import { attempt, frame, type Lab, libraries, plain, same, sameEach, settled, until, takeFrames } from "./lab.ts"

const classOf = (lab: Lab, name: string): new (...args: Array<unknown>) => never => Reflect.get(lab.lib, name)

/** A piece, whatever its type says. */
const make = (
  lab: Lab,
  name: string,
  ...args: Array<unknown>
): { readonly [name: string]: (...args: Array<unknown>) => unknown } & Writable => new (classOf(lab, name))(...args)

const sink = (chunks: Array<Buffer>): Duplex =>
  new Duplex({
    read: () => {},
    write: (chunk: Buffer, _, done) => {
      chunks.push(chunk)
      done()
    }
  })

const accepted = (lab: Lab, options: object, offers: ReadonlyArray<object> = [{}]): ReturnType<typeof make> => {
  const deflate = make(lab, "PerMessageDeflate", options)
  deflate["accept"]?.(offers)
  return deflate
}

describe("Sender [class:Sender]", () => {
  const frames = (lab: Lab, chunks: ReadonlyArray<Buffer>): void => {
    for (const { first, masked, payload } of takeFrames(Buffer.concat(chunks)).frames)
      lab.note("frame", first, masked, payload)
  }
  for (const mask of [false, true]) {
    same(`frames in order, mask ${mask}`, async (lab) => {
      const chunks: Array<Buffer> = []
      const sender = make(lab, "Sender", sink(chunks), {})
      const options = { binary: true, fin: true, mask, compress: false }
      sender["send"]?.(Buffer.from("bytes"), options, () => lab.note("first"))
      sender["send"]?.("text", { ...options, binary: false })
      sender["send"]?.("parts", { ...options, binary: false, fin: false })
      sender["send"]?.("of text", options)
      sender["send"]?.([1, 2, 3], options)
      sender["send"]?.(new Uint16Array([1, 2]), options)
      sender["ping"]?.("p", mask)
      sender["pong"]?.(Buffer.from("q"), mask, () => lab.note("pong"))
      lab.note(attempt(() => sender["ping"]?.("x".repeat(126), mask)))
      sender["close"]?.(1000, "why", mask, () => lab.note("close"))
      lab.note(attempt(() => sender["close"]?.(5, "", mask)))
      await settled()
      frames(lab, chunks)
    })
  }
  same("Sender.frame", (lab) => {
    const { Sender } = lab.lib as unknown as {
      readonly Sender: { frame(data: unknown, options: object): ReadonlyArray<Buffer | string> }
    }
    for (const size of [0, 1, 125, 126, 65_535, 65_536]) {
      for (const options of [
        { fin: true, opcode: 2, mask: false, readOnly: false, rsv1: false },
        { fin: false, opcode: 1, mask: false, readOnly: true, rsv1: true },
        {
          fin: true,
          opcode: 2,
          mask: true,
          readOnly: true,
          rsv1: false,
          generateMask: (mask: Buffer) => mask.fill(7),
          maskBuffer: Buffer.alloc(4)
        }
      ]) {
        const pieces = Sender.frame(Buffer.alloc(size, 65), options)
        lab.note(Buffer.concat(pieces.map((piece) => Buffer.from(piece as Buffer))).toString("latin1"))
      }
    }
    lab.note(Sender.frame("grün", { fin: true, opcode: 1 }).length)
  })
  same("compressed, and blobs between", async (lab) => {
    const chunks: Array<Buffer> = []
    const deflate = accepted(lab, { threshold: 0, isServer: true })
    const sender = make(lab, "Sender", sink(chunks), { "permessage-deflate": deflate })
    const options = { compress: true, fin: true, mask: false, binary: false }
    sender["send"]?.("a".repeat(100), options, () => lab.note("first"))
    sender["send"]?.(new Blob(["blob"]), { ...options, compress: false, binary: true }, () => lab.note("blob"))
    sender["send"]?.("last", { ...options, compress: false }, () => lab.note("last"))
    await until(() => lab.log.length >= 3)
    frames(lab, chunks)
  })
  same("frames of a socket that were made before ", async (lab) => {
    const { raw, socket } = await lab.rawPair()
    const { Sender } = lab.lib as unknown as {
      readonly Sender: { frame(data: unknown, options: object): ReadonlyArray<Buffer> }
    }
    const pieces = Sender.frame(Buffer.from("broadcast"), {
      fin: true,
      opcode: 1,
      mask: false,
      readOnly: false,
      rsv1: false
    })
    socket.send("before")
    const sender: { sendFrame(pieces: unknown, callback?: () => void): void } = Reflect.get(socket, "_sender")
    sender.sendFrame(pieces, () => lab.note("written"))
    sender.sendFrame(pieces)
    socket.send("after")
    await until(() => lab.wire.length >= 4)
    lab.note(typeof Reflect.get(socket, "_socket").remoteAddress)
    raw.socket.destroy()
  })
})

describe("Receiver [class:Receiver]", () => {
  const observe = (lab: Lab, receiver: ReturnType<typeof make>): void => {
    for (const event of ["message", "ping", "pong", "conclude", "error", "finish"]) {
      receiver.on(event, (...args: Array<unknown>) => lab.note(event, ...args))
    }
  }
  const bytes = (mask: boolean): Buffer =>
    Buffer.concat([
      frame(0x81, "text", { mask }),
      frame(0x02, "pa", { mask }),
      frame(0x89, "ping", { mask }),
      frame(0x80, "rts", { mask }),
      frame(0x8a, "pong", { mask }),
      frame(0x88, Buffer.concat([Buffer.from([3, 232]), Buffer.from("bye")]), { mask })
    ])
  sameEach(
    "events",
    [true, false].flatMap((isServer) =>
      [
        {},
        { allowSynchronousEvents: false },
        { binaryType: "arraybuffer" },
        { binaryType: "fragments" },
        { maxPayload: 4 },
        { maxFragments: 1 },
        { skipUTF8Validation: true }
      ].map(
        (options) =>
          [
            `${isServer ? "server" : "client"} ${JSON.stringify(options)}`,
            async (lab: Lab) => {
              const receiver = make(lab, "Receiver", { isServer, ...options })
              observe(lab, receiver)
              receiver.write(bytes(isServer), (error: unknown) => lab.note("written", error ?? "none"))
              await settled(10)
            }
          ] as const
      )
    )
  )
  same("byte by byte, with violations", async (lab) => {
    for (const last of [frame(0x83, ""), frame(0x81, Buffer.from([0xff])), frame(0x88, Buffer.from([0, 1]))]) {
      const receiver = make(lab, "Receiver")
      observe(lab, receiver)
      for (const byte of Buffer.concat([frame(0x81, "a"), last, frame(0x81, "b")])) receiver.write(Buffer.from([byte]))
      await settled(10)
    }
  })
  same("compressed", async (lab) => {
    const deflate = accepted(lab, {})
    const other = accepted(lab, { isServer: true, threshold: 0 })
    const receiver = make(lab, "Receiver", { extensions: { "permessage-deflate": deflate } })
    observe(lab, receiver)
    const payload = await new Promise<Buffer>((resolve) =>
      other["compress"]?.("hello", true, (_: unknown, data: Buffer) => resolve(data))
    )
    receiver.write(Buffer.concat([frame(0xc1, payload), frame(0x81, "after")]))
    await until(() => lab.log.length >= 2)
  })
})

describe("PerMessageDeflate [class:PerMessageDeflate]", () => {
  const settings = [
    {},
    { serverNoContextTakeover: true },
    { clientNoContextTakeover: true },
    { serverNoContextTakeover: false },
    { clientNoContextTakeover: false },
    { serverMaxWindowBits: 10 },
    { serverMaxWindowBits: false },
    { clientMaxWindowBits: 10 },
    { clientMaxWindowBits: false },
    { clientMaxWindowBits: true }
  ]
  const configurations: ReadonlyArray<ReadonlyArray<object>> = [
    [{}],
    [],
    [{ server_no_context_takeover: [true] }],
    [{ client_no_context_takeover: [true] }],
    [{ server_max_window_bits: ["9"] }],
    [{ server_max_window_bits: ["11"] }],
    [{ client_max_window_bits: [true] }],
    [{ client_max_window_bits: ["9"] }],
    [{ client_max_window_bits: ["11"] }],
    [{ server_max_window_bits: ["9"] }, {}],
    [{ server_max_window_bits: ["16"] }],
    [{ server_max_window_bits: ["x"] }],
    [{ server_max_window_bits: [true] }],
    [{ server_no_context_takeover: ["10"] }],
    [{ foo: ["bar"] }],
    [{ client_max_window_bits: [true, "10"] }]
  ]
  same("negotiation", (lab) => {
    for (const options of settings) {
      lab.note(options, make(lab, "PerMessageDeflate", options)["offer"]?.())
      for (const isServer of [true, false]) {
        for (const configuration of configurations) {
          if (!isServer && configuration.length === 0) continue
          const deflate = make(lab, "PerMessageDeflate", { ...options, isServer })
          const result = attempt(() => deflate["accept"]?.(structuredClone(configuration)))
          lab.note(isServer, result)
        }
      }
    }
    lab.note(Reflect.get(classOf(lab, "PerMessageDeflate"), "extensionName"))
  })
  same("without options", (lab) => {
    for (const options of [null, undefined]) lab.note(make(lab, "PerMessageDeflate", options)["offer"]?.())
  })
  same("there and back, whole and in frames", async (lab) => {
    const server = accepted(lab, { isServer: true, threshold: 0 })
    const client = accepted(lab, { isServer: false })
    const compress = (data: unknown, fin: boolean): Promise<Buffer> =>
      new Promise((resolve, reject) =>
        server["compress"]?.(data, fin, (error: unknown, bytes: Buffer) => (error ? reject(error) : resolve(bytes)))
      )
    const decompress = (data: Buffer, fin: boolean): Promise<Buffer> =>
      new Promise((resolve, reject) =>
        client["decompress"]?.(data, fin, (error: unknown, bytes: Buffer) => (error ? reject(error) : resolve(bytes)))
      )
    lab.note(await decompress(await compress("hello", true), true))
    const parts = [
      await compress(Buffer.from("one "), false),
      await compress(Buffer.from("two "), false),
      await compress(Buffer.from("three"), true)
    ]
    const back: Array<Buffer> = []
    for (const [at, part] of parts.entries()) back.push(await decompress(part, at === 2))
    lab.note(Buffer.concat(back))
    lab.note(await decompress(await compress("", true), true))
    server["cleanup"]?.()
    client["cleanup"]?.()
  })
  same("limits and broken data", async (lab) => {
    const limited = accepted(lab, { isServer: false, maxPayload: 5 })
    const server = accepted(lab, { isServer: true, threshold: 0 })
    const payload = await new Promise<Buffer>((resolve) =>
      server["compress"]?.("longer than five", true, (_: unknown, data: Buffer) => resolve(data))
    )
    await new Promise<void>((resolve) =>
      limited["decompress"]?.(payload, true, (error: unknown) => resolve(lab.note(error)))
    )
    // What follows is decompressed anew, though the message before has failed.
    const short = await new Promise<Buffer>((resolve) =>
      server["compress"]?.("five", true, (_: unknown, data: Buffer) => resolve(data))
    )
    for (const data of [payload, short]) {
      await new Promise<void>((resolve) =>
        limited["decompress"]?.(data, true, (error: unknown, result: Buffer) =>
          resolve(lab.note(Reflect.get(error ?? {}, "code"), result))
        )
      )
    }
    const fresh = accepted(lab, { isServer: false })
    await new Promise<void>((resolve) =>
      fresh["decompress"]?.(Buffer.from([0xff, 0xff]), true, (error: Error) =>
        resolve(lab.note(error instanceof Error, Reflect.get(error, "code")))
      )
    )
  })
})

describe("headers", () => {
  const compare = (parse: (lib: typeof libraries.peer) => (text: string) => unknown) => (text: string) => {
    const normal = (lib: typeof libraries.peer): unknown => {
      const result = attempt(() => {
        const value = parse(lib)(text)
        return value instanceof Set ? [...value] : JSON.parse(JSON.stringify(value))
      })
      return result
    }
    assert.deepStrictEqual(normal(libraries.ours), normal(libraries.peer), JSON.stringify(text))
  }
  const characters = fc.constantFrom(
    ..."abc",
    ..." \t",
    ...';,="\\',
    ..."ab;,= ",
    "\u0000",
    "é",
    "/",
    "permessage-deflate"
  )
  const text = fc.array(characters, { maxLength: 14 }).map((all) => all.join(""))
  const parser = (name: "extension" | "subprotocol") => (lib: typeof libraries.peer) =>
    (Reflect.get(lib, name) as { parse(text: string): unknown }).parse

  it("extension.parse [function:extension.parse]", () => {
    const check = compare(parser("extension"))
    for (const header of [
      "foo",
      "foo, bar;baz, foo;baz",
      "foo; bar=x;bar=y",
      'foo;bar="x\\y"',
      "foo;bar=",
      "foo;;",
      " foo",
      "foo ",
      ""
    ])
      check(header)
    fc.assert(fc.property(text, check), { numRuns: 20_000 })
  })
  it("subprotocol.parse [function:subprotocol.parse]", () => {
    const check = compare(parser("subprotocol"))
    for (const header of ["foo", "foo, bar", "foo,foo", " foo", "foo ", "", ",", "foo,,bar", "foo,\tbar"]) check(header)
    fc.assert(fc.property(text, check), { numRuns: 20_000 })
  })
  same("extension.format [function:extension.format]", (lab) => {
    const { extension } = lab.lib as unknown as { readonly extension: { format(value: object): string } }
    for (const value of [
      { foo: {} },
      { foo: [{}] },
      { foo: { bar: true } },
      { foo: { bar: 1, baz: "x" } },
      { foo: [{ bar: ["a", "b"] }, { bar: [true] }], qux: {} },
      {}
    ]) {
      lab.note(extension.format(value))
    }
    lab.note(plain(attempt(() => extension.format({ foo: [] }))))
  })
})
