import { defineConfig } from "vitest/config"

/** The tests of the built documentation site. */
export default defineConfig({
  test: {
    include: ["test/site/**/*.site.ts"],
    testTimeout: 300_000,
    hookTimeout: 60_000,
    maxWorkers: 1
  }
})
