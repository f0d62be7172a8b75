/** A `WebSocket` that does as it is told, for what depends on time and on how much a platform has still to send. */
import type { Socket } from "effect-ws/browser"

type Listener<Event> = ((event: Event) => void) | null

export class FakeWebSocket implements Socket.PlatformWebSocket {
  binaryType: "arraybuffer" | "blob" = "blob"
  bufferedAmount = 0
  protocol = ""
  readyState = 0
  onopen: Listener<never> = null
  onmessage: Listener<never> = null
  onerror: Listener<never> = null
  onclose: Listener<never> = null
  /** Whether the peer doesn't answer a close. */
  silent = false
  readonly url: string
  readonly protocols: ReadonlyArray<string>
  readonly sent: Array<string | Uint8Array> = []
  readonly closes: Array<readonly [number | undefined, string | undefined]> = []

  constructor(url: string, protocols: ReadonlyArray<string> = []) {
    this.url = url
    this.protocols = protocols
  }

  readonly send = (data: string | Uint8Array): void => {
    this.sent.push(data)
    this.bufferedAmount += data.length
  }

  readonly close = (code?: number, reason?: string): void => {
    this.closes.push([code, reason])
    const wasOpen = this.readyState === 1
    if (this.readyState < 2) this.readyState = 2
    if (wasOpen && !this.silent) queueMicrotask(() => this.ended(code ?? 1005))
  }

  open(protocol = ""): void {
    this.readyState = 1
    this.protocol = protocol
    tell(this.onopen, {})
  }

  message(data: string | ArrayBuffer): void {
    tell(this.onmessage, { data })
  }

  error(event: { readonly error?: unknown; readonly message?: string }): void {
    tell(this.onerror, event)
  }

  ended(code: number, reason = "", wasClean = code !== 1006): void {
    if (this.readyState === 3) return
    this.readyState = 3
    tell(this.onclose, { code, reason, wasClean })
  }
}

const tell = (listener: Listener<never>, event: unknown): void => {
  // The library says what it wants of events by type alone, as a page's handlers do.
  listener?.(event as never)
}

/** A platform whose sockets a test gets hold of. */
export const fakePlatform = () => {
  const sockets: Array<FakeWebSocket> = []
  class WebSocket extends FakeWebSocket {
    constructor(url: string, protocols?: Array<string>) {
      super(url, protocols)
      sockets.push(this)
    }
  }
  const last = (): FakeWebSocket => {
    const socket = sockets.at(-1)
    if (socket === undefined) throw new Error("no socket was made")
    return socket
  }
  return { WebSocket, sockets, last }
}
