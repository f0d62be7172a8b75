import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, normalize, relative } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../src/", import.meta.url))

const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"))

interface Import {
  readonly from: string
  readonly to: string
  /** Gone when the program runs. */
  readonly typeOnly: boolean
}

const importsOf = (file: string): ReadonlyArray<Import> => {
  const source = readFileSync(join(root, file), "utf8")
  const statements = source.matchAll(/^(?:import|export)\s+(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"/gm)
  return [...statements].map(([, type, to = ""]) => ({
    from: file,
    to: to.startsWith(".") ? normalize(relative(root, join(root, dirname(file), to))) : to,
    typeOnly: type !== undefined
  }))
}

const imports = files.flatMap(importsOf)

/** The public modules from the bottom to the top: each may import those before it. */
const order = [
  "Frame.ts",
  "Extension.ts",
  "Handshake.ts",
  "Socket.ts",
  "Observability.ts",
  "Server.ts",
  "Topic.ts",
  "TopicRedis.ts",
  "TopicNats.ts",
  "TopicJetStream.ts",
  "TopicCluster.ts",
  "EffectSocket.ts",
  "Cli.ts",
  "browser.ts",
  "index.ts"
]

const unstable = /^effect\/(?:socket|http|http-api|rpc|cli|cluster|ai|sql|net|workers|workflow|process|testing)\b/

describe("the house", () => {
  it("has no circle of imports", () => {
    const visited = new Map<string, "open" | "done">()
    const visit = (file: string, path: ReadonlyArray<string>): void => {
      if (visited.get(file) === "done") return
      assert.notStrictEqual(visited.get(file), "open", [...path, file].join(" → "))
      visited.set(file, "open")
      for (const { from, to, typeOnly } of imports) {
        if (from === file && !typeOnly && files.includes(to)) visit(to, [...path, file])
      }
      visited.set(file, "done")
    }
    for (const file of files) visit(file, [])
  })

  it("keeps the arrows Frame ← Handshake ← Socket ← Server ← Cli", () => {
    for (const { from, to } of imports) {
      if (!order.includes(from) || !order.includes(to)) continue
      assert.isBelow(order.indexOf(to), order.indexOf(from), `${from} imports ${to}`)
    }
  })

  it("has a place for every module", () => {
    for (const file of files) {
      const known = order.includes(file) || file.startsWith("internal/") || file.startsWith("ws/")
      assert.isTrue(known, file)
    }
  })

  it("stands on stable modules of Effect, EffectSocket and Cli aside", () => {
    for (const { from, to } of imports) {
      if (/^(?:EffectSocket\.ts|Cli\.ts|internal\/(?:effectSocket|cli)\/)/.test(from)) continue
      assert.notMatch(to, unstable, `${from} imports ${to}`)
    }
  })

  it("keeps I/O out of the protocol", () => {
    const shells =
      /^(?:internal\/(?:transport|socket|client|server|effectSocket|cli)\/|Server\.ts|Cli\.ts|EffectSocket\.ts|ws\/)/
    for (const { from, to, typeOnly } of imports) {
      if (shells.test(from) || typeOnly) continue
      assert.notMatch(
        to,
        /^node:(?:net|tls|http|https|http2|dns|fs|timers|stream|child_process)/,
        `${from} imports ${to}`
      )
    }
  })

  it("builds on no WebSocket library", () => {
    for (const { from, to } of imports) {
      if (to.startsWith("node:") || to.startsWith("effect") || files.includes(to)) continue
      const client = [
        [/^internal\/topic\/redis/, "redis"],
        [/^internal\/topic\/nats/, "@nats-io/transport-node"],
        [/^internal\/topic\/natsJetStream/, "@nats-io/jetstream"]
      ].some(([where, name]) => to === name && from.match(where ?? "") !== null)
      if (!client) assert.match(to, /^@effect\/platform-node/, `${from} imports ${to}`)
    }
  })
})
