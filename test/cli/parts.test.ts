import { assert, describe, it } from "@effect/vitest"
import { CliOutput } from "effect/cli"
import fc from "fast-check"
import { Handshake } from "effect-ws"
import { completeUrl } from "../../src/internal/cli/options/connecting.ts"
import { cookiesFor } from "../../src/internal/cli/options/cookies.ts"
import { endOf, windowOf } from "../../src/internal/cli/terminal/layout.ts"
import { explainClosed } from "../../src/internal/cli/errors/explain.ts"
import { type Format, showControl, showFrame, showMessage } from "../../src/internal/cli/terminal/format.ts"
import { harmless } from "../../src/internal/cli/terminal/safeText.ts"
import { Histogram } from "../../src/internal/cli/commands/histogram.ts"
import { decodeInput } from "../../src/internal/cli/terminal/payload.ts"
import { plain } from "../../src/internal/cli/errors/plain.ts"
import { RecordSplitter } from "../../src/internal/cli/terminal/records.ts"
import { parseSlash } from "../../src/internal/cli/commands/slash.ts"

/** The records of bytes that come in pieces. */
const split = (separator: "line" | "null", limit: number, pieces: ReadonlyArray<Buffer>) => {
  const splitter = new RecordSplitter(separator, limit)
  const records: Array<string> = []
  for (const piece of pieces) {
    const found = splitter.feed(piece)
    if (found === undefined) return undefined
    records.push(...found.map((record) => record.toString("latin1")))
  }
  const last = splitter.end()
  return last === undefined ? undefined : [...records, ...last.map((record) => record.toString("latin1"))]
}

/** What is read out of an input, or what is wrong with it. */
const read = (text: string | Buffer, encoding: "text" | "binary" | "hex" | "base64") => {
  const decoded = decodeInput(text, encoding)
  if ("problem" in decoded) return decoded.problem
  return typeof decoded.message === "string" ? decoded.message : [...decoded.message]
}

describe("records", () => {
  it("end with a line, or a zero byte; what stands behind the last one is a record too", () => {
    assert.deepStrictEqual(split("line", 10, [Buffer.from("a\r\n\nb\rc\nd")]), ["a", "", "b\rc", "d"])
    assert.deepStrictEqual(split("null", 10, [Buffer.from("a\n\0\0b")]), ["a\n", "", "b"])
    assert.deepStrictEqual(split("line", 10, []), [])
  })

  it("are the same, however the bytes are cut", () => {
    const piece = fc.string({ unit: fc.constantFrom("a", "b", "\n", "\r", "\0"), maxLength: 12 })
    fc.assert(
      fc.property(fc.array(piece), fc.constantFrom("line", "null"), (pieces, separator) => {
        const whole = split(separator, 20, [Buffer.from(pieces.join(""))])
        assert.deepStrictEqual(
          split(
            separator,
            20,
            pieces.map((text) => Buffer.from(text))
          ),
          whole
        )
      })
    )
  })

  it("have a longest one", () => {
    const at = [Buffer.from("12345\r\n12345")]
    assert.deepStrictEqual(split("line", 5, at), ["12345", "12345"])
    assert.isUndefined(split("line", 4, at))
    assert.isUndefined(split("line", 5, [Buffer.from("123456")]))
    assert.isUndefined(split("null", 5, [Buffer.from("1234"), Buffer.from("56\0")]))
    // What has no end is given up before all of it is kept.
    const splitter = new RecordSplitter("line", 5)
    assert.isUndefined(splitter.feed(Buffer.alloc(7, 0x61)))
  })
})

describe("payloads", () => {
  it("are text, or bytes written in several ways", () => {
    assert.strictEqual(read("käse", "text"), "käse")
    assert.strictEqual(read(Buffer.from("käse"), "text"), "käse")
    assert.match(String(read(Buffer.of(0xff), "text")), /not UTF-8/)
    assert.deepStrictEqual(read("ä", "binary"), [0xc3, 0xa4])
    assert.deepStrictEqual(read(Buffer.of(0xff, 0), "binary"), [255, 0])
    assert.deepStrictEqual(read("00 ff:0A 0x1b", "hex"), [0, 255, 10, 27])
    assert.match(String(read("0", "hex")), /two digits/)
    assert.match(String(read("zz", "hex")), /two digits/)
    assert.deepStrictEqual(read("AP8=", "base64"), [0, 255])
    assert.deepStrictEqual(read("AP8", "base64"), [0, 255])
    assert.deepStrictEqual(read("-_8", "base64"), [0xfb, 0xff])
    assert.match(String(read("A", "base64")), /not base64/)
    assert.match(String(read("A?==", "base64")), /not base64/)
  })
})

describe("slash commands", () => {
  it("are read with what stands behind them", () => {
    assert.deepStrictEqual(parseSlash("/ping"), { _tag: "Ping", data: undefined })
    assert.deepStrictEqual(parseSlash("/pong  two words "), { _tag: "Pong", data: Buffer.from("two words") })
    assert.deepStrictEqual(parseSlash("/close"), { _tag: "Close", code: undefined, reason: "" })
    assert.deepStrictEqual(parseSlash("/close 1001 going  away"), { _tag: "Close", code: 1001, reason: "going  away" })
    assert.deepStrictEqual(parseSlash("/binary 00ff"), { _tag: "Binary", bytes: Buffer.of(0, 255) })
    assert.deepStrictEqual(parseSlash("/file some where"), { _tag: "File", path: "some where" })
    assert.deepStrictEqual(parseSlash("//text"), { _tag: "Text", text: "/text" })
    assert.strictEqual(parseSlash("/help")._tag, "Help")
  })

  it("have their limits", () => {
    assert.strictEqual(parseSlash(`/ping ${"x".repeat(125)}`)._tag, "Ping")
    assert.strictEqual(parseSlash(`/ping ${"x".repeat(126)}`)._tag, "Problem")
    assert.strictEqual(parseSlash(`/close 1000 ${"x".repeat(123)}`)._tag, "Close")
    assert.strictEqual(parseSlash(`/close 1000 ${"x".repeat(124)}`)._tag, "Problem")
    for (const line of ["/close 1005", "/close 5000", "/close abc", "/binary 0", "/file", "/pin"]) {
      assert.strictEqual(parseSlash(line)._tag, "Problem", line)
    }
  })
})

/** How messages are shown on a terminal. */
const format: Format = {
  json: false,
  terminal: true,
  marks: true,
  frames: false,
  timestamps: false,
  encoding: "text",
  pretty: false,
  colored: false,
  decode: undefined,
  separator: "\n"
}

describe("formats", () => {
  const plain: Format = {
    json: false,
    terminal: false,
    marks: false,
    frames: false,
    timestamps: false,
    encoding: "text",
    pretty: false,
    colored: false,
    decode: undefined,
    separator: "\n"
  }
  const time = new Date(2026, 0, 2, 3, 4, 5, 6)
  const bytes = Uint8Array.of(0, 0xff)

  it("of messages: bare, marked, stamped, as JSON", () => {
    assert.strictEqual(showMessage(plain, "hi", undefined, time), "hi\n")
    assert.deepStrictEqual(showMessage(plain, bytes, undefined, time), Buffer.of(0, 0xff, 0x0a))
    assert.strictEqual(showMessage({ ...plain, encoding: "hex" }, bytes, undefined, time), "00ff\n")
    assert.strictEqual(showMessage({ ...plain, encoding: "base64", separator: "\0" }, bytes, undefined, time), "AP8=\0")
    const marked = { ...plain, terminal: true, marks: true }
    assert.strictEqual(showMessage(marked, "hi", undefined, time), "< hi\n")
    assert.strictEqual(showMessage({ ...marked, timestamps: true }, "hi", 3, time), "[03:04:05.006] [3] < hi\n")
    assert.strictEqual(showMessage(marked, bytes, undefined, time), "< [binary, 2 bytes] 00 ff\n")
    const long = String(showMessage(marked, new Uint8Array(1000), undefined, time))
    assert.match(long, /^< \[binary, 1000 bytes\]\n(?:\| [\da-f]{8}: (?:0000 ){8} \.{16}\n){16}\| … 744 more\n$/)
    assert.strictEqual(showMessage({ ...plain, terminal: true }, "\u001b[1m", undefined, time), "␛[1m\n")
    const json = { ...plain, json: true }
    assert.match(String(showMessage(json, "\u009b\u001b", undefined, time)), /"\\u009b\\u001b"/)
    assert.deepStrictEqual(JSON.parse(String(showMessage(json, "hi", undefined, time))), {
      time: time.toISOString(),
      direction: "received",
      opcode: "text",
      payload: "hi"
    })
    assert.deepStrictEqual(JSON.parse(String(showMessage(json, bytes, 2, time))), {
      time: time.toISOString(),
      direction: "received",
      client: 2,
      opcode: "binary",
      base64: "AP8="
    })
  })

  it("of frames: each of their parts, by the standard of the draft", () => {
    const frame = { direction: "sent", opcode: 1, fin: false, rsv: 4, masked: true, payload: bytes } as const
    assert.strictEqual(
      showFrame(plain, frame, Handshake.rfc6455, undefined, time),
      "-> text opcode=1 fin=0 rsv=100 mask=1 length=2 00 ff\n"
    )
    const close = { ...frame, opcode: 8, fin: true, rsv: 0, payload: Buffer.from("\u0003\u00e8bye", "latin1") }
    assert.strictEqual(
      showFrame(plain, close, Handshake.rfc6455, 7, time),
      '[7] -> close opcode=8 fin=1 rsv=000 mask=1 length=5 1000 "bye"\n'
    )
    const text = { ...frame, direction: "received", fin: true, rsv: 0, payload: Buffer.from("a\u001b") } as const
    assert.strictEqual(
      showFrame(plain, text, Handshake.hixie76, undefined, time),
      '<- text type=00 length=2 "a\\u001b"\n'
    )
    assert.deepStrictEqual(JSON.parse(showFrame({ ...plain, json: true }, text, Handshake.rfc6455, undefined, time)), {
      time: time.toISOString(),
      frame: true,
      direction: "received",
      opcode: "text",
      fin: true,
      rsv: 0,
      masked: true,
      length: 2,
      payload: "a\u001b"
    })
  })

  it("of pings and pongs, with the time that a pong took", () => {
    const ping = { opcode: 9, payload: Buffer.from("x") }
    assert.strictEqual(showControl(plain, ping, undefined, undefined, time), 'Received ping (data: "x")\n')
    const pong = { opcode: 10, payload: Buffer.of(0xff) }
    assert.strictEqual(
      showControl({ ...plain, marks: true }, pong, 1.234, 2, time),
      "[2] < Received pong (data: ff) after 1.23 ms\n"
    )
  })

  it("leave no character that a terminal would obey", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // oxlint-disable-next-line no-control-regex
        assert.notMatch(harmless(text), /[\0-\x08\x0b-\x1f\x7f-\x9f]/)
      })
    )
    assert.strictEqual(harmless("tab\tand\nline, käse €"), "tab\tand\nline, käse €")
  })

  it("shows what changes the direction of text or has no width by its code, but keeps emojis", () => {
    assert.strictEqual(
      harmless("a\u202eb\u2066c\u200bd\u200de\ufefff\u061cg\u0085h"),
      String.raw`a\u202eb\u2066c\u200bd\u200de\ufefff\u061cg\x85h`
    )
    assert.strictEqual(harmless("\u{e0041}"), String.raw`\u{e0041}`)
    const family = "👨\u200d👩\u200d👧 and 👍🏽"
    assert.strictEqual(harmless(family), family)
  })

  it("keeps the data of a ping on its line", () => {
    const ping = { opcode: 9, payload: Buffer.from("a\nDisconnected") }
    assert.strictEqual(
      showControl(format, ping, undefined, undefined, new Date()),
      '< Received ping (data: "a␊Disconnected")\n'
    )
  })

  it("marks the further lines of a message, so that none looks like a status line", () => {
    const forged = 'hello\nDisconnected (code: 1000, reason: "")'
    assert.strictEqual(
      showMessage(format, forged, undefined, new Date()),
      '< hello\n| Disconnected (code: 1000, reason: "")\n'
    )
  })
})

describe("cookies of a file", () => {
  const file = [
    "# Netscape HTTP Cookie File",
    ["example.com", "FALSE", "/", "FALSE", "0", "here", "1"].join("\t"),
    [".example.com", "TRUE", "/", "FALSE", "0", "below", "2"].join("\t"),
    ["#HttpOnly_example.com", "FALSE", "/", "FALSE", "0", "http", "3"].join("\t"),
    ["example.com", "FALSE", "/", "TRUE", "0", "secure", "4"].join("\t"),
    ["example.com", "FALSE", "/deep", "FALSE", "0", "deep", "5"].join("\t"),
    ["example.com", "FALSE", "/", "FALSE", "1000", "old", "6"].join("\t"),
    ["other.com", "TRUE", "/", "FALSE", "0", "other", "7"].join("\t"),
    "nonsense"
  ].join("\n")
  const names = (url: string, now = 1_000_001) => cookiesFor(file, new URL(url), now)

  it("go where they belong", () => {
    assert.deepStrictEqual(names("ws://example.com/"), ["here=1", "below=2", "http=3"])
    assert.deepStrictEqual(names("wss://example.com/"), ["here=1", "below=2", "http=3", "secure=4"])
    assert.deepStrictEqual(names("ws://a.example.com/"), ["below=2"])
    assert.deepStrictEqual(names("ws://example.com/deep/er"), ["here=1", "below=2", "http=3", "deep=5"])
    assert.deepStrictEqual(names("ws://example.com/deeper"), ["here=1", "below=2", "http=3"])
    assert.deepStrictEqual(names("ws://example.com/", 999_999), ["here=1", "below=2", "http=3", "old=6"])
    assert.deepStrictEqual(names("ws://notexample.com/"), [])
  })
})

describe("URLs", () => {
  it("may leave out their scheme", () => {
    assert.strictEqual(completeUrl("localhost:8080/path"), "ws://localhost:8080/path")
    assert.strictEqual(completeUrl("[::1]:80"), "ws://[::1]:80")
    assert.strictEqual(completeUrl("wss://host"), "wss://host")
    assert.strictEqual(completeUrl("ws+unix:/tmp/socket:/path"), "ws+unix:/tmp/socket:/path")
  })
})

describe("the histogram", () => {
  it("knows quantiles to 2 %, whatever was counted", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.001, max: 1e5, noNaN: true }), { minLength: 1 }), (values) => {
        const histogram = new Histogram()
        for (const value of values) histogram.add(value)
        const sorted = values.toSorted((a, b) => a - b)
        for (const share of [0, 0.5, 0.9, 0.99, 1]) {
          const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
          const found = histogram.quantile(share)
          assert.isAtLeast(found, exact * (1 - 1e-9))
          assert.isAtMost(found, exact * 1.02)
        }
        assert.strictEqual(histogram.least, sorted[0])
        assert.strictEqual(histogram.most, sorted.at(-1))
        const rows = histogram.rows(8)
        assert.isAtMost(rows.length, 8)
        assert.strictEqual(
          rows.reduce((sum, { count }) => sum + count, 0),
          values.length
        )
      })
    )
  })
})

describe("the end of a connection", () => {
  const sent = { code: 1000, reason: "" }
  const handshake = { _tag: "Handshake" } as const

  it("is in order, or an error that names the code", () => {
    for (const code of [1000, 1001, undefined]) {
      const closed = { sent, received: { code, reason: "" }, first: "received", cause: handshake } as const
      assert.isUndefined(explainClosed(closed, false))
    }
    const bad = { sent, received: { code: 1011, reason: "oops" }, first: "received", cause: handshake } as const
    assert.strictEqual(explainClosed(bad, false)?.message, 'the peer closed with 1011 (internal error): "oops"')
    assert.strictEqual(explainClosed(bad, true)?.kind, "closed")
    // We asked first, and the peer sends back what we said.
    const asked = { sent, received: { code: 4000, reason: "" }, first: "sent", cause: handshake } as const
    assert.isUndefined(explainClosed(asked, true))
    const lost = { sent: undefined, received: undefined, first: undefined, cause: { _tag: "TransportEnded" } } as const
    assert.match(explainClosed(lost, false)?.message ?? "", /lost without a close frame/)
  })
})

describe("the place where a text ends", () => {
  it("counts rows and columns as a terminal does", () => {
    assert.deepStrictEqual(endOf("", 10), { row: 0, column: 0 })
    assert.deepStrictEqual(endOf("123456789", 10), { row: 0, column: 9 })
    assert.deepStrictEqual(endOf("1234567890", 10), { row: 1, column: 0 })
    assert.deepStrictEqual(endOf("12345678901", 10), { row: 1, column: 1 })
    assert.deepStrictEqual(endOf("123456789日", 10), { row: 1, column: 2 })
    assert.deepStrictEqual(endOf("e\u0301👩‍👩‍👧‍👦", 10), { row: 0, column: 3 })
  })

  it("is where each character by itself would lead to", () => {
    const piece = fc.constantFrom("a", "b", " ", "~", "日", "é", "e\u0301", "\u0301", "👩‍👩‍👧‍👦", "␛")
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 2, max: 12 }), (pieces, columns) => {
        let [row, column] = [0, 0]
        for (const { segment } of new Intl.Segmenter().segment(pieces.join(""))) {
          const width = CliOutput.displayWidth(segment)
          if (column + width > columns) [row, column] = [row + 1, 0]
          column += width
        }
        const end = column === columns ? { row: row + 1, column: 0 } : { row, column }
        assert.deepStrictEqual(endOf(pieces.join(""), columns), end)
      })
    )
  })
})

describe("the part of a line that is drawn", () => {
  it("is found at once, also in a line that is very long", () => {
    const long = "a".repeat(1_000_000)
    assert.deepStrictEqual(endOf(`${long}日`, 80), { row: 12_500, column: 2 })
    assert.strictEqual(windowOf({ text: long, before: long }, 80, 10).text.length, 720)
  })

  const text = "aaaabbbbccccdddde"
  const at = (before: number, height: number) => windowOf({ text, before: text.slice(0, before) }, 4, height)

  it("is all of it, where it fits", () => {
    assert.deepStrictEqual(at(9, 5), { text, before: "aaaabbbbc" })
  })

  it("is so many rows around the cursor, where it doesn't", () => {
    assert.deepStrictEqual(at(0, 3), { text: "aaaabbbbcccc", before: "" })
    assert.deepStrictEqual(at(9, 3), { text: "bbbbccccdddd", before: "bbbbc" })
    assert.deepStrictEqual(at(17, 3), { text: "ccccdddde", before: "ccccdddde" })
    assert.deepStrictEqual(at(17, 1), { text: "e", before: "e" })
  })

  it("cuts no wide character in two", () => {
    const wide = "a日b本c語"
    assert.deepStrictEqual(windowOf({ text: wide, before: wide }, 3, 2), { text: "c語", before: "c語" })
  })
})

const coded = (message: string, code?: string) => Object.assign(new Error(message), code === undefined ? {} : { code })

describe("what the system's errors say", () => {
  it("is said in plain words, and on one line", () => {
    for (const [error, words] of [
      [coded("connect ECONNREFUSED ::1:1", "ECONNREFUSED"), "connection refused (ECONNREFUSED)"],
      [coded("ENOENT: no such file or directory, open 'x'", "ENOENT"), "there is no such file"],
      [coded("Parse Error: Expected HTTP/", "HPE_INVALID_CONSTANT"), "what answers there does not speak HTTP"],
      [coded("80AB:error:0A00010B:SSL routines:tls_x:wrong version number:a.c:77:\n"), "wrong version number"],
      [coded("error:05800074:x509 certificate routines::key values mismatch"), "key values mismatch"],
      [coded("one\ntwo"), "one"],
      ["it answered 407", "it answered 407"]
    ] as const) {
      assert.strictEqual(plain(error), words)
    }
  })
})
