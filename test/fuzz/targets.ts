import * as connection from "./connection.ts"
import * as frames from "./frames.ts"
import * as headers from "./headers.ts"
import * as inflate from "./inflate.ts"
import * as receiver from "./receiver.ts"
import type { Target } from "./target.ts"

/** Everything that is fuzzed. */
export const targets: ReadonlyArray<Target> = [
  ...frames.targets,
  ...headers.targets,
  ...inflate.targets,
  ...connection.targets,
  ...receiver.targets
]
