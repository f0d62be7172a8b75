import type { Borrowed } from "../protocol/codec.ts"
import type { Sink } from "../protocol/outputBuffer.ts"

/** What is notified by the transport below a connection. */
export interface Receiver {
  /** The next bytes. They are the receiver's to change, and to keep unless they are borrowed. */
  received(chunk: Buffer, borrowed?: Borrowed): void
  /** Memory into which the next bytes may be read, if there is any. They are `received` all the same, as its beginning. */
  readonly readTarget?: Buffer | undefined
  /** What was accepted for writing is below the transport's limit again. */
  drained(): void
  /** The peer sends no more. */
  ended(): void
  /** Both directions are gone; `error` says why when it wasn't in order. */
  closed(error: Error | undefined): void
}

/** The error of bytes that can't be written any more. */
export const destroyedError = (): Error =>
  Object.assign(new Error("Cannot call write after a stream was destroyed"), { code: "ERR_STREAM_DESTROYED" })

/** The direction of a transport that is written to. */
export interface OutputTransport extends Sink {
  /** Whether `drained` will be called. */
  readonly congested: boolean
  /** Ends this direction once everything written is out. */
  end(): void
}

/** The byte stream below a connection: a TCP or TLS socket, an HTTP/2 stream, a pipe in memory. */
export interface Transport extends OutputTransport {
  /**
   * Whether a client ends its direction as soon as the closing handshake is complete. Elsewhere it waits for the server to
   * (RFC 6455 §7.1.1), since the first to end a TCP connection holds its port for minutes; a stream of HTTP/2 has none.
   */
  readonly endsAtOnce?: boolean
  /** Starts to deliver. */
  attach(receiver: Receiver): void
  pause(): void
  resume(): void
  /** Drops both directions at once. */
  destroy(): void
}
