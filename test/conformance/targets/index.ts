import { effect } from "./effect.ts"
import type { Target } from "./target.ts"
import { ws } from "./ws.ts"

export const targets: ReadonlyArray<Target> = [effect, ws]
