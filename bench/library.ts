// The built library, as a user imports it. Its types come from the source, so that the bench type-checks before a build.
import type * as Library from "../src/index.ts"

const builtPackage: string = "effect-ws"

export const { Server, Socket, Topic }: typeof Library = await import(builtPackage)
