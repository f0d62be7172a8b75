/**
 * Lets programs say `effect-ws/…` without a build: `node --import ./test/support/resolve-src.mjs program.cjs` runs
 * them on the sources, by `import` and by `require`.
 */
import { registerHooks } from "node:module"

const sources = new URL("../../src/", import.meta.url)

/** The entry points that are folders. */
const folders = new Set(["ws", "ws/legacy"])

registerHooks({
  resolve(specifier, context, nextResolve) {
    const found = /^effect-ws(?:\/(?<entry>.+))?$/.exec(specifier)
    if (found === null) return nextResolve(specifier, context)
    const entry = found.groups?.entry ?? "index"
    const file = folders.has(entry) ? `${entry}/index.ts` : `${entry}.ts`
    return { url: new URL(file, sources).href, shortCircuit: true }
  }
})
