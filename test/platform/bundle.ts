/** A program as a bundler makes it for a page. */
import { build } from "esbuild"
import { rolldown } from "rolldown"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** The entry points for browsers as this project's sources. */
const sources = {
  "effect-ws/browser/Socket": `${root}src/browser/Socket.ts`,
  "effect-ws/browser": `${root}src/browser.ts`
}

/** Minified code, and how large it is in bytes: as it stands, and compressed. */
export interface Size {
  readonly code: string
  readonly minified: number
  readonly gzip: number
}

export interface Bundle extends Size {
  /** What the bundler left to be imported when the program runs. */
  readonly imports: ReadonlyArray<string>
  /** The modules of this project in it, from the project's folder. */
  readonly modules: ReadonlyArray<string>
}

const sizeOf = (code: string): Size => ({
  code,
  minified: Buffer.byteLength(code),
  gzip: gzipSync(code, { level: 9 }).length
})

/**
 * Bundles a file, or code as if it stood in this folder. `effect-ws/browser` is the source, or what the package's
 * `exports` lead to.
 */
export const bundle = async (
  input: { readonly file: string } | { readonly code: string },
  from: "source" | "package"
): Promise<Bundle> => {
  const entry = "file" in input ? input.file : fileURLToPath(new URL("entry.ts", import.meta.url))
  const built = await rolldown({
    input: entry,
    cwd: root,
    platform: "browser",
    tsconfig: false,
    ...(from === "source" ? { resolve: { alias: sources } } : {}),
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
  const { output } = await built.generate({ format: "esm", minify: true, codeSplitting: false })
  await built.close()
  const [chunk] = output
  const ours = Object.keys(chunk.modules).filter((id) => id.startsWith(root) && !id.includes("node_modules"))
  return {
    ...sizeOf(chunk.code),
    imports: [...chunk.imports, ...chunk.dynamicImports],
    modules: ours.map((id) => id.slice(root.length))
  }
}

/** Bundles code from the sources with esbuild. */
export const bundleWithEsbuild = async (code: string): Promise<Size> => {
  const { outputFiles } = await build({
    stdin: { contents: code, loader: "ts", resolveDir: root },
    alias: sources,
    bundle: true,
    format: "esm",
    logLevel: "error",
    minify: true,
    platform: "browser",
    target: "esnext",
    write: false
  })
  const [file] = outputFiles
  if (file === undefined) throw new Error("esbuild made no file")
  return sizeOf(file.text)
}
