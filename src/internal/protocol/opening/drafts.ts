/** The drafts that there are, and the one place that picks the draft of a request. */
import { hixie76 } from "./hixie76.ts"
import { isHttp2 } from "./http2.ts"
import { hybi07, hybi08, rfc6455 } from "./hybi.ts"
import type { OpeningDraft, Request } from "./model.ts"
import { type Reason, unsupportedVersion } from "./reason.ts"

/** Every draft, the newest first. */
export const allDrafts: readonly [OpeningDraft, OpeningDraft, OpeningDraft, OpeningDraft] = [
  rfc6455,
  hybi08,
  hybi07,
  hixie76
]

export const versionsOf = (drafts: ReadonlyArray<OpeningDraft>): ReadonlyArray<number> =>
  drafts.flatMap(({ version }) => version ?? [])

/**
 * Returns the draft that a request is for: that of its version; Hixie-76 when it has that draft's keys instead. A request that
 * shows neither goes to the first draft, whose rules then say what is missing. Over HTTP/2 only drafts count that open there.
 */
export const selectDraft = <Draft extends OpeningDraft>(
  request: Request,
  supported: ReadonlyArray<Draft>
): Draft | Reason => {
  const { headers } = request
  const http2 = isHttp2(request.httpVersion)
  const drafts = http2 ? supported.filter((draft) => draft.http2 !== undefined) : supported
  const version = headers["sec-websocket-version"]
  const isHixie = headers["sec-websocket-key1"] !== undefined || headers["sec-websocket-key2"] !== undefined
  const found =
    version !== undefined
      ? drafts.find((draft) => draft.version !== undefined && String(draft.version) === version)
      : isHixie
        ? drafts.find((draft) => draft.version === undefined)
        : drafts[0]
  const wanted = String(version ?? (isHixie ? "hixie-76" : "(none)"))
  return found ?? unsupportedVersion(wanted, versionsOf(drafts), http2 ? 400 : 426)
}
