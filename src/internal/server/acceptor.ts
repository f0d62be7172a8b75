import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { duration, invalidOption, type RulesOf } from "../socket/optionRules.ts"
import type { ServerConnection } from "./connection.ts"
import { invalidOptions } from "./failure.ts"
import { Handlers } from "./handlers.ts"
import type { Acceptor, Connection, DrainOptions } from "./model.ts"
import type { UpgradeHandler } from "./upgradeHandler.ts"

/** The rules of the options of `drain`. */
export const drainRules = { grace: duration } satisfies RulesOf<DrainOptions>

/** The ways to take connections from an upgrade handler, and to let them finish. */
export const acceptorOf = <A, R>(
  upgrades: UpgradeHandler<A, R>,
  stopListening: Effect.Effect<void> = Effect.void
): Acceptor<A> => ({
  connections: upgrades.queue.stream,
  run: (handler) => run(upgrades, handler, stopListening),
  drain: (options = {}) => {
    const invalid = invalidOption(drainRules, options)
    if (invalid !== undefined) return Effect.die(invalidOptions(invalid))
    const { grace } = options
    return drain(upgrades, grace === undefined ? upgrades.settings.drainGrace : Duration.toMillis(grace), stopListening)
  }
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

/** Milliseconds without a message after which nothing needs to be answered. */
const quietTime = 100

/**
 * Closes every connection with 1001. Unless `within` is 0, a connection on which messages come is closed when its handler
 * waits for the next one, which makes the close frame leave with the last answer; others are closed when no message has come
 * for a moment, and all of them after `within` milliseconds.
 */
const closeAll = <A, R>(upgrades: UpgradeHandler<A, R>, within: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const open = new Set(upgrades.live)
    const close = (connection: ServerConnection<A>): void => {
      if (open.delete(connection)) connection.retire(1001, "", upgrades.settings.shutdownTimeout)
    }
    const closeWhere = (predicate: (connection: ServerConnection<A>) => boolean) =>
      Effect.sync(() => {
        for (const connection of open) if (predicate(connection)) close(connection)
      })
    if (within === 0) return closeWhere(() => true)
    for (const connection of open) {
      connection.receiveBuffer.takeHeard()
      connection.receiveBuffer.whenIdle(() => close(connection))
    }
    return Effect.sleep(quietTime).pipe(
      Effect.andThen(closeWhere(isQuiet)),
      Effect.andThen(Effect.raceFirst(Effect.sleep(within - quietTime), upgrades.ended)),
      Effect.andThen(closeWhere(() => true))
    )
  })

/** Whether no message has come since the last look, and the handler works on none. */
const isQuiet = <A>({ receiveBuffer }: ServerConnection<A>): boolean =>
  !receiveBuffer.takeHeard() && receiveBuffer.isIdle
