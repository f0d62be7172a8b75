import { Effect, type Scope } from "effect"
import type * as http from "node:http"
import type { AddressInfo } from "node:net"

/** Listens on a free port of the loopback address until the end of the scope. */
export const listening = (server: http.Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
