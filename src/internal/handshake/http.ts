/** What servers need of the handshake's HTTP, with failures as values of Effect. */
import type * as Result from "effect/Result"
import * as Http from "../protocol/opening/http.ts"
import type { Header, HeadersInput } from "../protocol/opening/model.ts"
import { type HandshakeError, resultOf } from "./error.ts"

export { encodeFields, encodeResponse } from "../protocol/opening/http.ts"

/** Takes a caller's header fields if they can be written without changing the meaning of the message. */
export const safeHeaders = (input: HeadersInput): Result.Result<ReadonlyArray<Header>, HandshakeError> =>
  resultOf(Http.safeHeaders(input))
