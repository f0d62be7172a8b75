/**
 * The part of the DOM's `EventTarget` that a `WebSocket` of the callback face has besides being an `EventEmitter`:
 * listeners that get event objects, and the `on…` properties.
 */
import type { EventEmitter } from "node:events"

/** What happened, as a listener added by `addEventListener` or by an `on…` property gets it. */
export class Event<Target = unknown> {
  readonly #type: string
  readonly #target: Target

  constructor(type: string, target: Target) {
    this.#type = type
    this.#target = target
  }

  /** The name of the event. */
  get type(): string {
    return this.#type
  }

  /** The socket on which it happened. */
  get target(): Target {
    return this.#target
  }
}

/** A connection ended. */
export class CloseEvent<Target = unknown> extends Event<Target> {
  readonly #code: number
  readonly #reason: string
  readonly #wasClean: boolean

  constructor(target: Target, code: number, reason: string, wasClean: boolean) {
    super("close", target)
    this.#code = code
    this.#reason = reason
    this.#wasClean = wasClean
  }

  /** The peer's close code; 1005 when its close frame had none, 1006 when none came. */
  get code(): number {
    return this.#code
  }

  /** The peer's reason. */
  get reason(): string {
    return this.#reason
  }

  /** Whether both close frames travelled. */
  get wasClean(): boolean {
    return this.#wasClean
  }
}

/** A connection failed. */
export class ErrorEvent<Target = unknown> extends Event<Target> {
  readonly #error: Error

  constructor(target: Target, error: Error) {
    super("error", target)
    this.#error = error
  }

  get error(): Error {
    return this.#error
  }

  /** The message of `error`. */
  get message(): string {
    return this.#error.message
  }
}

/** A message arrived. */
export class MessageEvent<Target = unknown, Data = unknown> extends Event<Target> {
  readonly #data: Data

  constructor(target: Target, data: Data) {
    super("message", target)
    this.#data = data
  }

  /** Text as a string; bytes as `binaryType` says. */
  get data(): Data {
    return this.#data
  }
}

const enumerable = (prototype: object, ...names: ReadonlyArray<string>): void => {
  for (const name of names) Object.defineProperty(prototype, name, { enumerable: true })
}
enumerable(Event.prototype, "type", "target")
enumerable(CloseEvent.prototype, "code", "reason", "wasClean")
enumerable(ErrorEvent.prototype, "error", "message")
enumerable(MessageEvent.prototype, "data")

/** A listener as the DOM has them. */
export type Handler<E> = ((event: E) => void) | { handleEvent(event: E): void }

/** Makes an event object of the one or two arguments that an `EventEmitter` passes to its listeners. */
export type MakeEvent<Target> = (target: Target, first: unknown, second: unknown) => Event<Target>

type Listener = ((first: unknown, second: unknown) => void) & {
  /** What was added, in whose place this listener stands. */
  readonly handler: Handler<never>
  /** Whether it stands for an `on…` property. */
  readonly attribute: boolean
}

const isOurs = (listener: Function): listener is Listener => "handler" in listener

/** Listeners of `target` that were added here; one added by `once` is seen through. */
const listenersOf = (target: EventEmitter, type: string): ReadonlyArray<Listener> =>
  target.listeners(type).filter(isOurs)

const add = <Target extends EventEmitter>(
  target: Target,
  type: string,
  handler: Handler<never>,
  make: MakeEvent<Target>,
  attribute: boolean,
  once: boolean
): void => {
  const call = function (this: Target, first: unknown, second: unknown): void {
    const event = make(this, first, second)
    if (typeof handler === "object" && handler !== null && typeof handler.handleEvent === "function") {
      Reflect.apply(handler.handleEvent, handler, [event])
    } else {
      Reflect.apply(handler as Function, this, [event])
    }
  }
  const listener: Listener = Object.assign(call, { handler, attribute })
  if (once) target.once(type, listener)
  else target.on(type, listener)
}

/** Adds a listener, unless it was added before. `make` is undefined for a type that has no event objects: then nothing happens. */
export const addEventListener = <Target extends EventEmitter>(
  target: Target,
  type: string,
  handler: Handler<never>,
  make: MakeEvent<Target> | undefined,
  once: boolean
): void => {
  if (make === undefined) return
  if (listenersOf(target, type).some((other) => other.handler === handler && !other.attribute)) return
  add(target, type, handler, make, false, once)
}

/** Removes a listener that `addEventListener` added. */
export const removeEventListener = (target: EventEmitter, type: string, handler: Handler<never>): void => {
  const listener = listenersOf(target, type).find((other) => other.handler === handler && !other.attribute)
  if (listener !== undefined) target.removeListener(type, listener)
}

/** What an `on…` property holds. */
export const getAttribute = (target: EventEmitter, type: string): Handler<never> | null =>
  listenersOf(target, type).find((listener) => listener.attribute)?.handler ?? null

/** Puts a function into an `on…` property; anything else empties it. */
export const setAttribute = <Target extends EventEmitter>(
  target: Target,
  type: string,
  handler: unknown,
  make: MakeEvent<Target>
): void => {
  const before = listenersOf(target, type).find((listener) => listener.attribute)
  if (before !== undefined) target.removeListener(type, before)
  if (typeof handler === "function") add(target, type, handler as (event: never) => void, make, true, false)
}
