/**
 * The part of the platform's `WebSocket` that is needed. Any class that has it can be given as `WebSocket`.
 *
 * @category models
 * @since 0.1.0
 */
export interface PlatformWebSocket {
  /** Set to `"arraybuffer"`. */
  binaryType: string
  /** How many bytes wait to be sent. */
  readonly bufferedAmount: number
  /** The subprotocol that the server selected, or an empty string. */
  readonly protocol: string
  /** The state: 0 while connecting, 1 while open, 2 while closing, 3 when closed. */
  readonly readyState: number
  /** Called when the connection is open. */
  onopen: ((event: never) => void) | null
  /** Called with each message, whose `data` is a string, an `ArrayBuffer` or a `Uint8Array`. */
  onmessage: ((event: never) => void) | null
  /** Called when the connection can't be opened, or fails. */
  onerror: ((event: never) => void) | null
  /** Called when the connection is closed. */
  onclose: ((event: never) => void) | null
  /** Sends a message. */
  readonly send: (data: string | Uint8Array<ArrayBuffer>) => void
  /** Begins the closing handshake. */
  readonly close: (code?: number, reason?: string) => void
  /** Stops delivering messages, where the platform can: then a reader that is slow stops the peer. */
  readonly pause?: (() => void) | undefined
  /** Delivers messages again. */
  readonly resume?: (() => void) | undefined
}

/**
 * A class of the interface of the platform's `WebSocket`.
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
