import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: {
    alias: [
      { find: /^effect-ws$/, replacement: new URL("src/index.ts", import.meta.url).pathname },
      { find: /^effect-ws\/(ws|ws\/legacy)$/, replacement: new URL("src/$1/index.ts", import.meta.url).pathname },
      { find: /^effect-ws\/(.+)$/, replacement: new URL("src/$1.ts", import.meta.url).pathname }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/cli/support/setup.ts"],
    // These limits end tests that hang; how fast the machine is must not decide about a test.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 2
  }
})
