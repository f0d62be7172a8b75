// Clients of a process that may open few files: `starved.ts <plan>` opens more connections of each face than it can, tells
// how each went, lets go of them, and tells how another one goes.
import { connect, type Face } from "../faces.ts"

export type Plan = ReadonlyArray<readonly [face: Face, port: number]>

const say = (what: string, value: unknown): void => void process.stdout.write(`${what} ${JSON.stringify(value)}\n`)

process.on("uncaughtException", (error) => say("uncaught", String(error)))
process.on("unhandledRejection", (error) => say("unhandled", String(error)))

/** Opens a connection; answers what it was told first, and how to let go of it. */
const open = (
  face: Face,
  port: number,
  path: string
): Promise<{ readonly told: string; readonly leave: () => Promise<void> }> =>
  new Promise((resolve) => {
    const leave = (): Promise<void> => {
      client.close()
      return client.over
    }
    const client = connect[face](port, { path, opened: () => resolve({ told: "open", leave }) })
    void client.over.then(() => resolve({ told: client.told[0] ?? "nothing", leave: () => Promise.resolve() }))
  })

const plan: Plan = JSON.parse(process.argv[2] ?? "")

for (const [face, port] of plan) {
  const all = await Promise.all(Array.from({ length: 80 }, (_, index) => open(face, port, `/${index}`)))
  for (const { leave } of all) await leave()
  const again = await open(face, port, "/again")
  await again.leave()
  say(
    face,
    [...all, again].map(({ told }) => told)
  )
}
