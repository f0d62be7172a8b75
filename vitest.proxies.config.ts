import { defineConfig } from "vitest/config"

/** The tests that run proxies, with the configurations of docs/deployment.md. They run on the built package. */
export default defineConfig({
  test: {
    include: ["test/proxies/**/*.proxy.ts"],
    testTimeout: 60_000,
    maxWorkers: 1
  }
})
