/** The part of the W3C's interface that a `WebSocket` of `ws` 0.4 had besides being an `EventEmitter`. */
import type { EventEmitter } from "node:events"
import type { Flags } from "./types.ts"

/**
 * A message, as a listener of `addEventListener` and `onmessage` gets it.
 *
 * @category classes
 * @since 0.1.0
 */
export class MessageEvent<Target = unknown> {
  /** The message. */
  readonly data: string | Buffer
  /** The kind of the message. */
  readonly type: "Text" | "Binary"
  /** The socket. */
  readonly target: Target

  constructor(data: string | Buffer, type: "Text" | "Binary", target: Target) {
    this.data = data
    this.type = type
    this.target = target
  }
}

/**
 * The end of a connection, as a listener of `addEventListener` and `onclose` gets it.
 *
 * @category classes
 * @since 0.1.0
 */
export class CloseEvent<Target = unknown> {
  /** Whether the code is 1000, or there is none because the connection never opened. */
  readonly wasClean: boolean
  /** The peer's close code. */
  readonly code: number | undefined
  /** The reason of the peer's close frame. */
  readonly reason: string | Uint8Array | undefined
  /** The socket. */
  readonly target: Target

  constructor(code: number | undefined, reason: string | Uint8Array | undefined, target: Target) {
    this.wasClean = code === undefined || code === 1000
    this.code = code
    this.reason = reason
    this.target = target
  }
}

/**
 * The beginning of a connection, as a listener of `addEventListener` and `onopen` gets it.
 *
 * @category classes
 * @since 0.1.0
 */
export class OpenEvent<Target = unknown> {
  /** The socket. */
  readonly target: Target

  constructor(target: Target) {
    this.target = target
  }
}

/** The function that a listener of an `EventEmitter` stands for. */
const original = Symbol("effect-ws/listener")

interface Wrapped extends Function {
  [original]?: Function
}

const call = (listener: Function, self: unknown, event: unknown): void => {
  Reflect.apply(listener, self, [event])
}

/** What an `EventEmitter` calls so that `listener` gets an event object. */
const wrap = (
  target: EventEmitter,
  type: string,
  listener: Function
): ((...args: Array<never>) => void) | undefined => {
  switch (type) {
    case "message":
      return function (this: unknown, data: string | Buffer, flags: Flags) {
        call(listener, this, new MessageEvent(data, flags.binary === true ? "Binary" : "Text", target))
      }
    case "close":
      return function (this: unknown, code?: number, reason?: string | Uint8Array) {
        call(listener, this, new CloseEvent(code, reason, target))
      }
    case "error":
      return function (this: unknown, error: unknown) {
        // What breaks the protocol comes as a string, which can't tell its target.
        if (typeof error === "object" && error !== null) Object.assign(error, { target })
        call(listener, this, error)
      }
    case "open":
      return function (this: unknown) {
        call(listener, this, new OpenEvent(target))
      }
    default:
      return undefined
  }
}

/** Adds a listener that gets event objects, for the types that have them; a listener as it is for others. */
export const addEventListener = (target: EventEmitter, type: string, listener: unknown): void => {
  if (typeof listener !== "function") return
  const wrapped: Wrapped = wrap(target, type, listener) ?? (listener as () => void)
  if (wrapped !== listener) wrapped[original] = listener
  target.on(type, wrapped as () => void)
}

/** What an `on…` property holds: the first listener. */
export const getListener = (target: EventEmitter, type: string): Function | undefined => {
  const [listener] = target.listeners(type) as Array<Wrapped>
  return listener?.[original] ?? listener
}

/** Fills an `on…` property: takes the place of all listeners, those of `on` included. */
export const setListener = (target: EventEmitter, type: string, listener: unknown): void => {
  target.removeAllListeners(type)
  addEventListener(target, type, listener)
}
