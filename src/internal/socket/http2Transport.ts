import type { Http2Stream } from "node:http2"
import { DuplexTransport } from "../duplexTransport.ts"
import type { Receiver } from "../transport.ts"

/** The error code of RFC 9113 §7 that says that a stream is no longer needed. */
const cancel = 8

/** Ends both directions of a stream at once: RFC 8441 §5 has CANCEL stand for what a reset is on TCP. */
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

  override attach(receiver: Receiver): void {
    super.attach(new StreamReceiver(this.stream, receiver))
  }

  override destroy(): void {
    cancelStream(this.stream)
  }
}

/** Tells a stream that was reset from one that was ended: of both Node first says that they have ended. */
class StreamReceiver implements Receiver {
  private readonly stream: Http2Stream
  private readonly receiver: Receiver
  private over = false

  constructor(stream: Http2Stream, receiver: Receiver) {
    this.stream = stream
    this.receiver = receiver
  }

  received(chunk: Buffer): void {
    this.receiver.received(chunk)
  }

  drained(): void {
    this.receiver.drained()
  }

  ended(): void {
    setImmediate(() => {
      if (!this.over && !this.wasReset) this.receiver.ended()
    })
  }

  closed(error: Error | undefined): void {
    this.over = true
    const reset = this.wasReset
      ? new Error(`the HTTP/2 stream was reset with error code ${this.stream.rstCode}`)
      : undefined
    this.receiver.closed(error ?? reset)
  }

  private get wasReset(): boolean {
    const { closed, rstCode = 0 } = this.stream
    return closed && rstCode !== 0
  }
}
