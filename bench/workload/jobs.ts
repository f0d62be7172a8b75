// What the harness asks of the two processes that make load, and what they answer.
import type { MessageOptions } from "./frames.ts"

/** Where the peer listens. */
export interface Target {
  readonly port: number
  /** The process that is measured. */
  readonly pid: number
  /** A certificate to trust; plain TCP when undefined. */
  readonly certificate?: string | undefined
  /** The peer sends back the bytes as they came, frames and all. */
  readonly verbatim: boolean
}

/** Times of one run, in milliseconds of CPU time of the side measured. */
export interface Window {
  readonly warmUp: number
  readonly measured: number
}

/** Each connection keeps `depth` messages under way. */
export interface EchoJob extends MessageOptions {
  readonly kind: "echo"
  readonly connections: number
  readonly depth: number
}

/** One connection publishes, all of them hear it; `depth` messages are under way. */
export interface BroadcastJob extends MessageOptions {
  readonly kind: "broadcast"
  readonly connections: number
  readonly depth: number
}

/** Connections are opened and closed, `connections` at a time. */
export interface HandshakeJob {
  readonly kind: "handshakes"
  readonly connections: number
}

/** Connections are opened and left alone. */
export interface IdleJob {
  readonly kind: "idle"
  readonly connections: number
}

export type Job = EchoJob | BroadcastJob | HandshakeJob | IdleJob

/** What one run measured. */
export interface Measurement {
  /** Messages, deliveries or handshakes within the window. */
  readonly count: number
  /** Wall time of the window in seconds. */
  readonly seconds: number
  /** CPU time of the side measured within the window, in seconds. */
  readonly cpu: number
  /** CPU time of the load generator within the window, in seconds. */
  readonly generatorCpu: number
  /** Resident memory of the side measured at the end of the window, in bytes. */
  readonly resident: number
  /** Round trips in microseconds, when one message at a time is under way. */
  readonly latency?: { readonly p50: number; readonly p99: number } | undefined
}

/** From the harness to the generator of load on a server. */
export type LoadCommand =
  | { readonly type: "run"; readonly target: Target; readonly job: Exclude<Job, IdleJob>; readonly window: Window }
  | { readonly type: "hold"; readonly target: Target; readonly job: IdleJob }
  | { readonly type: "release" }

/** From the harness to the server that measures a client. */
export type MirrorCommand =
  | {
      readonly type: "listen"
      readonly job: Job
      readonly certificate?: { readonly key: string; readonly cert: string } | undefined
    }
  | { readonly type: "measure"; readonly pid: number; readonly window: Window }
  | { readonly type: "stop" }

/** Answers of both. */
export type Answer =
  | { readonly type: "measured"; readonly measurement: Measurement }
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "held" }
  | { readonly type: "released" }
  | { readonly type: "failed"; readonly reason: string }
