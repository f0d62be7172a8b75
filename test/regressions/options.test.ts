// Options of wrong types, odd numbers and missing parts: each is refused when the server or the client is made.
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema, type Scope } from "effect"
import { Handshake, Server, Socket, Topic } from "effect-ws"
import * as Browser from "effect-ws/browser"
import { drainRules } from "../../src/internal/server/acceptor.ts"
import { listenRules } from "../../src/internal/server/options.ts"
import { pairRules } from "../../src/internal/server/pair.ts"
import { connectRules } from "../../src/internal/client/connect.ts"
import { reconnectRules } from "../../src/internal/client/connectAgain.ts"
import type { OptionRule, OptionRules } from "../../src/internal/socket/optionRules.ts"
import { schemaRules } from "../../src/internal/socket/typed.ts"
import { topicRules } from "../../src/internal/topic/optionRules.ts"

/** Options as a program without types may give them. */
type Loose = Readonly<Record<string, unknown>>

/** The reason of the failure or the defect with which an effect ends. */
const reasonOf = (exit: Exit.Exit<unknown, unknown>): unknown => {
  if (Exit.isSuccess(exit)) return "accepted"
  const error = Cause.squash(exit.cause)
  return typeof error === "object" && error !== null && "reason" in error ? error.reason : error
}

const thrown = (make: () => unknown): unknown => {
  try {
    make()
    return "accepted"
  } catch (error) {
    return error instanceof Error && "reason" in error ? error.reason : error
  }
}

/** Why a set of options is refused, or `accepted`. */
type Refuse = (options: Loose) => Effect.Effect<unknown>

const outcomeOf = (effect: Effect.Effect<unknown, unknown, Scope.Scope>): Effect.Effect<unknown> =>
  Effect.map(Effect.exit(Effect.scoped(effect)), reasonOf)

const server: Refuse = (options) => outcomeOf(Server.makeMemory(options as Server.ServeOptions))

const nowhere = "ws://127.0.0.1:1"

const client: Refuse = (options) => outcomeOf(Socket.connect(nowhere, options as Socket.ConnectOptions))

const reconnecting: Refuse = (options) =>
  outcomeOf(
    Effect.flatMap(Socket.reconnecting(nowhere, options as Socket.ReconnectingOptions), ({ current }) => current)
  )

const pair: Refuse = (options) => outcomeOf(Socket.makePair(options as Socket.PairOptions))

const drain: Refuse = (options) =>
  outcomeOf(Effect.flatMap(Server.makeMemory(), (made) => made.drain(options as Server.DrainOptions)))

const topics: Refuse = (options) => outcomeOf(Topic.make(options as Topic.Options))

const schema: Refuse = (options) =>
  Effect.scoped(
    Effect.map(Socket.makePair(), ([socket]) =>
      thrown(() => Socket.withSchema(socket, Schema.Number, options as Socket.SchemaOptions))
    )
  )

const broadcast: Refuse = (options) => outcomeOf(Socket.broadcast([], "hi", options as Socket.BroadcastOptions))

const browser: Refuse = (options) =>
  outcomeOf(Browser.Socket.connect(nowhere, options as Browser.Socket.ConnectOptions))

const assertRefused = Effect.fnUntraced(function* (refuse: Refuse, options: Loose, option: string) {
  const reason = yield* refuse(options)
  const shown = `${option}: ${JSON.stringify(options)}`
  assert(typeof reason === "object" && reason !== null && "_tag" in reason, `${shown}: ${String(reason)}`)
  assert.strictEqual(reason._tag, "InvalidOptions", shown)
  assert.strictEqual(Reflect.get(reason, "option"), option, shown)
})

/** Values of which every option refuses one, in the order in which they are tried. */
const wrong: ReadonlyArray<unknown> = [Symbol("wrong"), null, Number.NaN, -1, 5, "", "wrong", [5], {}, () => {}, true]

/** Options that every rule refuses somewhere: by name, with a wrong value of each type that its rule doesn't take. */
const wrongOptions = (rules: OptionRules): ReadonlyArray<readonly [option: string, options: Loose]> =>
  Object.entries(rules).flatMap(([name, rule]) => [
    ...wrong
      .filter((value) => !(rule satisfies OptionRule).check(value))
      .map((value) => [name, { [name]: value }] as const),
    ...(rule.options === undefined
      ? []
      : wrongOptions(rule.options).map(([inner, options]) => [`${name}.${inner}`, { [name]: options }] as const))
  ])

describe("every option has a rule, which the compiler demands, and a wrong value is refused:", () => {
  const sets: ReadonlyArray<readonly [name: string, rules: OptionRules, refuse: Refuse]> = [
    ["a server", listenRules, server],
    ["a client", connectRules, client],
    ["a reconnecting client", { ...connectRules, ...reconnectRules }, reconnecting],
    ["a pair", pairRules, pair],
    ["drain", drainRules, drain],
    ["topics", topicRules, topics],
    ["withSchema", schemaRules, schema]
  ]
  for (const [name, rules, refuse] of sets) {
    it.live(name, () =>
      Effect.gen(function* () {
        for (const [option, rule] of Object.entries(rules)) {
          // A rule that takes all of these checks nothing.
          assert.isAbove(wrong.filter((value) => !rule.check(value)).length, 5, option)
        }
        for (const [option, options] of wrongOptions(rules)) {
          // What a required option next to it misses is found first.
          const [first = ""] = option.split(".")
          const required = Object.entries(rules[first]?.options ?? {}).find(([, { isRequired }]) => isRequired === true)
          const inner = option.slice(first.length + 1)
          const expected =
            required === undefined || inner === "" || inner.startsWith(required[0]) ? option : `${first}.${required[0]}`
          yield* assertRefused(refuse, options, expected)
        }
      })
    )
  }

  it.live("broadcast and the browser's client", () =>
    Effect.gen(function* () {
      yield* assertRefused(broadcast, { slow: "bogus" }, "slow")
      yield* assertRefused(browser, { protocols: "chat" }, "protocols")
      yield* assertRefused(browser, { WebSocket: 5 }, "WebSocket")
      yield* assertRefused(browser, { closeTimeout: "bogus" }, "closeTimeout")
    })
  )
})

describe("an option of an option that has no default", () => {
  for (const [option, refuse, options] of [
    ["maxRate.connections", server, { maxRate: {} }],
    ["maxRate.connections", server, { maxRate: { per: "1 hour" } }],
    ["maxRatePerAddress.connections", server, { maxRatePerAddress: { per: "1 hour" } }],
    ["maxRatePerAddress.connections", server, { maxRatePerAddress: { connections: undefined } }],
    ["trustedProxies.addresses", server, { trustedProxies: {} }],
    ["trustedProxies.addresses", server, { trustedProxies: { header: "forwarded" } }],
    ["proxyProtocol.addresses", server, { proxyProtocol: {} }],
    ["publishRate.messages", topics, { publishRate: {} }],
    ["publishRate.per", topics, { publishRate: { messages: 1 } }],
    ["format.encode", schema, { format: { decode: () => 1 } }]
  ] as const) {
    it.live(`is missed: ${option} in ${JSON.stringify(options)}`, () => assertRefused(refuse, options, option))
  }
})

describe("settings of HTTP/2", () => {
  for (const [setting, refused, taken] of [
    ["headerTableSize", [-1, 2 ** 32, 0.5], [0, 2 ** 32 - 1]],
    ["enablePush", [1], [false]],
    ["initialWindowSize", [-1, 2 ** 31, Number.NaN], [0, 2 ** 31 - 1]],
    ["maxFrameSize", [1, 2 ** 14 - 1, 2 ** 24, Number.NaN], [2 ** 14, 2 ** 24 - 1]],
    ["maxConcurrentStreams", [Number.NaN, -1, 2 ** 32, Infinity], [0, 2 ** 32 - 1]],
    ["maxHeaderListSize", [-1, 2 ** 32], [0, 2 ** 32 - 1]],
    ["maxHeaderSize", [-1, 2 ** 32], [0, 2 ** 32 - 1]],
    ["enableConnectProtocol", ["yes"], [true]],
    ["customSettings", [{ 65536: 1 }, { a: 1 }, { 1: -1 }, [1]], [{ 65535: 2 ** 32 - 1 }]]
  ] as const) {
    it.live(`are in the range of RFC 9113 §6.5.2: ${setting}`, () =>
      Effect.gen(function* () {
        for (const value of refused) yield* assertRefused(server, { http2: { [setting]: value } }, `http2.${setting}`)
        for (const value of taken) {
          const made = Server.make({ host: "127.0.0.1", port: 0, http2: { [setting]: value } } as Server.ServeOptions)
          assert.strictEqual(yield* outcomeOf(made), "accepted")
        }
      })
    )
  }

  it.live("of TLS: what Node checks for each connection alone", () =>
    assertRefused(server, { tls: { handshakeTimeout: Number.NaN } }, "tls.handshakeTimeout")
  )
})

describe("the grace of a drain", () => {
  for (const grace of [Number.NaN, -1, "bogus", 2 ** 31]) {
    it.effect(`of ${grace} is a defect, and the server goes on`, () =>
      Effect.gen(function* () {
        const made = yield* Server.makeMemory()
        yield* Effect.forkScoped(made.run(Socket.discard), { startImmediately: true })
        const reason = reasonOf(yield* Effect.exit(made.drain({ grace: grace as number })))
        assert.deepInclude(reason, { _tag: "InvalidOptions", option: "grace" })
        yield* made.connect("ws://localhost/")
      })
    )
  }

  for (const grace of [0, 2 ** 31 - 1, Infinity, "1 second"] as const) {
    it.effect(`of ${grace} is taken`, () =>
      Effect.gen(function* () {
        const made = yield* Server.makeMemory()
        yield* made.drain({ grace })
      })
    )
  }
})

describe("an origin in the list of a server", () => {
  for (const origin of [
    "example.com",
    "example.com:8443",
    "https://*.example.com",
    "*.example.com",
    "*",
    "https://",
    "https://example.com/",
    "https://example.com:443",
    "ws://example.com"
  ]) {
    it.live(`is refused when it can never match: ${origin}`, () =>
      Effect.gen(function* () {
        yield* assertRefused(server, { origins: ["https://example.org", origin] }, "origins")
        const reason = yield* server({ origins: [origin] })
        assert.match(String(Reflect.get(Object(reason), "allowed")), /can never match: with a scheme, .*RegExp/)
      })
    )
  }

  for (const origin of ["https://example.com", "http://localhost:8080", "null", "file://", "chrome-extension://abc"]) {
    it.live(`is taken: ${origin}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* server({ origins: [origin] }), "accepted")
      })
    )
  }

  it("of a subdomain is matched by the pattern that the message names", () => {
    const pattern = /^https:\/\/[a-z0-9-]+\.example\.com$/
    assert.isTrue(pattern.test("https://a.example.com"))
    assert.isFalse(pattern.test("https://example.com"))
  })
})

describe("a reconnecting client", () => {
  it.live("doesn't try again for an invalid option, whatever retry says", () =>
    Effect.gen(function* () {
      const options = { retry: () => true, headers: 5, schedule: undefined }
      yield* assertRefused(reconnecting, options, "headers")
    })
  )
})

describe("values of the right types", () => {
  it.live("are taken by a client and a pair", () =>
    Effect.gen(function* () {
      const [socket] = yield* Socket.makePair({
        draft: Handshake.rfc6455,
        protocols: ["a"],
        request: { url: "/x", headers: { a: "b", c: ["d", "e"] }, remoteAddress: undefined },
        client: { maxMessageSize: 10 },
        server: { keepAlive: false },
        compression: { serverNoContextTakeover: false },
        tracing: { propagation: "off" },
        metrics: true
      })
      assert.strictEqual(socket.protocol, "a")
    })
  )
})
