import { Effect, type Scope } from "effect"
import * as net from "node:net"

/** A masked text message: hello. */
export const hello = Buffer.from([0x81, 0x85, 0, 0, 0, 0, ...Buffer.from("hello")])

/** The head of a valid request, with what is to be different. */
export const upgradeHead = ({
  fields = [],
  target = "/",
  upgrade = "websocket"
}: {
  readonly fields?: ReadonlyArray<string>
  readonly target?: string
  readonly upgrade?: string
} = {}): string =>
  [
    `GET ${target} HTTP/1.1`,
    "Host: 127.0.0.1",
    `Upgrade: ${upgrade}`,
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    ...fields,
    "\r\n"
  ].join("\r\n")

/** A bare connection. */
export interface Bare {
  readonly socket: net.Socket
  /** What has come so far. */
  readonly text: () => string
  /** Waits until a text has come, or the connection has ended; gives all that has come. */
  readonly until: (text: string) => Effect.Effect<string>
  /** Waits until the connection has ended. */
  readonly ended: Effect.Effect<string>
}

/** Opens a bare connection, and writes to it. The end of the scope drops it. */
export const open = (port: number, bytes: string): Effect.Effect<Bare, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Bare>((resume) => {
      let all = ""
      let closed = false
      const looks = new Set<() => void>()
      const look = (): void => {
        for (const one of looks) one()
      }
      const wait = (holds: () => boolean): Effect.Effect<string> =>
        Effect.callback((resume) => {
          const one = (): void => {
            if (!closed && !holds()) return
            looks.delete(one)
            resume(Effect.succeed(all))
          }
          looks.add(one)
          one()
        })
      const socket = net.connect(port, "127.0.0.1", () => {
        socket.write(bytes, "latin1")
        resume(
          Effect.succeed({
            socket,
            text: () => all,
            until: (text) => wait(() => all.includes(text)),
            ended: wait(() => false)
          })
        )
      })
      socket.on("data", (chunk) => {
        all += chunk.toString("latin1")
        look()
      })
      socket.on("error", () => {})
      socket.on("close", () => {
        closed = true
        look()
      })
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** Sends bytes, and gives what comes until a text has come, or the connection has ended. */
export const exchange = (port: number, bytes: string, text?: string): Effect.Effect<string> =>
  Effect.scoped(Effect.flatMap(open(port, bytes), (bare) => (text === undefined ? bare.ended : bare.until(text))))
