import * as Duration from "effect/Duration"
import type { KeepAliveOptions } from "../connection/keepAlive.ts"
import type { FrameObserver, SocketOptions } from "./model.ts"

/** Options with their defaults, in the engine's units. */
export interface Resolved {
  readonly maxMessageSize: number
  readonly readBufferSize: number
  readonly writeBufferSize: number
  readonly closeTimeout: number
  readonly keepAlive: KeepAliveOptions | undefined
  readonly onFrame: FrameObserver | undefined
}

export const defaults = {
  maxMessageSize: 1024 * 1024,
  bufferSize: 64 * 1024,
  timeout: 10_000,
  keepAlive: 20_000
} as const

export const resolve = (options: SocketOptions | undefined): Resolved => {
  const keepAlive = options?.keepAlive ?? true
  const times = typeof keepAlive === "object" ? keepAlive : {}
  return {
    maxMessageSize: options?.maxMessageSize ?? defaults.maxMessageSize,
    readBufferSize: options?.readBufferSize ?? defaults.bufferSize,
    writeBufferSize: options?.writeBufferSize ?? defaults.bufferSize,
    closeTimeout: Duration.toMillis(options?.closeTimeout ?? defaults.timeout),
    keepAlive:
      keepAlive === false
        ? undefined
        : {
            interval: Duration.toMillis(times.interval ?? defaults.keepAlive),
            timeout: Duration.toMillis(times.timeout ?? defaults.keepAlive)
          },
    onFrame: options?.onFrame
  }
}
