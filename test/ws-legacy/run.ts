import type { Library } from "./peers.ts"
import { plain, type Scenario } from "./scenarios.ts"
import { Resources } from "./support.ts"

/** How long a scenario may take, in milliseconds. */
const limit = 5000

/** Runs a scenario, and answers its log; what hangs is in the log too. */
export const runScenario = async (scenario: Scenario, library: Library): Promise<Array<unknown>> => {
  const resources = new Resources()
  const entries: Array<unknown> = []
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      entries.push("never ends")
      resolve()
    }, limit)
  })
  try {
    await Promise.race([scenario(library, (...entry) => entries.push(plain(entry)), resources), late])
  } catch (error) {
    entries.push(["failed", plain(error)])
  } finally {
    clearTimeout(timer)
    resources.close()
  }
  return entries
}
