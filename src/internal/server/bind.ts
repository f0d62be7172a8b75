import * as Effect from "effect/Effect"
import * as fs from "node:fs"
import * as net from "node:net"
import type { HttpServer } from "./attachment.ts"
import type { ServerError } from "./error.ts"
import { listenFailed } from "./failure.ts"
import { withLockFile } from "./lockFile.ts"
import type { ListenOptions } from "./model.ts"

/**
 * Makes a server listen. A Unix socket's file that no process listens on any more is replaced. Servers that begin to listen on
 * one path take turns: a socket that is bound and doesn't listen yet looks like one that was left behind.
 */
export const bind = (server: HttpServer, options: ListenOptions): Effect.Effect<void, ServerError> => {
  const { socketPath } = options
  // A named pipe of Windows is no file.
  if (socketPath === undefined || process.platform === "win32") return bindOnce(server, options)
  return withLockFile(`${socketPath}.starting`, (isLocked) =>
    Effect.catch(bindOnce(server, options), (error) =>
      isLocked && isInUse(error) ? replaceStale(server, options, socketPath, error) : Effect.fail(error)
    )
  )
}

const replaceStale = (
  server: HttpServer,
  options: ListenOptions,
  path: string,
  error: ServerError
): Effect.Effect<void, ServerError> =>
  Effect.suspend(() => {
    const left = socketFile(path)
    if (left === undefined) return Effect.fail(error)
    return Effect.flatMap(isAbandoned(path), (abandoned) => {
      // A program that doesn't take turns may have replaced it meanwhile.
      if (!abandoned || socketFile(path) !== left) return Effect.fail(error)
      return Effect.andThen(
        Effect.try({ try: () => fs.unlinkSync(path), catch: (cause) => listenFailed(path, cause) }),
        bindOnce(server, options)
      )
    })
  })

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

const isInUse = ({ reason }: ServerError): boolean => reason._tag === "ListenFailed" && reason.code === "EADDRINUSE"

/** Identifies the file of a Unix socket; `undefined` for another file, and for none. */
const socketFile = (path: string): string | undefined => {
  const file = fs.lstatSync(path, { throwIfNoEntry: false })
  return file?.isSocket() === true ? `${file.dev} ${file.ino} ${file.ctimeMs}` : undefined
}

/** Whether no process listens on a Unix socket. */
const isAbandoned = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const probe = net.connect(path)
    const settle = (abandoned: boolean): void => {
      probe.destroy()
      resume(Effect.succeed(abandoned))
    }
    probe.once("connect", () => settle(false))
    probe.once("error", (error: NodeJS.ErrnoException) => settle(error.code === "ECONNREFUSED"))
    return Effect.sync(() => probe.destroy())
  })
