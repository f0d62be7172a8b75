/** The program: answers help, version and mistakes at once, and loads the rest only when there is something to do. */
import { exitCode } from "./errors/exitCode.ts"
import { codeOf, plain } from "./errors/plain.ts"
import { answer, errorLine } from "./help/answer.ts"

/** The oldest version of Node that runs this program. */
const oldest = 20

const argv = process.argv.slice(2)

if (Number.parseInt(process.versions.node, 10) < oldest) {
  process.stderr.write(`error: wscat needs Node ${oldest} or newer; this is ${process.version}\n`)
  process.exitCode = 1
} else {
  const answered = answer(argv)
  if (answered === undefined) {
    void import("./main.ts").then(({ main }) => main(argv))
  } else {
    process.exitCode = answered.exitCode
    process.stdout.on("error", (error) => {
      if (codeOf(error) === "EPIPE") return
      process.exitCode = exitCode.output
      process.stderr.write(`${errorLine(`cannot write the output: ${plain(error)}`, undefined)}\n`)
    })
    process[answered.to === "output" ? "stdout" : "stderr"].write(answered.text)
  }
}
