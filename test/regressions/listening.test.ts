// Servers that begin to listen on one Unix socket at the same time.
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { Server } from "effect-ws"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { abandonedAfter, withLockFile } from "../../src/internal/server/lockFile.ts"

const program = fileURLToPath(new URL("programs/listenAtOnce.ts", import.meta.url))

/** A folder of the test's own, which its scope removes. */
const folder = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(join(tmpdir(), "effect-ws-"))),
  (path) => Effect.sync(() => fs.rmSync(path, { recursive: true }))
)

/** Leaves a socket's file as a process does that is killed: its server closes, which removes its own name alone. */
const leaveStale = (path: string): Effect.Effect<void> =>
  Effect.promise(async () => {
    const left = net.createServer().listen(`${path}.left`)
    await once(left, "listening")
    fs.linkSync(`${path}.left`, path)
    left.close()
    await once(left, "close")
  })

/** Whether a process listens on a Unix socket. */
const isLive = (path: string): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = net.connect(path)
    socket.once("connect", () => {
      socket.destroy()
      resume(Effect.succeed(true))
    })
    socket.once("error", () => resume(Effect.succeed(false)))
  })

const assertOneListens = (tags: ReadonlyArray<unknown>): void => {
  const counts = Object.groupBy(tags, String)
  assert.deepStrictEqual(Object.fromEntries(Object.entries(counts).map(([tag, { length } = []]) => [tag, length])), {
    listens: 1,
    "ListenFailed EADDRINUSE": tags.length - 1
  })
}

const tagOf = Effect.match({
  onFailure: ({ reason }: Server.ServerError) => `${reason._tag} ${"code" in reason ? reason.code : ""}`,
  onSuccess: () => "listens"
})

describe("several servers that begin to listen on one Unix socket at once", () => {
  for (const stale of [true, false]) {
    it.live(`are one that listens and seven that fail: ${stale ? "a stale file" : "no file"}`, () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "socket")
        for (let round = 0; round < 10; round++) {
          if (stale) yield* leaveStale(path)
          const scope = yield* Scope.make()
          const tags = yield* Effect.all(
            Array.from({ length: 8 }, () => tagOf(Scope.provide(Server.make({ socketPath: path }), scope))),
            { concurrency: "unbounded" }
          )
          assertOneListens(tags)
          assert.isTrue(yield* isLive(path))
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(fs.readdirSync(join(path, "..")), [])
        }
      })
    )
  }

  it.live(
    "in four processes, too",
    () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "socket")
        const children = yield* Effect.forEach(
          Array.from({ length: 4 }),
          () =>
            Effect.acquireRelease(
              Effect.promise(async () => {
                const child = fork(program, ["2"])
                await once(child, "message")
                return child
              }),
              (child) => Effect.sync(() => child.kill("SIGKILL"))
            ),
          { concurrency: "unbounded" }
        )
        const sendAll = (message: string): Effect.Effect<ReadonlyArray<unknown>> =>
          Effect.promise(() =>
            Promise.all(
              children.map(async (child: ChildProcess) => {
                const answer = once(child, "message")
                child.send(message)
                const [tags] = (await answer) as [unknown]
                return tags
              })
            )
          )
        for (let round = 0; round < 10; round++) {
          if (round % 2 === 0) yield* leaveStale(path)
          assertOneListens((yield* sendAll(path)).flat())
          assert.isTrue(yield* isLive(path))
          yield* sendAll("close")
          assert.deepStrictEqual(fs.readdirSync(join(path, "..")), [])
        }
      }),
    60_000
  )
})

describe("the file by which servers take turns", () => {
  it.live("is removed when a process left it behind", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "socket")
      for (const seconds of [-6, 6]) {
        yield* leaveStale(path)
        fs.writeFileSync(`${path}.starting`, "")
        const left = Date.now() / 1000 + seconds
        fs.utimesSync(`${path}.starting`, left, left)
        yield* Effect.scoped(Server.make({ socketPath: path }))
        assert.deepStrictEqual(fs.readdirSync(join(path, "..")), [])
      }
    })
  )

  it.live(
    "is waited for while it is new",
    () =>
      Effect.gen(function* () {
        const path = join(yield* folder, "lock")
        fs.writeFileSync(path, "")
        const created = fs.lstatSync(path).mtimeMs
        const waited = yield* withLockFile(path, (isLocked) => Effect.sync(() => isLocked && Date.now() - created))
        assert.isAtLeast(Number(waited), abandonedAfter)
      }),
    20_000
  )

  it.live("is left alone when it is another file; then nothing is replaced", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "socket")
      fs.writeFileSync(`${path}.starting`, "mine")
      yield* Effect.scoped(Server.make({ socketPath: path }))
      yield* leaveStale(path)
      const tag = yield* Effect.scoped(tagOf(Server.make({ socketPath: path })))
      assert.strictEqual(tag, "ListenFailed EADDRINUSE")
      assert.strictEqual(fs.readFileSync(`${path}.starting`, "utf8"), "mine")
    })
  )

  it.live("isn't there when no server can listen", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "missing", "socket")
      const tag = yield* Effect.scoped(tagOf(Server.make({ socketPath: path })))
      assert.match(tag, /^ListenFailed E(?:ACCES|NOENT)$/)
    })
  )
})
