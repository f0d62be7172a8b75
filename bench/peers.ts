// What is measured against what.
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

type Runtime = "node" | "bun" | "deno"

/** A column of the table. */
export interface Peer {
  /** Name for `--peers` and the column's head. */
  readonly name: string
  readonly runtime: Runtime
  /** The program in `servers/`; no server when undefined. */
  readonly server?: string | undefined
  /** The program in `clients/`; no client when undefined. */
  readonly client?: string | undefined
  /** What its program reads from the environment. */
  readonly environment: Readonly<Record<string, string>>
  /** Which of the colours of the pictures. */
  readonly family: "ours" | "node" | "other" | "limit"
  /** Sends back bytes as they came. */
  readonly verbatim: boolean
  /** Part of a quick run. */
  readonly quick: boolean
  /** Takes part in every round: the goals are held against these. Others run in two of five. */
  readonly everyRound: boolean
}

const plainWs = { WS_NO_BUFFER_UTIL: "1" }

const node = (name: string, rest: Partial<Peer>): Peer => ({
  name,
  runtime: "node",
  environment: {},
  family: "node",
  verbatim: false,
  quick: false,
  everyRound: false,
  ...rest
})

const ours = (name: string, rest: Partial<Peer>): Peer =>
  node(name, { family: "ours", quick: true, everyRound: true, ...rest })

/** The peer that all ratios are taken against. */
export const unit = "ws"

/** Every peer, in the order of the columns. */
export const peers: ReadonlyArray<Peer> = [
  node(unit, { server: "ws.ts", client: "ws.ts", environment: plainWs, quick: true, everyRound: true }),
  ours("effect-ws/ws", { server: "effect-ws-callbacks.ts", client: "effect-ws-callbacks.ts" }),
  ours("effect-ws", { server: "effect-ws.ts", client: "effect-ws.ts", environment: { HANDLER: "stream" } }),
  ours("effect-ws run", { server: "effect-ws.ts", client: "effect-ws.ts", environment: { HANDLER: "run" } }),
  ours("effect-ws batch", { server: "effect-ws.ts", client: "effect-ws.ts", environment: { HANDLER: "batch" } }),
  ours("effect-ws topic", { server: "effect-ws-topic.ts" }),
  node("ws+bufferutil", { server: "ws.ts", client: "ws.ts" }),
  node("effect", { server: "effect.ts", client: "effect.ts", environment: plainWs, quick: true }),
  node("websocket", { server: "websocket.ts", client: "websocket.ts" }),
  node("faye", { server: "faye-websocket.ts", client: "faye-websocket.ts" }),
  node("node", { client: "web.ts" }),
  node("deno", { server: "deno.ts", client: "web.ts", runtime: "deno", family: "other" }),
  node("bun", { server: "bun.ts", client: "web.ts", runtime: "bun", family: "other", quick: true }),
  node("raw net", { server: "raw-net.ts", family: "limit", verbatim: true, quick: true })
]

const firstThatExists = (candidates: ReadonlyArray<string>): string | undefined =>
  candidates
    .map((path) => fileURLToPath(new URL(`runtimes/node_modules/${path}`, import.meta.url)))
    .find((path) => existsSync(path))

const suffix = process.platform === "win32" ? ".exe" : ""

// Their install scripts may not have run: the binaries lie in packages of their own all the same.
const binaries: Readonly<Record<Runtime, () => string | undefined>> = {
  node: () => process.execPath,
  bun: () =>
    firstThatExists([
      `@oven/bun-${process.platform}-${process.arch}/bin/bun${suffix}`,
      `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}/bin/bun${suffix}`,
      "bun/bin/bun.exe"
    ]),
  deno: () =>
    firstThatExists([
      `@deno/${process.platform}-${process.arch}-glibc/deno${suffix}`,
      `@deno/${process.platform}-${process.arch}/deno${suffix}`
    ])
}

const flags: Readonly<Record<Runtime, ReadonlyArray<string>>> = {
  node: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  bun: ["run"],
  deno: ["run", "--quiet", "--no-check", "--no-lock", "--allow-all", "--v8-flags=--expose-gc"]
}

/** The runtime's binary and arguments for a program of this peer; a reason when it cannot run here. */
export const commandFor = (
  peer: Peer,
  side: "server" | "client"
): { readonly command: string; readonly args: ReadonlyArray<string> } | { readonly missing: string } => {
  const program = peer[side]
  if (program === undefined) return { missing: `has no ${side}` }
  const path = fileURLToPath(new URL(`${side}s/${program}`, import.meta.url))
  const binary = binaries[peer.runtime]()
  if (binary === undefined) {
    return { missing: `${peer.runtime} is not installed: npm --prefix bench/runtimes ci` }
  }
  if (peer.family === "ours") {
    const built = peer.server === "effect-ws-callbacks.ts" ? "../dist/ws/index.js" : "../dist/index.js"
    if (!existsSync(new URL(built, import.meta.url)))
      return { missing: `${built.slice(3)} is not built: npm run build` }
  }
  return { command: binary, args: [...flags[peer.runtime], path] }
}
