// What is measured: plain data.
import type { Compression } from "./workload/frames.ts"
import type { Job } from "./workload/jobs.ts"
import type { Payload } from "./workload/payload.ts"

/** One row of the table. */
export interface Scenario {
  /** Name for `--only`. */
  readonly name: string
  /** The row's title. */
  readonly title: string
  /** The side that is measured. */
  readonly side: "server" | "client"
  readonly job: Job
  readonly tls: boolean
  /** Part of a quick run. */
  readonly quick: boolean
  /**
   * How many of five rounds it gets. The goals are medians of five; what stands beside them gets fewer, so that all of it
   * takes minutes.
   */
  readonly rounds: number
  /** Peers beside `ws` and this library that take part in every round, since a goal is held against them. */
  readonly rivals: ReadonlyArray<string>
  /** What one unit of the figure is. */
  readonly unit: "messages" | "deliveries" | "handshakes" | "bytes"
}

interface EchoOptions {
  readonly connections: number
  readonly depth: number
  readonly payload: Payload
  readonly compression?: Compression
  readonly fragmentSize?: number
  readonly tls?: boolean
  readonly quick?: boolean
  /** Beside the goals. */
  readonly aside?: boolean
  readonly rivals?: ReadonlyArray<string>
  readonly side?: "server" | "client"
}

const bytes = (size: number): Payload => ({ size, kind: "bytes" })
const kib = 1024
const mib = 1024 * kib

const echo = (name: string, title: string, options: EchoOptions): Scenario => ({
  name,
  title,
  side: options.side ?? "server",
  tls: options.tls ?? false,
  quick: options.quick ?? false,
  rounds: options.aside === true ? (options.side === "client" ? 2 : 3) : 5,
  rivals: options.rivals ?? [],
  unit: "messages",
  job: {
    kind: "echo",
    connections: options.connections,
    depth: options.depth,
    payload: options.payload,
    compression: options.compression ?? "off",
    fragmentSize: options.fragmentSize
  }
})

const broadcast = (name: string, title: string, depth: number): Scenario => ({
  name,
  title,
  side: "server",
  tls: false,
  quick: depth > 1,
  rounds: 5,
  rivals: [],
  unit: "deliveries",
  job: { kind: "broadcast", connections: 1000, depth, payload: bytes(64), compression: "off" }
})

const idle = (side: "server" | "client", connections: number, quick: boolean): Scenario => ({
  name: side === "server" ? `idle-${connections}` : `client-idle-${connections}`,
  title: `${side === "client" ? "client: " : ""}idle memory, ${connections} connections`,
  side,
  tls: false,
  quick,
  // A difference of two steady readings.
  rounds: quick ? 2 : 1,
  rivals: [],
  unit: "bytes",
  job: { kind: "idle", connections }
})

const json: Payload = { size: 2 * kib, kind: "json" }

/** Every scenario, in the order of the table. */
export const scenarios: ReadonlyArray<Scenario> = [
  echo("echo-32", "echo 32 B, 100 × 1", {
    rivals: ["effect", "bun"],
    connections: 100,
    depth: 1,
    payload: bytes(32),
    quick: true
  }),
  echo("echo-125-text", "echo 125 B text, 100 × 1", {
    connections: 100,
    depth: 1,
    payload: { size: 125, kind: "text" }
  }),
  echo("echo-1k", "echo 1 KiB, 100 × 1", { connections: 100, depth: 1, payload: bytes(kib) }),
  echo("echo-16k", "echo 16 KiB, 100 × 1", { aside: true, connections: 100, depth: 1, payload: bytes(16 * kib) }),
  echo("echo-64k", "echo 64 KiB, 100 × 1", { connections: 100, depth: 1, payload: bytes(64 * kib), quick: true }),
  echo("echo-1m", "echo 1 MiB, 20 × 1", { connections: 20, depth: 1, payload: bytes(mib) }),
  echo("pipe-32", "echo 32 B, 10 × 100", {
    rivals: ["effect", "bun"],
    connections: 10,
    depth: 100,
    payload: bytes(32),
    quick: true
  }),
  echo("pipe-1k", "echo 1 KiB, 10 × 100", { connections: 10, depth: 100, payload: bytes(kib), quick: true }),
  echo("fragments", "echo 1 MiB in fragments of 4 KiB, 20 × 1", {
    aside: true,
    connections: 20,
    depth: 1,
    payload: bytes(mib),
    fragmentSize: 4 * kib
  }),
  broadcast("broadcast-1", "broadcast 64 B to 1000, 1 in flight", 1),
  broadcast("broadcast-8", "broadcast 64 B to 1000, 8 in flight", 8),
  {
    name: "handshakes",
    title: "handshakes: open and close, 32 at once",
    side: "server",
    tls: false,
    quick: true,
    rounds: 5,
    rivals: [],
    unit: "handshakes",
    job: { kind: "handshakes", connections: 32 }
  },
  echo("deflate-reset", "deflate 2 KiB JSON, context reset, 20 × 1", {
    connections: 20,
    depth: 1,
    payload: json,
    compression: "reset",
    quick: true
  }),
  echo("deflate-kept", "deflate 2 KiB JSON, context kept, 20 × 1", {
    aside: true,
    connections: 20,
    depth: 1,
    payload: json,
    compression: "kept"
  }),
  echo("tls-32", "TLS: echo 32 B, 100 × 1", { aside: true, connections: 100, depth: 1, payload: bytes(32), tls: true }),
  echo("tls-pipe-32", "TLS: echo 32 B, 10 × 100", {
    aside: true,
    connections: 10,
    depth: 100,
    payload: bytes(32),
    tls: true
  }),
  echo("tls-64k", "TLS: echo 64 KiB, 20 × 1", {
    aside: true,
    connections: 20,
    depth: 1,
    payload: bytes(64 * kib),
    tls: true
  }),
  idle("server", 5000, true),
  idle("server", 19_000, false),
  echo("client-32", "client: 32 B, 50 × 1", {
    side: "client",
    connections: 50,
    depth: 1,
    payload: bytes(32),
    quick: true
  }),
  echo("client-125-text", "client: 125 B text, 50 × 1", {
    aside: true,
    side: "client",
    connections: 50,
    depth: 1,
    payload: { size: 125, kind: "text" }
  }),
  echo("client-1k", "client: 1 KiB, 50 × 1", {
    aside: true,
    side: "client",
    connections: 50,
    depth: 1,
    payload: bytes(kib)
  }),
  echo("client-16k", "client: 16 KiB, 50 × 1", {
    aside: true,
    side: "client",
    connections: 50,
    depth: 1,
    payload: bytes(16 * kib)
  }),
  echo("client-64k", "client: 64 KiB, 20 × 1", {
    aside: true,
    side: "client",
    connections: 20,
    depth: 1,
    payload: bytes(64 * kib)
  }),
  echo("client-1m", "client: 1 MiB, 10 × 1", {
    aside: true,
    side: "client",
    connections: 10,
    depth: 1,
    payload: bytes(mib)
  }),
  echo("client-pipe-32", "client: 32 B, 50 × 100", {
    side: "client",
    connections: 50,
    depth: 100,
    payload: bytes(32),
    quick: true
  }),
  echo("client-pipe-1k", "client: 1 KiB, 10 × 100", {
    aside: true,
    side: "client",
    connections: 10,
    depth: 100,
    payload: bytes(kib)
  }),
  echo("client-fragments", "client: 1 MiB that arrives in fragments of 4 KiB, 10 × 1", {
    aside: true,
    side: "client",
    connections: 10,
    depth: 1,
    payload: bytes(mib),
    fragmentSize: 4 * kib
  }),
  {
    name: "client-handshakes",
    title: "client: handshakes: open and close, 32 at once",
    side: "client",
    tls: false,
    quick: false,
    rounds: 2,
    rivals: [],
    unit: "handshakes",
    job: { kind: "handshakes", connections: 32 }
  },
  echo("client-deflate-reset", "client: deflate 2 KiB JSON, context reset, 20 × 1", {
    aside: true,
    side: "client",
    connections: 20,
    depth: 1,
    payload: json,
    compression: "reset"
  }),
  echo("client-tls-32", "client: TLS: 32 B, 50 × 1", {
    aside: true,
    side: "client",
    connections: 50,
    depth: 1,
    payload: bytes(32),
    tls: true
  }),
  idle("client", 5000, false)
]
