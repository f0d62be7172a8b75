/** Bundles a program or library of this repository, with everything that it imports but Node's own modules. */
import { readdirSync, readFileSync } from "node:fs"
import { builtinModules, createRequire } from "node:module"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { type Plugin, rolldown } from "rolldown"

/** The folder of this repository. */
export const root = fileURLToPath(new URL("../", import.meta.url))

export interface BundleOptions {
  /** The file to begin with, from the root of the repository. */
  readonly input: string
  /** Files whose content is replaced, by their path from the root of the repository. */
  readonly replace?: Readonly<Record<string, string>>
  /** What stands at the beginning of the file. */
  readonly banner?: string
  /**
   * A program, the default, is minified and loads Node's modules on first use, so that it starts fast. A library exports
   * the default export of `input` by `module.exports`, keeps its names for stack traces, and requires Node's modules
   * under the names that other bundlers, mocks and older tools look for.
   */
  readonly kind?: "program" | "library"
}

export interface Bundle {
  /** The program, in ASCII. */
  readonly code: string
  /** The packages of which the bundle contains a part, and their licences. */
  readonly licenses: string
  /** The modules in the bundle, from the root of the repository. */
  readonly modules: ReadonlyArray<string>
}

const isIdentifier = /^[A-Za-z_$][\w$]*$/

/**
 * Loads a module of Node when one of its exports is used for the first time: `node:tls` and `node:https` take as long
 * to load as the rest of a small program.
 */
const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  resolveId: (id) => {
    const name = id.replace(/^node:/, "")
    return builtinModules.includes(name) ? { id: `\0node:${name}`, moduleSideEffects: false } : undefined
  },
  load: (id) => {
    if (!id.startsWith("\0node:")) return undefined
    const name = id.slice(1)
    const exported: object = createRequire(import.meta.url)(name)
    const getters = Object.keys(exported)
      .filter((key) => isIdentifier.test(key))
      .map((key) => `  get ${key}() { return load().${key} }`)
    // The name is not written where the bundler would hoist it.
    return `let loaded
const load = () => (loaded ??= process.getBuiltinModule?.("${name}") ?? module.require("${name}"))
module.exports = {
${getters.join(",\n")}
}`
  }
}

/** Has `require("http")` in the code: mocks of Node's modules are found by their name without the scheme. */
const requiredBuiltins: Plugin = {
  name: "required-builtins",
  transform: (code) => code.replaceAll(/\bprocess\.getBuiltinModule\("node:([\w/]+)"\)/g, `require("$1")`),
  resolveId: (id) => {
    const name = id.replace(/^node:/, "")
    return builtinModules.includes(name) ? { id: name, external: true } : undefined
  }
}

/** The folder of the package that a module belongs to; `undefined` for the modules of this repository. */
const packageOf = (module: string): string | undefined => {
  const [, folder] = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module) ?? []
  return folder
}

const licenseOf = (folder: string): string => {
  const { license, name, version }: { license?: string; name?: string; version?: string } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8")
  )
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
  if (file === undefined) throw new Error(`${name} has no licence file`)
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`
}

/** Code with escapes in place of all that is not ASCII, which V8 reads in half of the time. */
const asciiOf = (code: string): string =>
  // oxlint-disable-next-line no-control-regex
  code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Makes one file, in CommonJS, which starts faster than a module. */
export const bundle = async ({ banner, input, kind = "program", replace = {} }: BundleOptions): Promise<Bundle> => {
  const isProgram = kind === "program"
  const build = await rolldown({
    input: join(root, input),
    cwd: root,
    platform: "node",
    tsconfig: false,
    plugins: [
      isProgram ? lazyBuiltins : requiredBuiltins,
      {
        name: "replace",
        load: (id) => replace[relative(root, id)]
      }
    ],
    // A wrapper in parentheses is compiled when the file is loaded, whether its module is used or not.
    optimization: { pifeForModuleWrappers: false },
    onLog: (_, { message }) => {
      throw new Error(message)
    }
  })
  const { output: chunks } = await build.generate({
    format: "cjs",
    exports: isProgram ? "auto" : "default",
    strict: isProgram ? "auto" : true,
    keepNames: !isProgram,
    minify: isProgram,
    codeSplitting: false,
    comments: { legal: false, annotation: false, jsdoc: false },
    ...(banner === undefined ? {} : { banner })
  })
  await build.close()
  const [{ code, dynamicImports, fileName, imports, modules }] = chunks
  const left = [...imports, ...dynamicImports].filter((name) => name !== fileName && !builtinModules.includes(name))
  if (left.length > 0) throw new Error(`not bundled: ${left.join(", ")}`)
  const ids = Object.keys(modules).filter((id) => !id.startsWith("\0"))
  const packages = [...new Set(ids.flatMap((id) => packageOf(id) ?? []))].toSorted()
  return {
    code: asciiOf(code),
    licenses: packages.map(licenseOf).join("\n---\n\n"),
    modules: ids.map((id) => relative(root, id))
  }
}
