// The real servers, started and killed by the tests.
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A broker's server that may be killed, and started again on the same port and with the same files. */
export class BrokerServer {
  readonly port: number
  private readonly folder: string
  private readonly command: (port: number, folder: string) => readonly [string, ReadonlyArray<string>]
  private child: ChildProcess | undefined = undefined

  constructor(port: number, command: (port: number, folder: string) => readonly [string, ReadonlyArray<string>]) {
    this.port = port
    this.command = command
    this.folder = mkdtempSync(join(tmpdir(), "effect-ws-broker-"))
  }

  async start(): Promise<void> {
    const [program, args] = this.command(this.port, this.folder)
    const child = spawn(program, args, { stdio: "ignore" })
    this.child = child
    let failure: unknown
    child.once("error", (error) => (failure = error))
    while (!(await listens(this.port))) {
      if (failure !== undefined) throw failure
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** The process, while it runs. */
  get pid(): number | undefined {
    return this.child?.pid
  }

  /** Stops the process without ending it, until `thaw`. */
  freeze(): void {
    this.child?.kill("SIGSTOP")
  }

  thaw(): void {
    this.child?.kill("SIGCONT")
  }

  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill("SIGKILL")
    await once(child, "exit")
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject()))
    })
  })

const started = async (command: ConstructorParameters<typeof BrokerServer>[1]): Promise<BrokerServer> => {
  const server = new BrokerServer(await freePort(), command)
  await server.start()
  return server
}

/** Redis; `durable` writes each command to the disk before it answers. */
export const startRedis = (
  options: { readonly durable?: boolean; readonly args?: ReadonlyArray<string> } = {}
): Promise<BrokerServer> =>
  started((port, folder) => [
    "redis-server",
    [
      ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""],
      options.durable === true ? ["--appendonly", "yes", "--appendfsync", "always"] : [],
      options.args ?? []
    ].flat()
  ])

/** NATS; `config` is the text of a configuration file, and `jetStream` keeps streams in the server's folder. */
export const startNats = (
  options: { readonly config?: string; readonly jetStream?: boolean } = {}
): Promise<BrokerServer> =>
  started((port, folder) => {
    const file = join(folder, "nats.conf")
    writeFileSync(file, options.config ?? "")
    const args = ["--addr", "127.0.0.1", "--port", String(port), "--config", file]
    return ["nats-server", options.jetStream === true ? [...args, "--jetstream", "--store_dir", folder] : args]
  })

/** `startRedis` until the scope ends. */
export const redisServer = (options?: Parameters<typeof startRedis>[0]) =>
  Effect.acquireRelease(
    Effect.promise(() => startRedis(options)),
    (server) => Effect.promise(() => server.stop())
  )

/** `startNats` until the scope ends. */
export const natsServer = (options?: Parameters<typeof startNats>[0]) =>
  Effect.acquireRelease(
    Effect.promise(() => startNats(options)),
    (server) => Effect.promise(() => server.stop())
  )

/** The ports of the servers of a NATS cluster, which runs until the scope ends. */
export const natsCluster = (size: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const routes = await Promise.all(Array.from({ length: size }, freePort))
      const urls = routes.map((port) => `nats://127.0.0.1:${port}`)
      return Promise.all(
        urls.map((url) =>
          started((port) => [
            "nats-server",
            [
              "--addr",
              "127.0.0.1",
              "--port",
              String(port),
              "--cluster_name",
              "test",
              "--cluster",
              url,
              "--routes",
              urls.join()
            ]
          ])
        )
      )
    }),
    (servers) => Effect.promise(() => Promise.all(servers.map((server) => server.stop())))
  )
