import { type Offer, parseExtensions } from "../../internal/protocol/opening/extensions.ts"
import { ws8 } from "../../internal/protocol/opening/policy.ts"

/** Reads a header into its elements. Throws a `SyntaxError` with the place where it breaks the grammar. */
export const offersOf = (header: string): ReadonlyArray<Offer> => {
  const offers = parseExtensions(header, ws8.extensions)
  if (!("_tag" in offers)) return offers
  const { position } = offers
  throw new SyntaxError(
    position >= header.length ? "Unexpected end of input" : `Unexpected character at index ${position}`
  )
}
