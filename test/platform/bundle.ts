/** A program as a bundler makes it for a page. */
import { rolldown } from "rolldown"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const root = fileURLToPath(new URL("../../", import.meta.url))

export interface Bundle {
  readonly code: string
  /** What the bundler left to be imported when the program runs. */
  readonly imports: ReadonlyArray<string>
  /** The modules of this project in it, from the project's folder. */
  readonly modules: ReadonlyArray<string>
  /** Minified and compressed, in bytes. */
  readonly gzip: number
}

/**
 * Bundles a file, or code as if it stood in this folder. `effect-ws/browser` is the source, or what the package's
 * `exports` lead to.
 */
export const bundle = async (
  input: { readonly file: string } | { readonly code: string },
  from: "source" | "package"
): Promise<Bundle> => {
  const entry = "file" in input ? input.file : fileURLToPath(new URL("entry.ts", import.meta.url))
  const build = await rolldown({
    input: entry,
    cwd: root,
    platform: "browser",
    tsconfig: false,
    ...(from === "source" ? { resolve: { alias: { "effect-ws/browser": `${root}src/browser.ts` } } } : {}),
    plugins: [
      {
        name: "code",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => ("code" in input && id === entry ? input.code : undefined)
      }
    ],
    onLog: (_, { message }) => {
      throw new Error(message)
    }
  })
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false })
  await build.close()
  const [chunk] = output
  const ours = Object.keys(chunk.modules).filter((id) => id.startsWith(root) && !id.includes("node_modules"))
  return {
    code: chunk.code,
    imports: [...chunk.imports, ...chunk.dynamicImports],
    modules: ours.map((id) => id.slice(root.length)),
    gzip: gzipSync(chunk.code, { level: 9 }).length
  }
}
