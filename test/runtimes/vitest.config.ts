import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"
import base from "../../vitest.config.ts"

const root = new URL("../../", import.meta.url)
const at = (path: string): string => fileURLToPath(new URL(path, root))

/** The tests as they run under another run time: in its worker threads, since that is where it is itself. */
export default defineConfig({
  ...base,
  root: at("."),
  resolve: {
    alias: [
      { find: /^effect-ws$/, replacement: at("src/index.ts") },
      { find: /^effect-ws\/(ws|ws\/legacy)$/, replacement: at("src/$1/index.ts") },
      { find: /^effect-ws\/(.+)$/, replacement: at("src/$1.ts") },
      // Bun has something of its own where a program says "ws"; the tests compare with what npm has.
      { find: /^ws$/, replacement: at("node_modules/ws/wrapper.mjs") }
    ]
  },
  test: {
    ...base.test,
    globalSetup: [],
    setupFiles: ["test/runtimes/setup.ts"],
    pool: "threads",
    testTimeout: 15_000,
    hookTimeout: 15_000
  }
})
