/** The drafts with the schemas that their rules amount to. */
import { hixie76 as hixieOpening } from "../protocol/opening/hixie76.ts"
import { hybi07 as hybi07Opening, hybi08 as hybi08Opening, rfc6455 as rfcOpening } from "../protocol/opening/hybi.ts"
import type { DraftOpening, OpeningDraft } from "../protocol/opening/model.ts"
import { strict } from "../protocol/opening/policy.ts"
import type { Draft, Opening } from "./model.ts"
import { schemaOf } from "./schema.ts"

const withSchemas = <A extends DraftOpening>(opening: A): A & Opening => ({
  ...opening,
  requestSchema: schemaOf(opening.requestRules),
  responseSchema: schemaOf(opening.responseRules)
})

const draft = (opening: OpeningDraft): Draft => ({
  ...withSchemas(opening),
  http2: opening.http2 === undefined ? undefined : withSchemas(opening.http2)
})

/**
 * RFC 6455, which is version 13: the standard, and HyBi-13 to HyBi-17 before it.
 *
 * @category drafts
 * @since 0.1.0
 */
export const rfc6455: Draft = draft(rfcOpening)

/**
 * HyBi-08 to HyBi-12, which are version 8.
 *
 * @category drafts
 * @since 0.1.0
 */
export const hybi08: Draft = draft(hybi08Opening)

/**
 * HyBi-07, which is version 7.
 *
 * @category drafts
 * @since 0.1.0
 */
export const hybi07: Draft = draft(hybi07Opening)

/**
 * Hixie-76, the protocol of the browsers of 2010. Servers support it when it is listed in `drafts`.
 *
 * @category drafts
 * @since 0.1.0
 */
export const hixie76: Draft = draft(hixieOpening)

/**
 * Every draft, the newest first.
 *
 * @category drafts
 * @since 0.1.0
 */
export const all: ReadonlyArray<Draft> = [rfc6455, hybi08, hybi07, hixie76]

/**
 * The drafts that a server supports by default: versions 13, 8 and 7.
 *
 * @category drafts
 * @since 0.2.0
 */
export const defaults: ReadonlyArray<Draft> = all.filter(({ id }) => strict.drafts.some((draft) => draft.id === id))
