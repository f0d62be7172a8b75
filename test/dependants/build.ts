import { execFileSync } from "node:child_process"
import { globSync, statSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

const newest = (pattern: string): number =>
  Math.max(0, ...globSync(pattern, { cwd: root }).map((file) => statSync(join(root, file)).mtimeMs))

/** Builds the package, where it is older than its sources or missing: what is tested is what is published. */
export const build = (): void => {
  if (newest("dist/**/*.js") > newest("src/**/*.ts")) return
  execFileSync("npm", ["run", "build"], { cwd: root, stdio: ["ignore", "inherit", "inherit"] })
}
