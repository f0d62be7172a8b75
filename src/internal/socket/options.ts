import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { KeepAliveOptions } from "../connection/keepAlive.ts"
import { bytesOf } from "./byteSize.ts"
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

/** An observer whose exceptions are logged and have no other effect. */
const guarded =
  (onFrame: FrameObserver, context: Context.Context<never>): FrameObserver =>
  (frame, socket) => {
    try {
      onFrame(frame, socket)
    } catch (cause) {
      Effect.runForkWith(context)(Effect.logError("onFrame failed", cause))
    }
  }

/** Fills defaults in; `context` has the logger for an `onFrame` that throws. */
export const resolve = (
  options: SocketOptions | undefined,
  context: Context.Context<never> = Context.empty()
): Resolved => {
  const keepAlive = options?.keepAlive ?? true
  const times = typeof keepAlive === "object" ? keepAlive : {}
  return {
    maxMessageSize: bytesOf(options?.maxMessageSize, defaults.maxMessageSize),
    readBufferSize: bytesOf(options?.readBufferSize, defaults.bufferSize),
    writeBufferSize: bytesOf(options?.writeBufferSize, defaults.bufferSize),
    closeTimeout: Duration.toMillis(options?.closeTimeout ?? defaults.timeout),
    keepAlive:
      keepAlive === false
        ? undefined
        : {
            interval: Duration.toMillis(times.interval ?? defaults.keepAlive),
            timeout: Duration.toMillis(times.timeout ?? defaults.keepAlive)
          },
    onFrame: options?.onFrame && guarded(options.onFrame, context)
  }
}
