import { type ProxyClient, type ProxyStep, refused, wait } from "./proxyClient.ts"

/** What an HTTP proxy is asked to connect to, and as whom. */
export interface HttpConnectRequest {
  /** A host and a port, an IPv6 address in brackets. */
  readonly authority: string
  /** User and password; `undefined` asks without. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined
}

/** Bytes that the proxy's responses before the tunnel may have together. */
const maxHead = 64 * 1024

const headEnd = /\r?\n\r?\n/

/** RFC 9112 §4; the reason phrase may be missing with its space. */
const statusLine = /^HTTP\/1\.[0-9] ([1-9][0-9]{2})(?:[ \r\n]|$)/

/**
 * A client's part of CONNECT over HTTP/1.1 (RFC 9110 §9.3.6): any status from 200 to 299 opens the tunnel, whose bytes begin
 * after that response's head, and interim responses (1xx) before it are skipped (RFC 9110 §15.2).
 */
export class HttpConnectClient implements ProxyClient {
  /** The first bytes to send. */
  readonly greeting: Uint8Array
  private received: Buffer = Buffer.alloc(0)
  /** The bytes of interim responses. */
  private skipped = 0

  constructor({ authority, credentials }: HttpConnectRequest) {
    const authorization =
      credentials === undefined
        ? ""
        : `Proxy-Authorization: Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}\r\n`
    this.greeting = Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${authorization}\r\n`, "latin1")
  }

  /** Takes the proxy's next bytes. */
  receive(bytes: Buffer): ProxyStep {
    this.received = Buffer.concat([this.received, bytes])
    while (true) {
      // One character a byte, so that an index in the text is one in the bytes.
      const text = this.received.toString("latin1", 0, maxHead + 1)
      const end = headEnd.exec(text)
      const size = end === null ? text.length : end.index + end[0].length
      if (this.skipped + size > maxHead) return refused(`its response is longer than ${maxHead} bytes`)
      // A peer that isn't an HTTP proxy may never send the end of a line.
      if (!text.startsWith("HTTP/1.".slice(0, text.length))) return refused("its response is not one of HTTP/1.1")
      if (end === null) return wait
      const status = Number(statusLine.exec(text)?.[1])
      this.received = this.received.subarray(size)
      if (status >= 200 && status <= 299) return { _tag: "Open", rest: this.received }
      if (Number.isNaN(status)) return refused("its response is not one of HTTP/1.1")
      if (status > 199 || status === 101) return refused(`it answered ${status}`)
      this.skipped += size
    }
  }
}
