// A connection whose peer is the test, without any transport.
import { Connection } from "../../src/internal/connection/connection.ts"
import type { ConnectionHandler } from "../../src/internal/connection/handler.ts"
import { hybi } from "../../src/internal/protocol/hybi/codec.ts"
import { ReceiveBuffer } from "../../src/internal/socket/receiveBuffer.ts"
import type { Transport } from "../../src/internal/transport/transport.ts"

export const mib = 1024 * 1024

/** Where the writes of a connection without a peer go. */
export class Sink implements Transport {
  congested = false
  buffered = 0
  written = 0
  ended = false
  attach(): void {}
  write(bytes: Uint8Array): boolean {
    this.written += bytes.length
    return true
  }
  writeAll(pieces: ReadonlyArray<Uint8Array>): boolean {
    for (const piece of pieces) this.write(piece)
    return true
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended = true
  }
  destroy(): void {
    this.ended = true
  }
}

export const noTimers = { now: () => 0, after: () => ({ cancel: () => {} }) }

/** A server's connection over a `Sink`. */
export const bareConnection = (handler: ConnectionHandler, sink: Sink, maxMessageSize = mib): Connection => {
  const connection = new Connection(handler, {
    transport: sink,
    codec: hybi,
    role: "server",
    timers: noTimers,
    maxMessageSize,
    writeHighWaterMark: 64 * 1024,
    closeTimeout: 1000
  })
  if (handler instanceof ReceiveBuffer) handler.attach({ connection, onPong: () => {}, onClosed: () => {} })
  connection.start()
  return connection
}

/** A handler that keeps nothing. */
export const forgetful: ConnectionHandler = {
  wantsFragments: false,
  message: () => undefined,
  fragment: () => undefined,
  control: () => {},
  batchEnd: () => {},
  ended: () => {},
  closed: () => {}
}
