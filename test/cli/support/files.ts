import { Effect, type Scope } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder of its own with these files; answers the path of a name in it. Gone at the end of the scope. */
export const folder = (
  files: Readonly<Record<string, string | Buffer>> = {}
): Effect.Effect<(name: string) => string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => {
        const path = mkdtempSync(join(tmpdir(), "wscat-"))
        for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content)
        return path
      }),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    ),
    (path) => (name: string) => join(path, name)
  )
