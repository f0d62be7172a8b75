/**
 * Gives programs this package where they ask for `ws`: `node --import ./test/support/ws-is-ours.mjs program.ts`, once
 * `npm run build` has been run. Holds for `import` and `require`, in the program and in all that it depends on. Each
 * file that asked is told to the standard error; that the original is loaded in spite of this is an error.
 *
 * Playwright carries a copy of `ws` inside a bundle of its own, which gives out four of its exports. They become ours
 * when the bundle is loaded; its file stays as it is.
 */
import { registerHooks } from "node:module"
import { writeSync } from "node:fs"

const root = new URL("../../", import.meta.url)
const ours = new URL("dist/ws/index.js", root).href

const playwrightBundle = /\/node_modules\/playwright-core\/lib\/utilsBundle\.js$/

/** What stands at the end of Playwright's bundle instead of nothing. */
const replaceExports = `
{
  const ws = require("ws");
  module.exports = { ...module.exports, ws, wsServer: ws.Server, wsReceiver: ws.Receiver, wsSender: ws.Sender };
}
`

/** The files that were told. */
const told = new Set()

const tell = (parent) => {
  const at = parent.indexOf("/node_modules/")
  const file = at < 0 ? parent.replace(root.href, "") : parent.slice(at + 1)
  if (told.has(file)) return
  told.add(file)
  writeSync(2, `effect-ws/ws is the ws of ${file}\n`)
}

registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== "ws") return nextResolve(specifier, context)
    tell(context.parentURL ?? "the program")
    return { url: ours, shortCircuit: true }
  },
  load(url, context, nextLoad) {
    if (url.includes("/node_modules/ws/")) throw new Error(`${url} is loaded, where effect-ws/ws should be`)
    const loaded = nextLoad(url, context)
    return playwrightBundle.test(url) ? { ...loaded, source: `${String(loaded.source)}${replaceExports}` } : loaded
  }
})
