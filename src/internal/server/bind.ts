import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as net from "node:net"
import type { HttpServer } from "./attachment.ts"
import type { ServerError } from "./error.ts"
import { listenFailed } from "./failure.ts"
import type { ListenOptions } from "./model.ts"

/** Makes a server listen. A Unix socket's file that no process listens on any more is replaced. */
export const bind = (server: HttpServer, options: ListenOptions): Effect.Effect<void, ServerError> => {
  const { socketPath } = options
  if (socketPath === undefined) return bindOnce(server, options)
  return Effect.catch(bindOnce(server, options), (error) =>
    Effect.flatMap(isStale(error, socketPath), (stale) => {
      if (!stale) return Effect.fail(error)
      return Effect.andThen(
        Effect.try({ try: () => fs.unlinkSync(socketPath), catch: (cause) => listenFailed(socketPath, cause) }),
        bindOnce(server, options)
      )
    })
  )
}

const bindOnce = (
  server: HttpServer,
  { backlog, host, port = 0, reusePort, socketMode, socketPath }: ListenOptions
): Effect.Effect<void, ServerError> =>
  Effect.callback((resume) => {
    const place = socketPath ?? `${host ?? "*"}:${port}`
    const fail = (cause: unknown): void => resume(Effect.fail(listenFailed(place, cause)))
    server.once("error", fail)
    server.listen(
      {
        ...(socketPath === undefined ? { port } : { path: socketPath }),
        ...(host === undefined ? {} : { host }),
        ...(backlog === undefined ? {} : { backlog }),
        ...(reusePort === undefined ? {} : { reusePort, exclusive: reusePort })
      },
      () => {
        server.off("error", fail)
        try {
          if (socketPath !== undefined && socketMode !== undefined) fs.chmodSync(socketPath, socketMode)
        } catch (cause) {
          server.close(() => fail(cause))
          return
        }
        resume(Effect.void)
      }
    )
    return Effect.sync(() => server.close())
  })

/** Whether listening failed because of a Unix socket's file that a process left behind. */
const isStale = ({ reason }: ServerError, path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    if (reason._tag !== "ListenFailed" || reason.code !== "EADDRINUSE" || !isSocketFile(path)) {
      return resume(Effect.succeed(false))
    }
    const probe = net.connect(path)
    const settle = (stale: boolean): void => {
      probe.destroy()
      resume(Effect.succeed(stale))
    }
    probe.once("connect", () => settle(false))
    probe.once("error", (error: NodeJS.ErrnoException) => settle(error.code === "ECONNREFUSED"))
    return Effect.sync(() => probe.destroy())
  })

const isSocketFile = (path: string): boolean => fs.lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true
