import { setImmediate } from "node:timers"
import type { Http2Session, Http2Stream } from "node:http2"
import { DuplexTransport } from "./duplex.ts"
import type { Borrowed } from "../protocol/codec.ts"
import type { Receiver } from "./transport.ts"

/** The error code of RFC 9113 §7 that says that a stream is no longer needed. */
const cancel = 8

/** Ends both directions of a stream at once: RFC 8441 §5 has CANCEL stand for what a reset is on TCP. */
export const cancelStream = (stream: Http2Stream): void => {
  stream.close(cancel)
  stream.destroy()
}

/** Bytes that a peer may be ahead of us on one session, all streams together. */
const sessionWindow = 16 * 1024 * 1024

/**
 * Widens the window of a session, which RFC 9113 §6.9.2 begins with 64 KiB: once a few busy streams fill it, the others
 * starve. What Node reads it gives back to this window at once, so that the windows of the streams bound what is held.
 */
const widen = (session: Http2Session | undefined): void => {
  const size = session?.state.effectiveLocalWindowSize
  if (session !== undefined && size !== undefined && size < sessionWindow) session.setLocalWindowSize(sessionWindow)
}

/** Milliseconds that a client has to end its half of a stream, once a server has ended its stream. */
const lingerTime = 100

/** A stream of an HTTP/2 connection as a transport. */
export class Http2Transport extends DuplexTransport {
  override readonly endsAtOnce = true
  protected readonly stream: Http2Stream

  constructor(stream: Http2Stream) {
    super(stream)
    this.stream = stream
    widen(stream.session)
  }

  override attach(receiver: Receiver): void {
    super.attach(new StreamReceiver(this.stream, receiver))
  }

  override destroy(): void {
    cancelStream(this.stream)
  }
}

/**
 * A server's stream. Some proxies don't pass on that a stream has ended, and their half would stay open; RFC 9113 §8.1 lets a
 * server that needs no more from its peer close the stream with NO_ERROR.
 */
export class Http2ServerTransport extends Http2Transport {
  override end(): void {
    const { stream } = this
    if (stream.writableEnded) return
    super.end()
    stream.once("finish", () => {
      const late = setTimeout(() => stream.close(), lingerTime)
      late.unref()
      stream.once("close", () => clearTimeout(late))
    })
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

  received(chunk: Buffer, borrowed?: Borrowed): void {
    this.receiver.received(chunk, borrowed)
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
