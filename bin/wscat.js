#!/usr/bin/env node
const [major, minor] = process.versions.node.split(".").map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  console.error(`error: wscat needs Node 22.19 or newer; this is ${process.version}`)
  process.exitCode = 1
} else {
  const argv = process.argv.slice(2)
  // The help, the version and mistakes are answered before anything large is loaded.
  const { answer } = await import("../dist/internal/cli/help/answer.js")
  const said = answer(argv)
  if (said === undefined) {
    const { enableCompileCache } = await import("node:module")
    enableCompileCache()
    const { main } = await import("../dist/Cli.js")
    main(argv)
  } else {
    process[said.to === "output" ? "stdout" : "stderr"].write(said.text)
    process.exitCode = said.exitCode
  }
}
