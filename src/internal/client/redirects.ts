import type { ClientHttp2Session } from "node:http2"
import type { ClientRequest, HeadersInput, Secret } from "../handshake/model.ts"
import { pairsOf } from "../handshake/secret.ts"
import type { HandshakeError } from "../handshake/error.ts"
import { strict } from "../protocol/opening/policy.ts"
import { droppedHeaders, redirectTarget } from "../protocol/opening/redirect.ts"

/** The options of a client that a redirect may change. */
interface RedirectedOptions {
  readonly auth?: Secret | undefined
  readonly headers?: HeadersInput | undefined
  readonly host?: string | undefined
  readonly http2?: boolean | ClientHttp2Session | undefined
}

/** The next place to connect to, with the options that go there. */
export interface Redirect<Options> {
  readonly url: string
  readonly options: Options
}

/** Returns where a refusal redirects to, if it does, without the credentials that must not go there. */
export const redirectOf = <Options extends RedirectedOptions>(
  url: string,
  request: ClientRequest,
  options: Options,
  { reason }: HandshakeError
): Redirect<Options> | undefined => {
  if (reason._tag !== "UnexpectedStatus" || !strict.isRedirect(reason.status)) return undefined
  const target = redirectTarget(reason.headers["location"], url)
  if (target === undefined) return undefined
  const dropped = droppedHeaders(new URL(request.url), target)
  if (dropped.length === 0) return { url: target.href, options }
  return {
    url: target.href,
    options: {
      ...options,
      // A session of the caller's leads to its own server alone.
      http2: options.http2 !== undefined && options.http2 !== false,
      auth: undefined,
      host: undefined,
      headers: pairsOf(options.headers).filter(([name]) => !dropped.includes(name.toLowerCase()))
    }
  }
}
