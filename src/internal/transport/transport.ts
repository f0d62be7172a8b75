/** Until when lent bytes are good: the end of the call, or the first thing that anybody is told of. */
export type Lent = "call" | "telling"

/** What a connection hears from the byte stream below it. */
export interface Receiver {
  /** The next bytes. They are the receiver's to change, and to keep unless they are lent. */
  received(chunk: Buffer, lent?: Lent): void
  /** What was accepted for writing is below the transport's limit again. */
  drained(): void
  /** The peer sends no more. */
  ended(): void
  /** Both directions are gone; `error` says why when it wasn't in order. */
  closed(error: Error | undefined): void
}

/** Hears, later than the call, that bytes were taken by the system, or why they never will be. */
export type Written = (error?: Error | null) => void

/** What becomes of bytes that nobody can write any more. */
export const destroyedError = (): Error =>
  Object.assign(new Error("Cannot call write after a stream was destroyed"), { code: "ERR_STREAM_DESTROYED" })

/** The byte stream below a connection: a TCP or TLS socket, an HTTP/2 stream, a pipe in memory. */
export interface Transport {
  /** Starts to deliver. */
  attach(receiver: Receiver): void
  /** Takes bytes, and answers whether they may be overwritten at once. */
  write(bytes: Uint8Array, written?: Written): boolean
  /** Takes several pieces as one write. */
  writeAll(pieces: ReadonlyArray<Uint8Array>, written?: Written): boolean
  /** Bytes accepted, but not yet taken by the system. */
  readonly buffered: number
  /** Whether `drained` will be called. */
  readonly congested: boolean
  pause(): void
  resume(): void
  /**
   * Whether a client ends its direction as soon as the closing handshake is complete. It waits for the server elsewhere (RFC
   * 6455 §7.1.1), where the first to end holds the port of its connection for minutes; a stream of HTTP/2 has none.
   */
  readonly endsAtOnce?: boolean
  /** Ends our direction once everything written is out. */
  end(): void
  /** Drops both directions at once. */
  destroy(): void
}
