import * as Inspectable from "effect/Inspectable"
import type { HeaderFields } from "../handshake/model.ts"
import { namesOf, pathOnly } from "../protocol/summary.ts"
import type { UpgradeRequest } from "./model.ts"

/** A request that a server received. Shown in logs without the values of its header fields and its query. */
export class ReceivedRequest implements UpgradeRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion: string | undefined
  readonly headers: HeaderFields
  readonly secure: boolean
  readonly authority: string | undefined
  readonly remoteAddress: string | undefined
  readonly remotePort: number | undefined
  readonly clientAddress: string | undefined
  declare readonly key3?: Uint8Array | undefined

  constructor(fields: UpgradeRequest) {
    this.method = fields.method
    this.url = fields.url
    this.httpVersion = fields.httpVersion
    this.headers = fields.headers
    this.secure = fields.secure
    this.authority = fields.authority
    this.remoteAddress = fields.remoteAddress
    this.remotePort = fields.remotePort
    this.clientAddress = fields.clientAddress
    if (fields.key3 !== undefined) this.key3 = fields.key3
  }

  toJSON(): object {
    const { headers, method, remoteAddress, remotePort, url } = this
    return { _id: "UpgradeRequest", method, path: pathOnly(url), remoteAddress, remotePort, headers: namesOf(headers) }
  }

  [Inspectable.NodeInspectSymbol](): object {
    return this.toJSON()
  }
}
