// `node packages/ws/build.mts [folder]` writes what this package publishes: two libraries in CommonJS, their wrappers for
// `import`, the stub for browsers, and the declarations.
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { bundle, root } from "../../scripts/bundle.ts"

const here = join(root, "packages/ws")

/** The files of `entries/` that are published as they are. */
const published = [
  "browser.js",
  "index.d.ts",
  "legacy.d.mts",
  "legacy.d.ts",
  "legacy.mjs",
  "wrapper.d.mts",
  "wrapper.mjs"
]

/** The imports of a declaration file that name other files of the package. */
const relativeImport = /(?<before>\bfrom "|\bimport\(")(?<path>\.{1,2}\/[^"]+)\.ts"/g

/** A declaration without what only `module: nodenext` can read: extensions of sources, and export names in quotes. */
const portable = (declaration: string): string =>
  declaration.replaceAll(relativeImport, `$<before>$<path>.js"`).replaceAll(/, \w+ as "module\.exports"/g, "")

/** Writes the declarations of the modules that `entries` reach, and of no others. */
const writeDeclarations = (folder: string, entries: ReadonlyArray<string>): void => {
  const emitted = mkdtempSync(join(tmpdir(), "effect-ws-declarations-"))
  try {
    const compiler = join(root, "node_modules/typescript/bin/tsc")
    execFileSync(process.execPath, [compiler, "-p", here, "--outDir", emitted], { stdio: "inherit" })
    const reached = new Set<string>()
    const visit = (path: string): void => {
      if (reached.has(path)) return
      reached.add(path)
      const declaration = readFileSync(join(emitted, path), "utf8")
      const file = join(folder, path)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, portable(declaration))
      for (const { groups } of declaration.matchAll(relativeImport)) {
        visit(relative(emitted, resolve(emitted, dirname(path), `${groups?.["path"]}.d.ts`)))
      }
    }
    entries.forEach(visit)
  } finally {
    rmSync(emitted, { recursive: true })
  }
}

/** Writes the content of `dist`. */
export const writeWs = async (folder: string): Promise<void> => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const name of ["index", "legacy"]) {
    const { code, licenses } = await bundle({ input: `packages/ws/entries/${name}.mts`, kind: "library" })
    if (licenses !== "") throw new Error(`${name} contains a part of another package: ${licenses}`)
    writeFileSync(join(folder, `${name}.js`), code)
  }
  for (const name of published) cpSync(join(here, "entries", name), join(folder, name))
  writeDeclarations(join(folder, "types"), ["ws/index.d.ts", "ws/legacy/index.d.ts"])
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeWs(resolve(process.argv[2] ?? join(here, "dist")))
}
