import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { readFileSync } from "node:fs"
import { render } from "../scripts/handshake-docs.ts"
import * as Handshake from "../src/Handshake.ts"
import { rulesOf } from "../src/internal/handshake/schema.ts"

/** Parts of a message that are no header fields. */
const parts = new Set(["method", "httpVersion", "url", "key3", "body"])

/** No field of any draft may be this. */
const bad = "\u0001"

const options: Handshake.AcceptOptions = { drafts: Handshake.all, origins: "any" }

/** What the reason is about. */
const named = (reason: Handshake.Reason): string => {
  switch (reason._tag) {
    case "MethodNotAllowed":
      return "method"
    case "UnsupportedHttpVersion":
      return "httpVersion"
    case "InvalidTarget":
      return "url"
    case "InvalidBody":
      return "key3"
    case "UnsupportedVersion":
      return "sec-websocket-version"
    case "UpgradeRequired":
    case "InvalidHeader":
      return reason.header
    default:
      return reason._tag
  }
}

/** As it would come over the wire: a schema may decode a field, such as a Hixie key into its number. */
const encoded = (draft: Handshake.Draft): Arbitrary.Arbitrary<Handshake.Request> =>
  Arbitrary.schema(draft.requestSchema).pipe(
    Arbitrary.map((value) => Schema.encodeUnknownSync(draft.requestSchema)(value)),
    Arbitrary.filter((value): value is Handshake.Request => typeof value === "object" && value !== null)
  )

const withField = (request: Handshake.Request, field: string, value: unknown): object =>
  parts.has(field) ? { ...request, [field]: value } : { ...request, headers: { ...request.headers, [field]: value } }

for (const draft of Handshake.all) {
  describe(`requests of ${draft.id}`, () => {
    it.prop("from its Schema are accepted", [encoded(draft)], ([request]) => {
      const accepted = Handshake.acceptResult(request, options)
      assert.strictEqual(Result.isSuccess(accepted) ? accepted.success.draft.id : accepted.failure.message, draft.id)
    })

    for (const { field, required } of rulesOf(draft.requestSchema.ast)) {
      it.prop(`with a broken ${field} are refused by its name`, [encoded(draft)], ([request]) => {
        const refused = Handshake.acceptResult(withField(request, field, bad) as Handshake.Request, options)
        assert.strictEqual(Result.isFailure(refused) ? named(refused.failure.reason) : "accepted", field)
      })

      // Without its version or its keys a request is for another draft: which one, other tests say.
      if (!required || field === "sec-websocket-version" || field.startsWith("sec-websocket-key")) continue
      it.prop(`without ${field} are refused by its name`, [encoded(draft)], ([request]) => {
        const refused = Handshake.acceptResult(withField(request, field, undefined) as Handshake.Request, options)
        assert.strictEqual(Result.isFailure(refused) ? named(refused.failure.reason) : "accepted", field)
      })
    }
  })
}

describe("docs/handshakes.md", () => {
  it("is what the schemas say", () => {
    assert.strictEqual(readFileSync(new URL("../docs/handshakes.md", import.meta.url), "utf8"), render())
  })
})
