/**
 * The part of the platform's `WebSocket` that is needed here, so that any class that has it will do.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlatformWebSocket {
  /** Set to `"arraybuffer"`. */
  binaryType: string
  readonly bufferedAmount: number
  readonly protocol: string
  /** 0 while it opens, then 1; 2 while it closes, then 3. */
  readonly readyState: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  readonly send: (data: string | Uint8Array<ArrayBuffer>) => void
  readonly close: (code?: number, reason?: string) => void
  /** Stops delivering messages, where the platform can: then a reader that is slow stops the peer. */
  readonly pause?: (() => void) | undefined
  /** Delivers messages again. */
  readonly resume?: (() => void) | undefined
}

/**
 * The class of the platform's `WebSocket`.
 *
 * @category models
 * @since 0.1.0
 */
export type PlatformConstructor = new (url: string, protocols?: Array<string>) => PlatformWebSocket

/** `readyState` of a `WebSocket` that takes messages. */
export const openState = 1

export interface MessageEvent {
  readonly data: string | ArrayBuffer | Uint8Array
}

export interface CloseEvent {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean
}

/** What platforms that aren't browsers add to the event. */
export interface ErrorEvent {
  readonly error?: unknown
  readonly message?: string
}

/** Who hears of the events of a `WebSocket`. */
export interface Handlers {
  readonly open?: () => void
  readonly message?: (event: MessageEvent) => void
  readonly error?: (event: ErrorEvent) => void
  readonly close?: (event: CloseEvent) => void
}

/** Has these hear of a `WebSocket`'s events from now on, and nobody else. */
export const listen = (ws: PlatformWebSocket, handlers: Handlers): void => {
  // Every class that stands in for the platform's has these; not every one has the methods of an `EventTarget`.
  // oxlint-disable unicorn/prefer-add-event-listener
  ws.onopen = handlers.open ?? null
  ws.onmessage = handlers.message ?? null
  ws.onerror = handlers.error ?? null
  ws.onclose = handlers.close ?? null
  // oxlint-enable unicorn/prefer-add-event-listener
}
