// Begins to listen on one Unix socket, several times at once, whenever its parent sends a path; ends these servers for `close`.
import { Effect, Exit, Scope } from "effect"
import { Server } from "../../../src/index.ts"

const [, , count] = process.argv

const tagOf = Effect.match({
  onFailure: ({ reason }: Server.ServerError) => `${reason._tag} ${"code" in reason ? reason.code : ""}`,
  onSuccess: () => "listens"
})

let scope = Scope.makeUnsafe()

process.on("message", (message: string) => {
  if (message === "close") {
    const ending = scope
    scope = Scope.makeUnsafe()
    void Effect.runPromise(Scope.close(ending, Exit.void)).then(() => process.send?.("closed"))
    return
  }
  const one = tagOf(Scope.provide(Server.make({ socketPath: message }), scope))
  const all = Effect.all(
    Array.from({ length: Number(count) }, () => one),
    { concurrency: "unbounded" }
  )
  void Effect.runPromise(all).then((tags) => process.send?.(tags))
})

process.send?.("ready")
