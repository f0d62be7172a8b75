/**
 * Bundles one program with one bundler, with everything that it imports but Node's modules, into one file:
 * `node bundle.ts <bundler> <cjs | esm | browser> <input> <output>`.
 */
import { createRequire } from "node:module"
import { basename, dirname } from "node:path"

export type Format = "cjs" | "esm" | "browser"

export type Bundler = "esbuild" | "rolldown" | "rollup" | "vite" | "webpack"

interface Job {
  readonly format: Format
  readonly input: string
  readonly output: string
}

/** What a bundle that is an ES module has to define so that CommonJS in it can require Node's modules. */
export const requireBanner = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`

const require = createRequire(new URL("node_modules/", import.meta.url))

const load = (name: string) => import(require.resolve(name))

const formats = { cjs: "cjs", esm: "es", browser: "iife" } as const

const bundle: Readonly<Record<Bundler, (job: Job) => Promise<void>>> = {
  esbuild: async ({ format, input, output }) => {
    const { build } = await load("esbuild")
    await build({
      entryPoints: [input],
      outfile: output,
      bundle: true,
      platform: format === "browser" ? "browser" : "node",
      format: format === "browser" ? "iife" : format,
      ...(process.env["BANNER"] === undefined ? {} : { banner: { js: requireBanner } }),
      logLevel: "warning"
    })
  },
  rolldown: async ({ format, input, output }) => {
    const { rolldown } = await load("rolldown")
    const build = await rolldown({ input, platform: format === "browser" ? "browser" : "node" })
    await build.write({ file: output, format: formats[format] })
  },
  rollup: async ({ format, input, output }) => {
    const { rollup } = await load("rollup")
    const { nodeResolve } = await load("@rollup/plugin-node-resolve")
    const { default: commonjs } = await load("@rollup/plugin-commonjs")
    const resolve = nodeResolve({ browser: format === "browser", preferBuiltins: format !== "browser" })
    const build = await rollup({ input, plugins: [resolve, commonjs()] })
    await build.write({ file: output, format: formats[format], inlineDynamicImports: true })
  },
  vite: async ({ format, input, output }) => {
    const { build } = await load("vite")
    await build({
      root: dirname(input),
      logLevel: "warn",
      ...(format === "browser" ? {} : { ssr: { noExternal: true } }),
      build: {
        ...(format === "browser" ? {} : { ssr: input }),
        outDir: dirname(output),
        emptyOutDir: false,
        rollupOptions: { input, output: { format: formats[format], entryFileNames: basename(output) } }
      }
    })
  },
  webpack: async ({ format, input, output }) => {
    const { default: webpack } = await load("webpack")
    const stats = await new Promise<{ hasErrors(): boolean; hasWarnings(): boolean; toString(): string }>(
      (resolve, reject) =>
        webpack(
          {
            mode: "production",
            target: format === "browser" ? "web" : "node20",
            entry: input,
            output: {
              path: dirname(output),
              filename: basename(output),
              ...(format === "esm" ? { module: true } : {})
            },
            ...(format === "esm" ? { experiments: { outputModule: true } } : {})
          },
          (error: Error | null, stats: never) => (error === null ? resolve(stats) : reject(error))
        )
    )
    if (stats.hasErrors() || stats.hasWarnings()) throw new Error(String(stats))
  }
}

if (import.meta.main) {
  const [name, format, input = "", output = ""] = process.argv.slice(2)
  await bundle[name as Bundler]({ format: format as Format, input, output })
}
