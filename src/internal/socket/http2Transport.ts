import type { Http2Stream } from "node:http2"
import { DuplexTransport } from "../duplexTransport.ts"

/** The error code of RFC 9113 §7 that says that a stream is no longer needed. */
export const cancel = 8

/** Ends both directions of a stream at once, as RFC 8441 §5 has what a TCP connection does with a reset: with CANCEL. */
export const cancelStream = (stream: Http2Stream): void => {
  stream.close(cancel)
  stream.destroy()
}

/** A stream of an HTTP/2 connection as a transport. */
export class Http2Transport extends DuplexTransport {
  private readonly stream: Http2Stream

  constructor(stream: Http2Stream) {
    super(stream)
    this.stream = stream
  }

  override destroy(): void {
    cancelStream(this.stream)
  }
}
