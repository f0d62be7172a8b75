import { allDrafts } from "../../internal/protocol/opening/drafts.ts"
import type { OpeningDraft } from "../../internal/protocol/opening/model.ts"
import type { ClientOptions, ProtocolVersion } from "./types.ts"

/** The draft of a version, 13 by default. Throws for one that isn't supported. */
export const draftOf = (version: ClientOptions["protocolVersion"]): OpeningDraft => {
  const wanted = String(version ?? 13)
  const draft = allDrafts.find((draft) => String(versionOf(draft)) === wanted)
  if (draft === undefined) throw new Error("unsupported protocol version")
  return draft
}

/** What `protocolVersion` says of a draft. */
export const versionOf = ({ version }: OpeningDraft): ProtocolVersion => version ?? "hixie-76"
