import { defineConfig } from "vitest/config"

/** The tests that drive a browser. They run on the built package, one file at a time. */
export default defineConfig({
  test: {
    include: ["test/browser/**/*.browser.ts"],
    globalSetup: ["test/browser/setup.ts"],
    testTimeout: 60_000,
    maxWorkers: 1
  }
})
