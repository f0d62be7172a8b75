/** Bundlers: a program for Node in both formats, and one for browsers. */
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { createContext, runInContext } from "node:vm"
import { type Bundler, type Format, requireBanner } from "./bundle.ts"
import type { Cell, Group, Row } from "./cell.ts"
import { expectFailure, expectOutput, node, project, tool, versionOf } from "./project.ts"

const script = fileURLToPath(new URL("bundle.ts", import.meta.url))

const inputs = { cjs: "require.cjs", esm: "import.mjs", browser: "browser.mjs" }

const outputs = { cjs: "bundle.cjs", esm: "bundle.mjs", browser: "bundle.js" }

/** Bundles a program, and gives the bundle's path: alone, so that it can have nothing but what is in it. */
const bundle = async (name: Bundler, format: Format, env: Readonly<Record<string, string>> = {}): Promise<string> => {
  const folder = await project()
  const output = join(folder, "out", outputs[format])
  await node([script, name, format, join(folder, inputs[format]), output], { cwd: folder, env })
  return alone(folder, output)
}

const alone = (folder: string, bundle: string): string => {
  if (!existsSync(bundle)) throw new Error(`${bundle} was not written`)
  rmSync(join(folder, "node_modules"), { recursive: true })
  return bundle
}

const forNode = (name: Bundler, format: "cjs" | "esm"): Cell => ({
  run: async () => expectOutput((await node([await bundle(name, format)])).stdout)
})

const outcomeInBrowser = (code: string): unknown => {
  const globals: Record<string, unknown> = createContext({})
  runInContext(`globalThis.window = globalThis.self = globalThis;\n${code}`, globals)
  return globals["outcome"]
}

const forBrowsers = (name: Bundler): Cell => ({
  note: "The stub for browsers, which throws when it is called, like that of `ws`.",
  run: async () => {
    const code = readFileSync(await bundle(name, "browser"), "utf8")
    const outcome = outcomeInBrowser(code)
    if (!/in a browser/.test(String(outcome))) throw new Error(`the bundle for browsers gave ${String(outcome)}`)
    if (code.length > 10_000) throw new Error(`the bundle for browsers has ${code.length} characters`)
  }
})

/** esbuild leaves the `require` of CommonJS modules in a bundle that is an ES module, where there is none. */
const esbuildEsm: Cell = {
  note: `With a banner that defines \`require\`, as \`ws\` and other CommonJS modules need it there: \`${requireBanner}\`.`,
  run: async () => {
    await expectFailure(
      bundle("esbuild", "esm").then((file) => node([file])),
      /Dynamic require/
    )
    expectOutput((await node([await bundle("esbuild", "esm", { BANNER: "1" })])).stdout)
  }
}

const ncc = (format: "cjs" | "esm"): Cell => ({
  run: async () => {
    const folder = await project(format === "esm" ? { manifest: { type: "module" } } : {})
    await node([tool("@vercel/ncc", "ncc"), "build", inputs[format], "-o", "out"], { cwd: folder })
    const [written] = ["index.mjs", "index.cjs", "index.js"].filter((name) => existsSync(join(folder, "out", name)))
    const file = join(folder, "out", outputs[format])
    renameSync(join(folder, "out", written ?? ""), file)
    expectOutput((await node([alone(folder, file)])).stdout)
  }
})

const row = (name: Bundler, title: string): Row => ({
  name: `${title} ${versionOf(name)}`,
  cells: [forNode(name, "cjs"), forNode(name, "esm"), forBrowsers(name)]
})

export const bundlers = (): Group => ({
  title: "Bundlers",
  columns: ["for Node, CommonJS", "for Node, ESM", "for browsers"],
  rows: [
    { name: `esbuild ${versionOf("esbuild")}`, cells: [forNode("esbuild", "cjs"), esbuildEsm, forBrowsers("esbuild")] },
    { name: `ncc ${versionOf("@vercel/ncc")}`, cells: [ncc("cjs"), ncc("esm"), undefined] },
    row("webpack", "webpack"),
    row("rollup", "Rollup"),
    row("rolldown", "Rolldown"),
    row("vite", "Vite")
  ]
})
