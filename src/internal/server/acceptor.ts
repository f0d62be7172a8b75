import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Timer } from "../connection/timers.ts"
import type { ServerConnection } from "./connection.ts"
import { Handlers } from "./handlers.ts"
import type { Acceptor, Connection } from "./model.ts"
import type { UpgradeHandler } from "./upgradeHandler.ts"

/** The ways to take connections from an upgrade handler, and to let them finish. */
export const acceptorOf = <A, R>(
  upgrades: UpgradeHandler<A, R>,
  stopListening: Effect.Effect<void> = Effect.void
): Acceptor<A> => ({
  connections: upgrades.queue.stream,
  run: (handler) => run(upgrades, handler, stopListening),
  drain: ({ grace } = {}) =>
    drain(upgrades, grace === undefined ? upgrades.settings.drainGrace : Duration.toMillis(grace), stopListening)
})

const run = <A, G, X, E, R>(
  upgrades: UpgradeHandler<A, G>,
  handler: (socket: Connection<A>) => Effect.Effect<X, E, R>,
  stopListening: Effect.Effect<void>
): Effect.Effect<never, never, Exclude<R, Scope.Scope>> =>
  Effect.contextWith((context: Context.Context<Exclude<R, Scope.Scope>>) =>
    Effect.callback<never>(() => {
      const handlers = new Handlers(handler, context, upgrades)
      upgrades.handlers.add(handlers)
      upgrades.queue.handleEach(handlers.handle)
      return drain(upgrades, upgrades.settings.drainGrace, stopListening)
    })
  )

/**
 * Lets connections finish: refuses new ones, notifies the handlers and lets them go on for `grace` milliseconds; then shuts
 * down.
 */
export const drain = <A, R>(
  upgrades: UpgradeHandler<A, R>,
  grace: number,
  stopListening: Effect.Effect<void> = Effect.void
): Effect.Effect<void> =>
  Effect.suspend(() => {
    upgrades.beginDraining()
    const finished =
      grace > 0
        ? Effect.timeoutOrElse(upgrades.ended, {
            duration: Duration.millis(grace),
            orElse: () => Effect.andThen(closeAll(upgrades, answerTime), waitOrDrop(upgrades))
          })
        : Effect.andThen(closeAll(upgrades, 0), waitOrDrop(upgrades))
    return Effect.andThen(stopListening, finished)
  })

/** Waits until the connections have ended, and drops those that have not after `shutdownTimeout`. */
const waitOrDrop = <A, R>(upgrades: UpgradeHandler<A, R>): Effect.Effect<void> =>
  Effect.timeoutOrElse(upgrades.ended, {
    duration: Duration.millis(upgrades.settings.shutdownTimeout),
    orElse: () =>
      Effect.suspend(() => {
        for (const { connection } of upgrades.live) connection.terminate()
        const interrupted = Effect.forEach(upgrades.handlers, ({ interrupt }) => interrupt, {
          concurrency: "unbounded",
          discard: true
        })
        return Effect.andThen(interrupted, upgrades.ended)
      })
  })

/** Milliseconds that a handler has to answer the messages that it has read, once its grace period is over. */
const answerTime = 1000

/** Milliseconds between two looks at whether handlers have answered. */
const lookInterval = 5

/**
 * Closes every connection with 1001, each when its handler has answered what it has read, and at the latest after so many
 * milliseconds: an answer can't be sent after the close frame.
 */
const closeAll = <A, R>(upgrades: UpgradeHandler<A, R>, within: number): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const { live, settings, timers } = upgrades
    const deadline = timers.now() + within
    const open = new Set(live)
    let timer: Timer | undefined
    const look = (): void => {
      const late = timers.now() >= deadline
      for (const connection of open) {
        if (!late && isAnswering(connection)) continue
        open.delete(connection)
        connection.retire(1001, "", settings.shutdownTimeout)
      }
      if (open.size === 0) resume(Effect.void)
      else timer = timers.after(lookInterval, look)
    }
    look()
    return Effect.sync(() => timer?.cancel())
  })

/** Whether a handler that reads has messages that it hasn't asked for, or works on those that it has. */
const isAnswering = <A>({ connection, inbox }: ServerConnection<A>): boolean =>
  connection.isOpen && (!inbox.isEmpty || inbox.waiter === undefined || connection.buffered > 0)
