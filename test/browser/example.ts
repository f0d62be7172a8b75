import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../", import.meta.url))

/** An example that runs. */
export interface Example {
  /** Where its page is. */
  readonly url: string
  /** Interrupts it, as a person does, and answers with its exit code. */
  readonly stop: () => Promise<number | null>
}

/** Starts an example on a free port, and waits until it says where its page is. */
export const start = async (name: string, environment: Readonly<Record<string, string>> = {}): Promise<Example> => {
  const child = spawn(process.execPath, [`examples/${name}/server.ts`], {
    cwd: root,
    env: { ...process.env, PORT: "0", ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  const ended = once(child, "close") as Promise<[number | null]>
  const said: Array<string> = []
  const url = await Promise.race([
    new Promise<string>((resolve) => {
      for (const output of [child.stdout, child.stderr]) {
        createInterface(output).on("line", (line) => {
          said.push(line)
          const found = /https?:\/\/localhost:\d+\//.exec(line)
          if (found !== null) resolve(found[0])
        })
      }
    }),
    ended.then(([code]): never => {
      throw new Error(`examples/${name} ended with ${code}: ${said.join("\n")}`)
    })
  ])
  return { url, stop: () => stop(child, ended) }
}

const stop = async (child: ChildProcess, ended: Promise<[number | null]>): Promise<number | null> => {
  child.kill("SIGINT")
  const [code] = await ended
  return code
}
