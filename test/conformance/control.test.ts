/**
 * Whether the conformance suite itself can be trusted: `ws` must come through it as is known of it, and an echo with a
 * fault must not.
 */
import { assert, describe, it } from "@effect/vitest"
import { isUtf8 as nodeIsUtf8 } from "node:buffer"
import { bytesOf } from "./case.ts"
import { allCases, sections } from "./cases/index.ts"
import { isUtf8 } from "./cases/utf8.ts"
import { Compressor, Decompressor } from "./deflate.ts"
import type { Behavior, BehaviorClose } from "./judge.ts"
import { differences, run, verdictsOf } from "./run.ts"
import { suite } from "./suite.ts"
import { type Fault, toy } from "./targets/toy.ts"
import { ws } from "./targets/ws.ts"
import { encode, type Frame, FrameReader, fragmentsOf } from "./wire.ts"

const casesOf = (...ids: ReadonlyArray<string>) => allCases.filter(({ id }) => ids.includes(id))

describe("the case list", () => {
  it("has the sections of the original, each as long as there", () => {
    assert.strictEqual(
      sections.map(({ cases, number }) => `${number}: ${cases.length}`).join(", "),
      "1: 16, 2: 11, 3: 7, 4: 10, 5: 20, 6: 145, 7: 37, 9: 54, 10: 1, 12: 90, 13: 126"
    )
    assert.strictEqual(new Set(allCases.map(({ id }) => id)).size, 517)
  })

  it("tells good UTF-8 from bad as Node does", () => {
    for (const { steps } of sections.find(({ number }) => number === 6)?.cases ?? []) {
      for (const step of steps) {
        const payload = step._tag === "message" ? step.payload : step._tag === "frames" ? step.frames[0]?.payload : ""
        const bytes = bytesOf(payload ?? "")
        assert.strictEqual(isUtf8(bytes), nodeIsUtf8(bytes), bytes.toString("hex"))
      }
    }
  })

  it("cuts the message of 10.1.1 into 51 frames", () => {
    const frames = fragmentsOf(1, Buffer.alloc(65_536), 1300)
    assert.deepStrictEqual(
      [frames.length, frames.filter(({ opcode }) => opcode === 0).length, frames.at(-1)?.fin, frames.at(-2)?.fin],
      [51, 50, true, false]
    )
  })
})

describe("the driver's framing", () => {
  const hello = Buffer.from("Hello")
  const examples: ReadonlyArray<readonly [string, Buffer]> = [
    ["810548656c6c6f", encode({ opcode: 1, payload: hello })],
    ["818537fa213d7f9f4d5158", encode({ opcode: 1, payload: hello }, Buffer.from("37fa213d", "hex"))],
    ["010348656c", encode({ opcode: 1, fin: false, payload: "Hel" })],
    ["80026c6f", encode({ opcode: 0, payload: "lo" })],
    ["890548656c6c6f", encode({ opcode: 9, payload: hello })],
    ["827e0100", encode({ opcode: 2, payload: Buffer.alloc(256) }).subarray(0, 4)],
    ["827f0000000000010000", encode({ opcode: 2, payload: Buffer.alloc(65_536) }).subarray(0, 10)]
  ]

  it("writes the examples of RFC 6455 §5.7", () => {
    for (const [expected, bytes] of examples) assert.strictEqual(bytes.toString("hex"), expected)
  })

  it("reads them back, whatever the pieces", () => {
    const bytes = Buffer.concat(examples.slice(0, 5).map(([, frame]) => frame))
    for (let size = 1; size <= bytes.length; size++) {
      const reader = new FrameReader()
      const frames: Array<Frame> = []
      for (let from = 0; from < bytes.length; from += size) {
        reader.push(bytes.subarray(from, from + size))
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame)
      }
      assert.deepStrictEqual(
        frames.map((frame) => [frame.opcode, frame.fin, frame.masked, frame.payload.toString()]),
        [
          [1, true, false, "Hello"],
          [1, true, true, "Hello"],
          [1, false, false, "Hel"],
          [0, true, false, "lo"],
          [9, true, false, "Hello"]
        ]
      )
    }
  })

  it("compresses as RFC 7692 §7.2.3 shows, with and without context", () => {
    const hello = Buffer.from("Hello")
    for (const noContextTakeover of [false, true]) {
      const direction = { noContextTakeover, windowBits: 15 }
      const compressor = new Compressor(direction)
      const decompressor = new Decompressor(direction)
      const [first, second] = [compressor.compress(hello), compressor.compress(hello)]
      assert.strictEqual(first.toString("hex"), "f248cdc9c90700")
      assert.strictEqual(second.toString("hex"), noContextTakeover ? "f248cdc9c90700" : "f200110000")
      assert.deepStrictEqual([decompressor.decompress(first), decompressor.decompress(second)], [hello, hello])
    }
  })
})

/** For each fault a case that shows it, and the verdict; in both roles where not said otherwise. */
const faults: ReadonlyArray<readonly [Fault, id: string, Behavior, BehaviorClose, role?: "server" | "client"]> = [
  ["flips a bit", "1.2.2", "FAILED", "OK"],
  ["flips a bit", "9.2.1", "FAILED", "OK"],
  ["flips a bit", "9.8.2", "FAILED", "OK"],
  ["flips a bit", "12.2.5", "FAILED", "OK"],
  ["answers text as binary", "1.1.2", "FAILED", "OK"],
  ["echoes twice", "1.1.2", "FAILED", "OK"],
  ["echoes twice", "9.7.2", "FAILED", "OK"],
  ["ignores pings", "2.2", "FAILED", "FAILED"],
  ["ignores pings", "5.19", "FAILED", "FAILED"],
  ["answers pongs", "2.8", "FAILED", "OK"],
  ["never closes", "7.3.1", "FAILED", "FAILED"],
  ["never closes", "3.1", "FAILED", "FAILED"],
  ["closes with a wrong code", "7.7.1", "FAILED", "WRONG CODE"],
  ["closes with a wrong code", "3.1", "OK", "WRONG CODE"],
  ["drops instead of closing", "7.1.1", "OK", "UNCLEAN"],
  ["speaks after its close", "7.1.1", "FAILED", "FAILED"],
  ["leaves TCP open", "7.1.1", "OK", "FAILED BY CLIENT", "server"],
  ["takes reserved bits", "3.1", "FAILED", "FAILED"],
  ["takes reserved bits", "3.4", "FAILED", "FAILED"],
  ["takes reserved opcodes", "4.1.1", "FAILED", "FAILED"],
  ["takes reserved opcodes", "4.2.3", "FAILED", "FAILED"],
  ["takes stray continuations", "5.12", "FAILED", "FAILED"],
  ["takes long control frames", "2.5", "FAILED", "FAILED"],
  ["takes long control frames", "5.1", "FAILED", "OK"],
  ["takes any text", "6.3.1", "FAILED", "FAILED"],
  ["takes any text", "6.20.1", "FAILED", "FAILED"],
  ["takes any close code", "7.9.3", "FAILED", "WRONG CODE"],
  ["takes any close code", "7.5.1", "FAILED", "WRONG CODE"],
  ["masks the wrong way", "1.1.2", "FAILED", "FAILED"],
  ["writes long lengths", "1.1.2", "FAILED", "FAILED", "server"],
  ["declines compression", "12.1.5", "UNIMPLEMENTED", "OK"],
  ["marks each fragment compressed", "12.1.5", "FAILED", "FAILED"],
  ["marks plain data compressed", "12.1.5", "FAILED", "FAILED"],
  ["forgets its context", "12.1.5", "FAILED", "FAILED"],
  ["keeps its context", "13.2.5", "FAILED", "FAILED"],
  ["ignores the window", "13.3.5", "FAILED", "FAILED"]
]

describe("the driver", () => {
  const quick = { messages: 3, concurrency: 8 }

  for (const role of ["server", "client"] as const) {
    it(`passes a faultless toy as ${role}`, async () => {
      const cases = [...allCases.filter(({ id }) => /^[1-57]\./.test(id)), ...casesOf(...faults.map(([, id]) => id))]
      const results = await run(toy(), role, cases, quick)
      const failures = results.filter(
        ({ behavior, close }) => !["OK", "INFORMATIONAL"].includes(behavior) || behavior !== close
      )
      assert.deepStrictEqual(failures, [])
    })
  }

  for (const [fault, id, behavior, close, only] of faults) {
    for (const role of ["server", "client"] as const) {
      if (only !== undefined && only !== role) continue
      it.concurrent(`sees in ${id} a ${role} that ${fault}`, async () => {
        // Silence shows a fault by the time that runs out, so that time may be short; elsewhere it must not run out.
        const options = {
          ...quick,
          ...(close === "FAILED" ? { limit: 400 } : {}),
          ...(close === "FAILED BY CLIENT" ? { dropLimit: 200 } : {})
        }
        const [result] = await run(toy(fault), role, casesOf(id), options)
        assert.deepStrictEqual([result?.behavior, result?.close], [behavior, close], result?.note)
      })
    }
  }

  it("prints a verdict that is not the expected one", async () => {
    const cases = casesOf("1.2.2", "2.2")
    const good = verdictsOf(await run(toy(), "server", cases, quick))
    const bad = await run(toy("flips a bit"), "server", cases, quick)
    const lines = differences(cases, bad, good)
    assert.strictEqual(lines.length, 1)
    assert.match(
      lines[0] ?? "",
      /^1\.2\.2 .*\n {2}expected OK, close OK\n {2}got {6}FAILED, close OK: events: binary fffe/
    )
    assert.match(differences(cases, bad, {})[0] ?? "", /expected no verdict on record/)
  })
})

suite(ws)
