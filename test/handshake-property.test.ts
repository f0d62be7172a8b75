import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Predicate, Result, Schema } from "effect"
import * as Handshake from "../src/Handshake.ts"

/** The parts of a message that are no header fields. */
const parts = new Set(["method", "httpVersion", "url", "key3", "body"])

/** What no field of any draft may be. */
const broken = "\u0001"

/** What a reason is about. */
const named = (reason: Handshake.Reason): string => {
  switch (reason._tag) {
    case "MethodNotAllowed":
      return "method"
    case "UnsupportedHttpVersion":
      return "httpVersion"
    case "InvalidTarget":
      return "url"
    case "InvalidBody":
      return "body"
    case "UnsupportedVersion":
      return "sec-websocket-version"
    case "UpgradeRequired":
    case "InvalidHeader":
      return reason.header
    default:
      return reason._tag
  }
}

interface Message {
  readonly headers: Handshake.HeaderFields
}

const isMessage = (value: unknown): value is Message =>
  Predicate.hasProperty(value, "headers") && Predicate.isObject(value.headers)

/** Messages of a schema as they come over the wire: decoded, a Hixie key is the number that it hides. */
const messages = (schema: Schema.Codec<unknown, unknown>): Arbitrary.Arbitrary<Message> => {
  const encode = Schema.encodeUnknownSync(schema)
  return Arbitrary.schema(schema).pipe(
    Arbitrary.map((value) => encode(value)),
    Arbitrary.filter(isMessage)
  )
}

/** The message with one field changed; `undefined` takes it away. */
const withField = <M extends Message>(message: M, field: string, value: string | undefined): M =>
  parts.has(field) ? { ...message, [field]: value } : { ...message, headers: { ...message.headers, [field]: value } }

const runs = { arbitrary: { runs: 200 } }

for (const draft of Handshake.all) {
  describe(`the schemas of ${draft.id}`, () => {
    const options: Handshake.AcceptOptions = { drafts: Handshake.all, origins: "any" }
    const requestRules = draft.requestRules
    const responseRules = draft.responseRules

    it("state a rule and a section for every field", () => {
      for (const rule of [...requestRules, ...responseRules]) {
        assert.notInclude([rule.reason, rule.section], "undefined", rule.field)
      }
      assert.isAtLeast(requestRules.length, 10)
      assert.isAtLeast(responseRules.length, 5)
    })

    it.prop(
      "let a server accept every request that they describe",
      [messages(draft.requestSchema)],
      ([request]) => {
        const accepted = Result.getOrThrow(Handshake.acceptResult(request, options))
        assert.strictEqual(accepted.draft, draft)
        assert.strictEqual(accepted.response.status, 101)
      },
      runs
    )

    for (const { field, required } of requestRules) {
      it.prop(
        `name ${field} when it alone is broken in a request`,
        [messages(draft.requestSchema)],
        ([request]) => {
          for (const value of required ? [broken, undefined] : [broken]) {
            const result = Handshake.acceptResult(withField(request, field, value), options)
            assert(Result.isFailure(result), `${field}: ${String(value)} was accepted`)
            assert.strictEqual(named(result.failure.reason), field === "key3" ? "body" : field)
            assert.isAtLeast(result.failure.reason.status, 400)
          }
        },
        runs
      )
    }

    const asked = Result.getOrThrow(Handshake.requestResult("ws://example.com/chat", { draft, protocols: ["a"] }))
    const fields = Object.fromEntries(asked.headers.map(([name, value]) => [name.toLowerCase(), value]))
    const { response } = Result.getOrThrow(
      Handshake.acceptResult(
        { method: "GET", url: asked.target, headers: fields, key3: asked.body },
        { ...options, protocols: ["a"] }
      )
    )
    const answer: Handshake.ServerResponse = {
      status: 101,
      headers: Object.fromEntries(response.headers.map(([name, value]) => [name.toLowerCase(), value])),
      body: response.body
    }

    it.prop(
      "describe responses whose proof alone can fail them, when they are to another request",
      [messages(draft.responseSchema)],
      ([other]) => {
        const result = Handshake.verifyResult(asked, { status: 101, ...other })
        assert(Result.isFailure(result))
        const expected = draft.version === undefined ? "sec-websocket-origin" : "sec-websocket-accept"
        assert.strictEqual(named(result.failure.reason), expected)
      },
      runs
    )

    it("let a client take the server's answer, and name the field that is broken in it", () => {
      assert.isTrue(Result.isSuccess(Handshake.verifyResult(asked, answer)))
      for (const { field, required } of responseRules) {
        for (const value of required ? [broken, undefined] : [broken]) {
          const result = Handshake.verifyResult(asked, withField(answer, field, value))
          assert(Result.isFailure(result), `${field}: ${String(value)} was accepted`)
          assert.strictEqual(named(result.failure.reason), field)
        }
      }
    })
  })
}
