import { existsSync } from "node:fs"
import { build } from "../dependants/build.ts"
import { executablePath } from "./chromium.ts"

/** What must be there before the tests that drive a browser begin. */
export default (): void => {
  if (!existsSync(executablePath)) {
    throw new Error(
      `These tests drive Chromium, and ${executablePath} is missing. Install it (Debian: apt-get install chromium), ` +
        "or say in the environment where it is: CHROMIUM=/path/to/chromium"
    )
  }
  build()
}
