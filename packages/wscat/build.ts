// `node packages/wscat/build.ts [file]` bundles the program into one file, for this package and for `effect-ws`.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { bundle, root } from "../../scripts/bundle.ts"
import { manPage } from "../../src/internal/cli/help/manPage.ts"

const versionOf = (): string => JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version

/**
 * Makes the module that `bin.ts` loads for everything but help. Its code is a string, which V8 only scans: it would
 * parse functions even where nothing calls them, and `wscat --help` would take twice as long.
 */
const unparsed = (code: string): string => `import { compileFunction } from "node:vm"
export const main = (argv) => {
  const exports = {}
  compileFunction(${JSON.stringify(code)}, ["exports", "require", "module"], { filename: __filename + "/main.js" })(exports, require, module)
  exports.main(argv)
}`

/** The program in one file, and the licences of what it contains. */
export const bundleWscat = async (): Promise<{ readonly code: string; readonly licenses: string }> => {
  const version = { "src/internal/cli/version.ts": `export const version = () => ${JSON.stringify(versionOf())}` }
  const main = await bundle({ input: "src/internal/cli/main.ts", replace: version })
  const { code } = await bundle({
    input: "src/internal/cli/bin.ts",
    banner: "#!/usr/bin/env node",
    replace: { ...version, "src/internal/cli/main.ts": unparsed(main.code) }
  })
  return { code, licenses: main.licenses }
}

/** Writes the program to a file, and beside it the licences of what it contains and its page of the manual. */
export const writeWscat = async (file: string): Promise<void> => {
  const { code, licenses } = await bundleWscat()
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, code, { mode: 0o755 })
  writeFileSync(`${file}.LICENSES.txt`, licenses)
  writeFileSync(join(dirname(file), "wscat.1"), manPage(versionOf()))
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeWscat(resolve(process.argv[2] ?? join(root, "packages/wscat/dist/wscat.cjs")))
}
