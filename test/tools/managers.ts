/** Package managers: the one line each that puts the package in the place of `ws`. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Cell, Group, Row } from "./cell.ts"
import {
  expectOutput,
  node,
  packed,
  project,
  root,
  run,
  type RunOptions,
  tool,
  toolFolder,
  versionOf
} from "./project.ts"
import { type Published, type Registry, startRegistry } from "./registry.ts"

const own: Published["manifest"] = JSON.parse(readFileSync(join(root, "packages/ws/package.json"), "utf8"))

const line = { ws: `npm:${own.name}@${own.version}` }

/** What a project has for its package manager. */
interface Setup {
  readonly manifest: object
  readonly files?: Readonly<Record<string, string>>
}

interface Manager {
  readonly name: string
  readonly setup: (registry: string) => Setup
  readonly install: (registry: string, options: Required<RunOptions>) => Promise<unknown>
  /** Runs a program of the project. */
  readonly start?: (program: string, options: RunOptions) => ReturnType<typeof node>
  /** What a project that uses `ws` itself depends on. Default: any version 8 of `ws`. */
  readonly own?: Readonly<Record<string, string>>
}

/** A package that depends on `ws` and runs the exchange when it is loaded. */
const dependant = {
  name: "dependant",
  version: "1.0.0",
  dependencies: { ws: "^8.18.0" },
  exports: { require: "./require.cjs", import: "./import.mjs" }
}

/** What stands for `ws` in the registry: a project that loads it has failed. */
const decoy = { name: "ws", version: "8.18.0", main: "throws.cjs" }

const pack = async (manifest: Published["manifest"]): Promise<Published> => {
  const folder = await project({
    names: [],
    manifest,
    files: { "throws.cjs": `throw new Error("this is not @effect-ws/ws")` }
  })
  await run("npm", ["pack", "--silent"], { cwd: folder })
  return { manifest, archive: join(folder, `${manifest.name}-${manifest.version}.tgz`) }
}

/** What the registry has. */
const publish = async (): Promise<ReadonlyArray<Published>> => [
  await pack(dependant),
  await pack(decoy),
  { manifest: own, archive: await packed }
]

const programs = {
  "dependency.cjs": `require("dependant")`,
  "dependency.mjs": `import "dependant"`
}

const cell = (
  manager: Manager,
  dependencies: Readonly<Record<string, string>>,
  names: ReadonlyArray<string>
): Cell => ({
  run: async () => {
    const registry: Registry = await startRegistry(await publish())
    try {
      const { files, manifest } = manager.setup(registry.url)
      const folder = await project({
        names: [],
        manifest: { private: true, dependencies, ...manifest },
        files: { ...programs, ...files }
      })
      // Nothing of what other projects have installed.
      const options = { cwd: folder, env: { HOME: folder, CI: "" } }
      await manager.install(registry.url, options)
      for (const name of names) {
        const { stdout } = await (manager.start ?? ((program) => node([program], options)))(name, options)
        expectOutput(stdout)
      }
    } finally {
      registry.close()
    }
  }
})

const pnpm = "@pnpm/exe.linux-x64"

const yarn = tool("@yarnpkg/cli-dist", "yarn")

const all: ReadonlyArray<Manager> = [
  {
    name: `npm ${execFileSync("npm", ["--version"], { encoding: "utf8" }).trim()}, \`overrides\``,
    setup: () => ({ manifest: { overrides: line } }),
    own: line,
    install: (registry, options) => run("npm", ["install", "--registry", registry, "--no-audit", "--no-fund"], options)
  },
  {
    name: `pnpm ${versionOf(pnpm)}, \`overrides\``,
    setup: () => ({
      manifest: {},
      files: { "pnpm-workspace.yaml": `overrides:\n  ws: ${JSON.stringify(line.ws)}\n` }
    }),
    install: (registry, options) =>
      run(
        join(toolFolder(pnpm), "pnpm"),
        ["install", "--registry", registry, "--store-dir", join(options.cwd, "store")],
        options
      )
  },
  {
    name: `Yarn ${versionOf("yarn")}, \`resolutions\``,
    setup: () => ({ manifest: { resolutions: line } }),
    install: (registry, options) =>
      node([tool("yarn"), "install", "--registry", registry, "--cache-folder", join(options.cwd, "cache")], options)
  },
  {
    name: `Yarn ${versionOf("@yarnpkg/cli-dist")} with PnP, \`resolutions\``,
    setup: (registry) => ({
      manifest: { resolutions: line },
      files: {
        "yarn.lock": "",
        ".yarnrc.yml": [
          `npmRegistryServer: ${registry}`,
          `unsafeHttpWhitelist: [localhost]`,
          `enableGlobalCache: false`,
          `enableImmutableInstalls: false`,
          `enableTelemetry: false`,
          `pnpEnableEsmLoader: true`
        ].join("\n")
      }
    }),
    install: (_, options) => node([yarn, "install"], options),
    start: (program, options) => node([yarn, "node", program], options)
  }
]

export const managers = (): Group => ({
  title: "Package managers",
  columns: ["`ws` of a dependency", "`ws` of the project"],
  rows: all.map((manager): Row => ({
    name: manager.name,
    cells: [
      cell(manager, { dependant: "1.0.0" }, ["dependency.cjs", "dependency.mjs"]),
      cell(manager, { dependant: "1.0.0", ...(manager.own ?? { ws: "^8.18.0" }) }, [
        "require.cjs",
        "import.mjs",
        "dependency.cjs"
      ])
    ]
  }))
})
