/**
 * Runs the tests that depend on the Node beneath under the oldest and the newest that are supported, beside the one that
 * the project uses: `npm run test:nodes`.
 */
import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** `--here` runs them under the Node that runs this file alone. */
const nodes = process.argv.includes("--here")
  ? [process.execPath]
  : [here("node_modules/node22/bin/node"), process.execPath, here("node_modules/node26/bin/node")]

const files = [
  ...[
    "drafts",
    "Server",
    "Socket",
    "HandshakeHixie",
    "deflate",
    "sharedReads",
    "http2",
    "http2-streams",
    "dependants/dependants"
  ].map((name) => `test/${name}.test.ts`),
  "test/ws-legacy/",
  "test/platform/"
]

for (const node of nodes) {
  const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim()
  console.log(`\n== Node ${version}`)
  const { status } = spawnSync(node, ["node_modules/vitest/vitest.mjs", "run", ...files], {
    cwd: root,
    stdio: "inherit"
  })
  if (status !== 0) process.exit(status ?? 1)
}
