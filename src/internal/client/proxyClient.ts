/** What a client of a proxy does after the proxy's bytes. */
export type ProxyStep =
  /** Waits for more bytes. */
  | { readonly _tag: "Wait" }
  /** Sends these bytes. */
  | { readonly _tag: "Send"; readonly bytes: Uint8Array }
  /** The tunnel is open; `rest` came from its other end. */
  | { readonly _tag: "Open"; readonly rest: Buffer }
  /** There is no tunnel. */
  | { readonly _tag: "Refused"; readonly message: string }

/** A client's part of a proxy's protocol: the caller sends `greeting`, then does what each `receive` returns. */
export interface ProxyClient {
  /** The first bytes to send. */
  readonly greeting: Uint8Array
  receive(bytes: Buffer): ProxyStep
}

export const refused = (message: string): ProxyStep => ({ _tag: "Refused", message })

export const wait: ProxyStep = { _tag: "Wait" }
