import * as Handshake from "../../Handshake.ts"
import type { ClientOptions, ProtocolVersion } from "./types.ts"

/** The draft of a version, 13 by default. Throws for one that isn't spoken. */
export const draftOf = (version: ClientOptions["protocolVersion"]): Handshake.Draft => {
  const wanted = String(version ?? 13)
  const draft = Handshake.all.find((draft) => String(versionOf(draft)) === wanted)
  if (draft === undefined) throw new Error("unsupported protocol version")
  return draft
}

/** What `protocolVersion` says of a draft. */
export const versionOf = ({ version }: Handshake.Draft): ProtocolVersion => version ?? "hixie-76"
