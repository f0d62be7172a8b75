import { hixie76 } from "./hixie76.ts"
import { hybi07, hybi08, rfc6455 } from "./hybi.ts"
import type { Draft } from "./model.ts"

/** Every draft, the newest first. */
export const all: ReadonlyArray<Draft> = [rfc6455, hybi08, hybi07, hixie76]

/** The drafts that a server speaks unless it is told otherwise: versions 13, 8 and 7. */
export const defaults: ReadonlyArray<Draft> = [rfc6455, hybi08, hybi07]
