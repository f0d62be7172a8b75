/** The proxies of docs/deployment.md: each is started with the configuration on that page, in a folder of its own. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect, createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"

const page = readFileSync(new URL("../../docs/deployment.md", import.meta.url), "utf8")

const blockOf = (language: string): string => {
  const [, code] = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "m").exec(page) ?? []
  if (code === undefined) throw new Error(`docs/deployment.md has no block of ${language}`)
  return code
}

export interface Kind {
  readonly name: string
  readonly language: string
  /** The whole configuration around that of the page. */
  readonly wrap: (code: string, folder: string) => string
  /** The command that stays in the foreground. */
  readonly command: (file: string, folder: string, port: number) => readonly [string, ...ReadonlyArray<string>]
  /** A limit of four seconds for idle connections. */
  readonly idle?: (code: string) => string
  /** More arguments for that limit. */
  readonly idleArguments?: ReadonlyArray<string>
  /** The configuration with which browsers are refused. */
  readonly withoutHost?: (code: string) => string
}

const modules = (...names: ReadonlyArray<string>): string =>
  names.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join("")

export const kinds: ReadonlyArray<Kind> = [
  {
    name: "nginx",
    language: "nginx",
    wrap: (code, folder) =>
      `daemon off;\npid ${folder}/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join("\n")}\n${code}\n}\n`,
    command: (file) => ["/usr/sbin/nginx", "-c", file],
    idle: (code) => code.replaceAll("60s", "4s"),
    withoutHost: (code) => code.replace(/^.*set_header Host.*$/m, "")
  },
  {
    name: "HAProxy",
    language: "haproxy",
    wrap: (code) => code,
    command: (file) => ["/usr/sbin/haproxy", "-q", "-f", file],
    idle: (code) => code.replace("timeout tunnel 60s", "timeout tunnel 4s")
  },
  {
    name: "Apache",
    language: "apache",
    wrap: (code, folder) =>
      `${modules("mpm_event", "authz_core", "proxy", "proxy_http")}ServerName localhost\nPidFile ${folder}/pid\nErrorLog ${folder}/error.log\nListen 8000\n${code}`,
    command: (file) => ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", file],
    idle: (code) => code.replaceAll("Timeout 60", "Timeout 4"),
    withoutHost: (code) => code.replace("ProxyPreserveHost On", "")
  },
  {
    name: "Caddy",
    language: "caddyfile",
    wrap: (code) => `{\nadmin off\nauto_https off\n}\n${code}`,
    command: (file) => ["/usr/bin/caddy", "run", "--adapter", "caddyfile", "--config", file]
  },
  {
    name: "Varnish",
    language: "vcl",
    wrap: (code) => code,
    command: (file, folder, port) => {
      const cache = ["-s", "malloc,16m", "-j", "none", "-T", "none"]
      return ["/usr/sbin/varnishd", "-F", "-f", file, "-a", `127.0.0.1:${port}`, "-n", `${folder}/work`, ...cache]
    },
    idleArguments: ["-p", "pipe_timeout=4"]
  }
]

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

interface Options {
  readonly change?: ((code: string) => string) | undefined
  readonly args?: ReadonlyArray<string> | undefined
}

/** Runs a proxy in front of a port, and gives the port on which it listens. Ends with the scope. */
export const run = (kind: Kind, backend: number, { args = [], change = (code) => code }: Options = {}) =>
  Effect.gen(function* () {
    const port = yield* Effect.promise(freePort)
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = mkdtempSync(join(tmpdir(), "effect-ws-proxy-"))
        // Varnish and nginx give up root.
        chmodSync(made, 0o755)
        return made
      }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const file = join(folder, "config")
    const configuration = kind.wrap(change(blockOf(kind.language)), folder)
    writeFileSync(file, configuration.replaceAll("8000", String(port)).replaceAll("8080", String(backend)))
    const [program, ...given] = kind.command(file, folder, port)
    const output: Array<string> = []
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const child = spawn(program, [...given, ...args], { stdio: ["ignore", "pipe", "pipe"] })
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => output.push(String(data)))
        child.on("error", (error) => output.push(error.message))
        return child
      }),
      (child) =>
        Effect.promise(async () => {
          if (child.exitCode !== null || child.pid === undefined) return
          child.kill("SIGTERM")
          await once(child, "exit")
        })
    )
    yield* Effect.promise(async () => {
      while (!(await accepts(port))) {
        if (child.exitCode !== null || child.pid === undefined) {
          throw new Error(`${kind.name} ended with ${child.exitCode}: ${output.join("")}`)
        }
        await setTimeout(20)
      }
    })
    return port
  })
