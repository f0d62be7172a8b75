/**
 * Prepares a release: `npm run version`. Turns the changesets into the changelogs and the packages' next version, dates the
 * new headings, and brings package-lock.json up to date. Commit what it wrote, and tag the commit `v` and the version.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../", import.meta.url)

/** A changelog whose newest heading, when it is that of the version and has no date, gets this one. */
export const dated = (changelog: string, version: string, date: string): string =>
  changelog.replace(`\n## ${version}\n`, `\n## ${version} (${date})\n`)

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd: fileURLToPath(root), stdio: "inherit" })
}

const main = (): void => {
  run("npx", "changeset", "version")
  const { version }: { readonly version: string } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))
  const date = new Date().toISOString().slice(0, 10)
  for (const folder of ["", ...readdirSync(new URL("packages/", root)).map((name) => `packages/${name}/`)]) {
    const file = new URL(`${folder}CHANGELOG.md`, root)
    writeFileSync(file, dated(readFileSync(file, "utf8"), version, date))
  }
  run("npm", "install", "--package-lock-only", "--no-audit", "--no-fund")
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
