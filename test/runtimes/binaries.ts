/** Where the run times are: the packages that the benchmark measures too, in bench/runtimes. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

const modules = new URL("../../bench/runtimes/node_modules/", import.meta.url)

const firstThatExists = (paths: ReadonlyArray<string>): string => {
  const found = paths.map((path) => fileURLToPath(new URL(path, modules))).find(existsSync)
  if (found === undefined) throw new Error(`none of ${paths.join(", ")} is in bench/runtimes/node_modules`)
  return found
}

export type Runtime = "bun" | "deno"

/** The command that runs a program under a run time; it holds no matter whether an install script ran. */
export const commands: Readonly<Record<Runtime, () => readonly [string, ...ReadonlyArray<string>]>> = {
  bun: () => [
    firstThatExists([
      `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}/bin/bun`,
      "bun/bin/bun.exe"
    ]),
    "--bun"
  ],
  deno: () => [
    firstThatExists([
      `@deno/${process.platform}-${process.arch}-glibc/deno`,
      `@deno/${process.platform}-${process.arch}/deno`,
      "deno/deno"
    ]),
    "run",
    "--quiet",
    "--no-check",
    "--no-lock",
    "--allow-all"
  ]
}
