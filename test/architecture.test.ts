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
  // Docstrings have examples with imports of their own.
  const source = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "")
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
  "browser/Socket.ts",
  "browser.ts",
  "index.ts"
]

const unstable = /^effect\/(?:socket|http|http-api|rpc|cli|cluster|ai|sql|net|workers|workflow|process|testing)\b/

/** The layers of the engine from the bottom to the top: each may import those before it, and itself. */
const engine: ReadonlyArray<ReadonlyArray<string>> = [
  ["internal/protocol/"],
  ["internal/transport/", "internal/deflate/"],
  ["internal/connection/"]
]

const layerOf = (file: string): number | undefined => {
  const at = engine.findIndex((folders) => folders.some((folder) => file.startsWith(folder)))
  return at < 0 ? undefined : at
}

/** Modules of Node that compute, and neither wait nor touch anything outside. */
const pureModules = ["node:buffer", "node:crypto", "node:querystring"]

/** What a pure module doesn't touch: the process, its clock and its queues. */
const processGlobals =
  /\b(?:process\.|globalThis\b|performance\.|Date\.now|setTimeout|setInterval|setImmediate|queueMicrotask)/

/** A source without its comments. */
const codeOf = (file: string): string =>
  readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "")

interface Class {
  readonly name: string
  readonly fields: ReadonlyArray<string>
  readonly lines: number
}

const field =
  /^ {2}(?:(?:private|protected|override|declare) )*(#?\w+)[?!]?(?:: [^=(]*(?:\([^)]*\) => [^=]*)?)?(?: = .*)?$/

/** The classes of a file without comments, with their fields that can be assigned anew. */
const classesOf = (file: string): ReadonlyArray<Class> => {
  const source = readFileSync(join(root, file), "utf8").replaceAll(/^ *\/\*[\s\S]*?\*\/\n|\/\*[\s\S]*?\*\//gm, "")
  return [...source.matchAll(/^(?:export )?(?:abstract )?class (\w+)[^]*?^}$/gm)].map(([text, name = ""]) => {
    const body = text.split("\n").slice(1, -1)
    // A class whose first line is too long opens on a line of its own; a service has no body.
    const open = text.split("\n", 1)[0]?.endsWith("{") === true ? 0 : body.indexOf("{") + 1 || body.length
    const fields = body.slice(open).flatMap((line) => {
      const found = /\b(?:readonly|static|abstract)\b/.test(line) ? undefined : field.exec(line)?.[1]
      return found === undefined || ["return", "constructor", "super"].includes(found) ? [] : [found]
    })
    return { name, fields, lines: text.split("\n").length }
  })
}

/** Whose types name each other: in `ws` a server makes sockets, and `WebSocket.WebSocketServer` is the server. */
const mutual = (file: string): boolean => file.startsWith("ws/") || file.startsWith("internal/topic/")

describe("the architecture", () => {
  it("has no circle of imports, of types either", () => {
    const visited = new Map<string, "open" | "done">()
    const visit = (file: string, path: ReadonlyArray<string>): void => {
      if (visited.get(file) === "done") return
      assert.notStrictEqual(visited.get(file), "open", [...path, file].join(" → "))
      visited.set(file, "open")
      for (const { from, to, typeOnly } of imports) {
        if (from !== file || !files.includes(to) || (typeOnly && mutual(from) && mutual(to))) continue
        visit(to, [...path, file])
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

  it("imports no public module from within", () => {
    for (const { from, to } of imports) {
      if (!from.startsWith("internal/")) continue
      assert.notInclude(order, to, `${from} imports ${to}`)
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

  it("keeps the arrows of the engine, of types too: connection → transport, deflate → protocol", () => {
    for (const { from, to } of imports) {
      const [below, above] = [layerOf(from), layerOf(to)]
      if (below === undefined || !files.includes(to)) continue
      assert.isAtMost(above ?? engine.length, below, `${from} imports ${to}`)
    }
  })

  it("keeps transports, timers, Effect and the process out of the protocol", () => {
    for (const { from, to } of imports) {
      if (!from.startsWith("internal/protocol/")) continue
      assert.isTrue(files.includes(to) || pureModules.includes(to), `${from} imports ${to}`)
    }
    for (const file of files) {
      if (!file.startsWith("internal/protocol/")) continue
      assert.notMatch(codeOf(file), processGlobals, file)
    }
  })

  it("has no Effect in the engine, nor in the callback API", () => {
    for (const { from, to } of imports) {
      if (layerOf(from) === undefined && !from.startsWith("ws/")) continue
      assert.notMatch(to, /^(?:effect|@effect)(?:\/|$)/, `${from} imports ${to}`)
    }
  })

  it("keeps I/O in the modules that open, accept or carry connections", () => {
    const shells =
      /^(?:internal\/(?:transport|client|server|effectSocket|cli)\/|Server\.ts|Cli\.ts|EffectSocket\.ts|ws\/)/
    for (const { from, to, typeOnly } of imports) {
      if (shells.test(from) || typeOnly) continue
      assert.notMatch(
        to,
        /^node:(?:net|tls|http|https|http2|dns|fs|timers|stream|child_process)/,
        `${from} imports ${to}`
      )
    }
  })

  it("has no class of more than 10 mutable fields or 400 lines", () => {
    for (const file of files) {
      for (const { fields, lines, name } of classesOf(file)) {
        assert.isAtMost(fields.length, 10, `${name} in ${file}: ${fields.join(", ")}`)
        assert.isAtMost(lines, 400, `${name} in ${file}`)
      }
    }
  })

  it("keeps the rules of the opening handshake pure: no Effect, no transport, no time", () => {
    for (const { from, to } of imports) {
      if (!from.startsWith("internal/protocol/opening/")) continue
      assert.match(to, /^(?:internal\/protocol\/|node:(?:crypto|querystring)$)/, `${from} imports ${to}`)
    }
  })

  it("loads nothing of Effect for the callback APIs", () => {
    const loaded = new Set<string>()
    const load = (file: string): void => {
      if (loaded.has(file)) return
      loaded.add(file)
      for (const { from, to, typeOnly } of imports) if (from === file && !typeOnly) load(to)
    }
    load("ws/index.ts")
    load("ws/legacy/index.ts")
    assert.deepStrictEqual(
      [...loaded].filter((module) => /^(?:effect|@effect)/.test(module)),
      []
    )
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
