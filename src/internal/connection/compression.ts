/** Compression of whole messages, such as permessage-deflate. `done` is called later, never from inside the call. */
export interface Compression {
  /** Messages shorter than this many bytes are sent uncompressed. */
  readonly threshold: number
  /** The same for all connections whose messages are compressed to the same bytes; `undefined` where each has its own. */
  readonly shareKey?: string | undefined
  /** Returns `undefined` when the payload is too large for the event loop; the view is valid until the next call. */
  compressSync(payload: Uint8Array): Uint8Array | undefined
  compress(payload: Uint8Array, done: (result: Uint8Array | Error) => void): void
  /** Produces at most `limit` bytes. Returns `undefined` when the payload is too large for the event loop. */
  inflateSync(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined
  /** The same, as a view that is valid until the next call. */
  inflateView(payload: Uint8Array, limit: number): Uint8Array | "too large" | "invalid" | undefined
  inflate(payload: Uint8Array, limit: number, done: (result: Uint8Array | "too large" | "invalid") => void): void
  close(): void
}
