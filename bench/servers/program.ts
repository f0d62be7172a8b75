// What every measured server has in common: one mode from the command line, its port on standard output, orders on standard input.
// Runs on Node, Bun and Deno.
import process from "node:process"

/** How a server is to behave. */
export interface ServerMode {
  /** Send each message back to its sender, or to every connection. */
  readonly scenario: "echo" | "broadcast"
  /** permessage-deflate: none, a context that each message starts anew, or one that is kept. */
  readonly compression: "off" | "reset" | "kept"
  readonly tls?: { readonly key: string; readonly cert: string } | undefined
}

/** The mode that the harness asked for. */
export const mode: ServerMode = JSON.parse(process.argv[2] ?? '{"scenario":"echo","compression":"off"}')

/** The largest message of any scenario, in bytes, for servers whose default limit is lower. */
export const largestMessage = 1_048_576

interface Collectable {
  readonly gc?: (() => void) | undefined
  readonly Bun?: { readonly gc: (force: boolean) => void } | undefined
}

const collect = (): void => {
  const runtime: Collectable = globalThis
  if (runtime.Bun === undefined) runtime.gc?.()
  else runtime.Bun.gc(true)
}

/** Tells the harness where the server listens; from then on it may order a garbage collection. The server ends with its input. */
export const announce = (port: number): void => {
  console.log(JSON.stringify({ port }))
  process.stdin.on("data", (line) => {
    if (!String(line).startsWith("collect")) return
    collect()
    console.log(JSON.stringify({ collected: process.memoryUsage().heapUsed }))
  })
  process.stdin.on("end", () => process.exit())
}

/** Ends the program with a reason that the harness shows in place of a figure. */
export const unsupported = (reason: string): never => {
  console.log(JSON.stringify({ unsupported: reason }))
  process.exit(0)
}
