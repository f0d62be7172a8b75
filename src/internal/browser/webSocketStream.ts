import type { CloseEvent, ErrorEvent, MessageEvent, PlatformConstructor, PlatformWebSocket } from "./platform.ts"

/** How a `WebSocketStream` is closed, and how it was. */
interface CloseInfo {
  readonly closeCode?: number
  readonly reason?: string
}

interface Reader {
  readonly read: () => Promise<{ readonly done: boolean; readonly value?: string | ArrayBuffer | Uint8Array }>
}

interface Writer {
  readonly write: (data: string | Uint8Array) => Promise<void>
}

interface Opened {
  readonly protocol: string
  readonly readable: { readonly getReader: () => Reader }
  readonly writable: { readonly getWriter: () => Writer }
}

/** The part of the platform's `WebSocketStream` that is needed here. */
export interface WebSocketStream {
  readonly opened: Promise<Opened>
  readonly closed: Promise<CloseInfo>
  readonly close: (info?: CloseInfo) => void
}

export type WebSocketStreamConstructor = new (
  url: string,
  options?: { readonly protocols?: ReadonlyArray<string> }
) => WebSocketStream

/** The platform's class as one of `WebSocket`s that can pause; `undefined` where the platform has none. */
export const streamPlatform = (): PlatformConstructor | undefined => {
  const Platform: unknown = Reflect.get(globalThis, "WebSocketStream")
  if (!isConstructor(Platform)) return undefined
  const Stream = Platform
  return class extends StreamWebSocket {
    constructor(url: string, protocols: Array<string> = []) {
      super(new Stream(url, { protocols }))
    }
  }
}

const isConstructor = (value: unknown): value is WebSocketStreamConstructor => typeof value === "function"

type Listener<Event> = ((event: Event) => void) | null

/**
 * A `WebSocket` over a `WebSocketStream`. It reads while it isn't paused, one message at a time: what it doesn't take
 * stays with the platform, which stops the peer.
 */
export class StreamWebSocket implements PlatformWebSocket {
  binaryType: "arraybuffer" | "blob" = "arraybuffer"
  bufferedAmount = 0
  protocol = ""
  readyState = 0
  onopen: Listener<object> = null
  onmessage: Listener<MessageEvent> = null
  onerror: Listener<ErrorEvent> = null
  onclose: Listener<CloseEvent> = null
  private readonly stream: WebSocketStream
  private flow: Flow = { _tag: "Paused" }
  private ends: { readonly reader: Reader; readonly writer: Writer } | undefined = undefined
  /** Settles with the last write that was begun. */
  private written: Promise<void> = Promise.resolve()

  constructor(stream: WebSocketStream) {
    this.stream = stream
    stream.opened.then(
      ({ protocol, readable, writable }) => {
        if (this.readyState !== 0) return
        this.ends = { reader: readable.getReader(), writer: writable.getWriter() }
        this.protocol = protocol
        this.readyState = 1
        this.onopen?.({})
        this.resume()
      },
      (error: unknown) => this.onerror?.({ error })
    )
    stream.closed.then(
      ({ closeCode = 1005, reason = "" }) => this.ended({ code: closeCode, reason, wasClean: true }),
      () => this.ended({ code: 1006, reason: "", wasClean: false })
    )
  }

  /** Sends a copy: the platform keeps what it is given until the network takes it. */
  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.ends === undefined) return
    const size = data.length
    this.bufferedAmount += size
    const sent = (): void => {
      this.bufferedAmount -= size
    }
    this.written = this.ends.writer.write(typeof data === "string" ? data : data.slice()).then(sent, sent)
  }

  /** Closes once what was sent before is written: Chromium's renderer crashes when it is closed amid a write. */
  close(code?: number, reason = ""): void {
    if (this.readyState >= 2) return
    const close = (): void => this.stream.close(code === undefined ? {} : { closeCode: code, reason })
    if (this.readyState === 0) close()
    else void this.written.then(close)
    this.readyState = 2
    // The peer's close frame comes after what it sent before, which is dropped.
    this.resume()
  }

  pause(): void {
    if (this.readyState === 1 && this.flow._tag === "Reading") this.flow = { _tag: "Stopping", done: this.flow.done }
  }

  resume(): void {
    const { flow } = this
    if (flow._tag === "Stopping") this.flow = { _tag: "Reading", done: flow.done }
    if (flow._tag === "Paused" && this.ends !== undefined) {
      const done = this.read(this.ends.reader)
      this.flow = { _tag: "Reading", done }
    }
  }

  /** Reads while the flow is `Reading`, until nothing more comes. */
  private async read(reader: Reader): Promise<void> {
    try {
      do {
        const { done, value } = await reader.read()
        if (done || value === undefined) return
        if (this.readyState !== 2) this.onmessage?.({ data: value })
      } while (this.flow._tag === "Reading")
      this.flow = { _tag: "Paused" }
    } catch {
      // The connection was lost: `closed` is rejected, too.
    }
  }

  /** Delivers what arrived before the end, whether paused or not, and then the end. */
  private async ended(event: CloseEvent): Promise<void> {
    const opened = this.readyState !== 0
    if (this.readyState !== 2) this.readyState = 3
    this.resume()
    if (this.flow._tag !== "Paused") await this.flow.done
    this.readyState = 3
    if (opened) this.onclose?.(event)
  }
}

/** Whether messages are read: after `pause`, the read that is under way still delivers its message. */
type Flow =
  | { readonly _tag: "Paused" }
  | { readonly _tag: "Reading"; readonly done: Promise<void> }
  | { readonly _tag: "Stopping"; readonly done: Promise<void> }
