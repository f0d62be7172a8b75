/** A WebSocket implementation under test: as server and as client it sends every message back as it came. */
export interface Target {
  readonly name: string
  /** An echo server on a free port of 127.0.0.1, with permessage-deflate on. */
  readonly startServer: (options: TargetOptions) => Promise<RunningServer>
  /** Connects, echoes until the connection ends, however it ends, and resolves. Offers permessage-deflate. */
  readonly runClient: (url: string, options: TargetOptions) => Promise<void>
}

export interface TargetOptions {
  /** Longest message in bytes that must pass. */
  readonly maxMessageSize: number
}

export interface RunningServer {
  readonly port: number
  readonly close: () => Promise<void>
}
