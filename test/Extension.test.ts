import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { deflateRawSync, inflateRawSync } from "node:zlib"
import * as Extension from "../src/Extension.ts"

const parse = (header: string) => Result.getOrThrow(Extension.parse(header))

const positionOf = (header: string): number => {
  const result = Extension.parse(header)
  assert(Result.isFailure(result), `${header} is not refused`)
  return result.failure.position
}

const hostile = (length: number) => [
  `a${" ".repeat(length)}b`,
  `a; b="${"\\c".repeat(length)}`,
  `a; b="${"c".repeat(length)}`,
  `a${";b".repeat(length)};`,
  `a${",a".repeat(length)},`,
  `a; b=${'"'.repeat(length)}`
]

describe("the grammar of Sec-WebSocket-Extensions", () => {
  it("reads names, parameters and values", () => {
    assert.deepStrictEqual(parse("foo"), [{ name: "foo", params: [] }])
    assert.deepStrictEqual(parse("foo;bar; baz=2"), [
      {
        name: "foo",
        params: [
          ["bar", true],
          ["baz", "2"]
        ]
      }
    ])
    assert.deepStrictEqual(parse('\tfoo \t; bar = "1" , foo\t;bar;bar=x  '), [
      { name: "foo", params: [["bar", "1"]] },
      {
        name: "foo",
        params: [
          ["bar", true],
          ["bar", "x"]
        ]
      }
    ])
  })

  it("takes escapes out of a quoted value, which must hold a token", () => {
    assert.deepStrictEqual(parse('a; b="c\\d"'), [{ name: "a", params: [["b", "cd"]] }])
    for (const value of ['""', '"c d"', '"c,d"', '"c\\"d"', '"c', '"c\\', '"é"', 'c"d"']) {
      assert.isTrue(Result.isFailure(Extension.parse(`a; b=${value}`)), value)
    }
  })

  it("says where a header stops making sense", () => {
    assert.strictEqual(positionOf(""), 0)
    assert.strictEqual(positionOf("   "), 3)
    assert.strictEqual(positionOf(",a"), 0)
    assert.strictEqual(positionOf("a,"), 2)
    assert.strictEqual(positionOf("a;"), 2)
    assert.strictEqual(positionOf("a; =b"), 3)
    assert.strictEqual(positionOf("a; b="), 5)
    assert.strictEqual(positionOf("a b"), 2)
    assert.strictEqual(positionOf("a; b=c d"), 7)
    assert.strictEqual(positionOf("a\r\nb"), 1)
    assert.strictEqual(positionOf("a\0"), 1)
  })

  it("has nothing to say to names that objects inherit", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      assert.deepStrictEqual(parse(`${name}; ${name}; ${name}=${name}`), [
        {
          name,
          params: [
            [name, true],
            [name, name]
          ]
        }
      ])
    }
    assert.isUndefined(Extension.permessageDeflate().accept([[["__proto__", true]], [["constructor", "1"]]]))
  })

  it("takes linear time, whatever it reads", () => {
    // A dozen times the 32,000 that took old parsers minutes: quadratic work would not end within the limit of a test.
    for (const header of hostile(400_000)) assert.isTrue(Result.isFailure(Extension.parse(header)))
  })

  it.prop(
    "what is written is read again",
    [
      Schema.NonEmptyArray(
        Schema.Struct({
          name: Schema.String.check(Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/)),
          params: Schema.Array(
            Schema.Tuple([
              Schema.String.check(Schema.isPattern(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/)),
              Schema.Union([Schema.Literal(true), Schema.String.check(Schema.isPattern(/^[a-z0-9]+$/))])
            ])
          )
        })
      )
    ],
    ([offers]) => {
      assert.deepStrictEqual(parse(Extension.format(offers)), offers)
    }
  )

  it.prop("never throws", [Schema.String], ([header]) => {
    assert.isTrue(Result.isResult(Extension.parse(header)))
  })
})

/** The server's answer to a header, as it is written, with the settings. */
const answer = (header: string, options?: Extension.DeflateOptions) => {
  const extension = Extension.permessageDeflate(options)
  const agreement = extension.accept(parse(header).map(({ params }) => params))
  return agreement === undefined
    ? undefined
    : { header: Extension.format([{ name: extension.name, params: agreement.params }]), settings: agreement.settings }
}

const takeover = { serverNoContextTakeover: false, clientNoContextTakeover: false }

describe("permessage-deflate, as server", () => {
  it("has no context takeover unless asked, and where the client doesn't offer to forget its window keeps it", () => {
    const forgetful = answer("permessage-deflate; client_no_context_takeover")
    assert.strictEqual(forgetful?.header, "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    assert.isFalse(forgetful?.settings.inflate.takeover)
    const demanded = answer("permessage-deflate", { clientNoContextTakeover: true })
    assert.strictEqual(demanded?.header, forgetful?.header)
    assert.isFalse(demanded?.settings.inflate.takeover)
    assert.deepStrictEqual(answer("permessage-deflate"), {
      header: "permessage-deflate; server_no_context_takeover",
      settings: {
        _tag: "PermessageDeflate",
        deflate: { windowBits: 15, takeover: false },
        inflate: { windowBits: 15, takeover: true },
        threshold: 1024,
        level: 3,
        memLevel: 8
      }
    })
    const kept = answer("permessage-deflate", takeover)
    assert.strictEqual(kept?.header, "permessage-deflate")
    assert.isTrue(kept?.settings.deflate.takeover)
    assert.isTrue(kept?.settings.inflate.takeover)
  })

  it("gives up a context when the client asks for it", () => {
    const server = answer("permessage-deflate; server_no_context_takeover", takeover)
    assert.strictEqual(server?.header, "permessage-deflate; server_no_context_takeover")
    assert.isFalse(server?.settings.deflate.takeover)
    assert.isTrue(server?.settings.inflate.takeover)
    const client = answer("permessage-deflate; client_no_context_takeover", takeover)
    assert.strictEqual(client?.header, "permessage-deflate; client_no_context_takeover")
    assert.isTrue(client?.settings.deflate.takeover)
    assert.isFalse(client?.settings.inflate.takeover)
  })

  it("takes the smaller of two windows", () => {
    const cases: ReadonlyArray<[string, Extension.DeflateOptions, string, number, number]> = [
      ["server_max_window_bits=10", {}, "; server_max_window_bits=10", 10, 15],
      ["server_max_window_bits=15", {}, "; server_max_window_bits=15", 15, 15],
      ["server_max_window_bits=10", { serverMaxWindowBits: 9 }, "; server_max_window_bits=9", 9, 15],
      ["server_max_window_bits=9", { serverMaxWindowBits: 10 }, "; server_max_window_bits=9", 9, 15],
      ["client_max_window_bits", {}, "", 15, 15],
      ["client_max_window_bits=10", {}, "; client_max_window_bits=10", 15, 10],
      ["client_max_window_bits", { clientMaxWindowBits: 12 }, "; client_max_window_bits=12", 15, 12],
      ["client_max_window_bits=10", { clientMaxWindowBits: 12 }, "; client_max_window_bits=10", 15, 10],
      ["client_max_window_bits=14", { clientMaxWindowBits: 12 }, "; client_max_window_bits=12", 15, 12],
      ["client_max_window_bits", { serverMaxWindowBits: 11 }, "; server_max_window_bits=11", 11, 15]
    ]
    for (const [params, options, expected, deflate, inflate] of cases) {
      const given = answer(`permessage-deflate; ${params}`, { ...takeover, ...options })
      assert.strictEqual(given?.header, `permessage-deflate${expected}`, params)
      assert.strictEqual(given?.settings.deflate.windowBits, deflate, params)
      assert.strictEqual(given?.settings.inflate.windowBits, inflate, params)
    }
  })

  it("agrees to windows of 8 bits, which zlib serves with 9", () => {
    const deflated = answer("permessage-deflate; server_max_window_bits=8")
    assert.include(deflated?.header, "server_max_window_bits=8")
    assert.strictEqual(deflated?.settings.deflate.windowBits, 9)
    assert.include(answer("permessage-deflate", { serverMaxWindowBits: 8 })?.header, "server_max_window_bits=8")
    const inflated = answer("permessage-deflate; client_max_window_bits=8")
    assert.include(inflated?.header, "client_max_window_bits=8")
    assert.strictEqual(inflated?.settings.inflate.windowBits, 9)
  })

  it("declines when it may not limit the client's window", () => {
    assert.isUndefined(answer("permessage-deflate", { clientMaxWindowBits: 12 }))
  })

  it("declines an offer with a bad parameter, and goes on to the next", () => {
    const bad = [
      "server_max_window_bits",
      "server_max_window_bits=7",
      "server_max_window_bits=16",
      "server_max_window_bits=99",
      "server_max_window_bits=010",
      "server_max_window_bits=1e1",
      "server_max_window_bits=-9",
      "client_max_window_bits=7",
      "client_max_window_bits=16",
      "server_no_context_takeover=1",
      "client_no_context_takeover=true",
      "server_no_context_takeover; server_no_context_takeover",
      "client_max_window_bits; client_max_window_bits=10",
      "unknown",
      "Server_no_context_takeover"
    ]
    for (const params of bad) {
      assert.isUndefined(answer(`permessage-deflate; ${params}`), params)
      assert.strictEqual(
        answer(`permessage-deflate; ${params}, permessage-deflate`, takeover)?.header,
        "permessage-deflate",
        params
      )
    }
  })

  it("takes the first offer that it can follow", () => {
    const header =
      "permessage-deflate; server_max_window_bits=7, " +
      "permessage-deflate; server_max_window_bits=10, permessage-deflate"
    assert.strictEqual(answer(header, takeover)?.header, "permessage-deflate; server_max_window_bits=10")
  })
})

/** The client's settings after the server's answer. */
const confirmed = (response: string, options?: Extension.DeflateOptions) => {
  const [offer] = parse(response)
  assert(offer !== undefined)
  return Extension.permessageDeflate(options).confirm(offer.params)
}

const offered = (options?: Extension.DeflateOptions) => {
  const extension = Extension.permessageDeflate(options)
  return Extension.format(extension.offer().map((params) => ({ name: extension.name, params })))
}

describe("permessage-deflate, as client", () => {
  it("offers what the options say", () => {
    assert.strictEqual(
      offered(),
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    )
    assert.strictEqual(
      offered({ ...takeover, serverMaxWindowBits: 10, clientMaxWindowBits: 11 }),
      "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11"
    )
  })

  it("settles on the answer, from its own side", () => {
    const result = Result.getOrThrow(
      confirmed(
        "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_max_window_bits=11",
        {
          ...takeover,
          threshold: 0,
          level: 1,
          memLevel: 9
        }
      )
    )
    assert.deepStrictEqual(result.settings, {
      _tag: "PermessageDeflate",
      deflate: { windowBits: 11, takeover: true },
      inflate: { windowBits: 10, takeover: false },
      threshold: 0,
      level: 1,
      memLevel: 9
    })
  })

  it("forgets its context when it said so, or is told to", () => {
    const told = confirmed("permessage-deflate; client_no_context_takeover", takeover)
    assert.isFalse(Result.getOrThrow(told).settings.deflate.takeover)
    const said = confirmed("permessage-deflate", { ...takeover, clientNoContextTakeover: true })
    assert.isFalse(Result.getOrThrow(said).settings.deflate.takeover)
  })

  it("compresses with zlib's 9 bits when the server leaves it 8", () => {
    const { settings } = Result.getOrThrow(confirmed("permessage-deflate; client_max_window_bits=8", takeover))
    assert.strictEqual(settings.deflate.windowBits, 9)
  })

  it("refuses an answer that it cannot follow", () => {
    const cases: ReadonlyArray<[string, Extension.DeflateOptions]> = [
      ["server_max_window_bits=99", {}],
      ["server_max_window_bits", {}],
      ["client_max_window_bits", {}],
      ["client_max_window_bits=7", {}],
      ["unknown", {}],
      ["server_no_context_takeover; server_no_context_takeover", {}],
      ["server_max_window_bits=11", { serverMaxWindowBits: 10 }],
      ["client_max_window_bits=12", { clientMaxWindowBits: 11 }]
    ]
    for (const [params, options] of cases) {
      assert.isTrue(Result.isFailure(confirmed(`permessage-deflate; ${params}`, { ...takeover, ...options })), params)
    }
    assert.isTrue(Result.isFailure(confirmed("permessage-deflate", { ...takeover, serverMaxWindowBits: 10 })))
  })

  it("keeps the server's window where the server doesn't agree to forget it", () => {
    for (const options of [undefined, { serverNoContextTakeover: true }]) {
      const { settings } = Result.getOrThrow(confirmed("permessage-deflate", options))
      assert.deepStrictEqual(settings.inflate, { windowBits: 15, takeover: true })
      assert.isFalse(settings.deflate.takeover)
    }
  })

  it("refuses options out of range, at the limit and one past it", () => {
    const good: ReadonlyArray<Extension.DeflateOptions> = [
      { serverMaxWindowBits: 8, clientMaxWindowBits: 15 },
      { level: -1, memLevel: 1, threshold: 0 },
      { level: 9, memLevel: 9 }
    ]
    for (const options of good) assert.strictEqual(Extension.permessageDeflate(options).name, "permessage-deflate")
    const bad: ReadonlyArray<object> = [
      { serverMaxWindowBits: 7 },
      { serverMaxWindowBits: 16 },
      { clientMaxWindowBits: 7 },
      { clientMaxWindowBits: 16 },
      { clientMaxWindowBits: 8.5 },
      { level: -2 },
      { level: 10 },
      { memLevel: 0 },
      { memLevel: 10 },
      { threshold: -1 },
      { threshold: Number.NaN }
    ]
    for (const options of bad) {
      assert.throws(() => Extension.permessageDeflate(options), RangeError, undefined, JSON.stringify(options))
    }
  })

  it("is found among other extensions", () => {
    const other = { name: "x", rsv: 0, params: [], settings: { _tag: "X" } }
    const settings = answer("permessage-deflate")?.settings
    const deflate = { name: "permessage-deflate", rsv: 4, params: [], settings }
    assert.strictEqual(Extension.deflateSettings([other, deflate]), settings)
    assert.isUndefined(Extension.deflateSettings([other]))
  })
})

/** Data that repeats at a distance, inflated a little at a time, so that only the window remembers it. */
const survives = (windowBits: number, distance: number, level: number): boolean => {
  const unit = Buffer.from(Array.from({ length: distance }, (_, index) => (index * 31 + (index >> 3)) & 255))
  const data = Buffer.concat(Array.from({ length: 20 }, () => unit))
  const deflated = deflateRawSync(data, { windowBits, level, memLevel: 9 })
  try {
    return inflateRawSync(deflated, { windowBits: 8, chunkSize: 64 }).equals(data)
  } catch {
    return false
  }
}

describe("zlib", () => {
  it("refers back no further with 9 bits than a peer with 8 remembers", () => {
    let failures = 0
    for (let distance = 200; distance < 560; distance += 3) {
      for (const level of [1, 3, 6, 9]) {
        assert.isTrue(survives(9, distance, level), `distance ${distance}, level ${level}`)
        if (!survives(10, distance, level)) failures++
      }
    }
    assert.isAbove(failures, 300, "with 10 bits the data would have to show the difference")
  })
})

describe("both sides", () => {
  const Bits = Schema.UndefinedOr(Schema.Literals([8, 9, 10, 11, 12, 13, 14, 15]))
  const Options = Schema.Struct({
    serverNoContextTakeover: Schema.Boolean,
    clientNoContextTakeover: Schema.Boolean,
    serverMaxWindowBits: Bits,
    clientMaxWindowBits: Bits
  })

  it.prop("agree whatever their options are: what one deflates the other can inflate", [Options, Options], (both) => {
    const client = Extension.permessageDeflate(both[0])
    const server = Extension.permessageDeflate(both[1])
    const agreement = server.accept(client.offer())
    if (agreement === undefined) return
    const ours = Result.getOrThrow(client.confirm(agreement.params)).settings
    const theirs = agreement.settings
    for (const [from, to] of [
      [ours, theirs],
      [theirs, ours]
    ] as const) {
      assert.isTrue(from.threshold === Infinity || from.deflate.windowBits <= to.inflate.windowBits)
      assert.isTrue(!from.deflate.takeover || to.inflate.takeover)
    }
  })
})
