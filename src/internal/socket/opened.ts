import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** What can be given up. */
interface Droppable {
  destroy(): void
}

/** What is open so far of a connection that is being opened: the latest layer, whose end is the end of those below. */
class Opened {
  private latest: Droppable | undefined = undefined

  readonly hold = (opened: Droppable): void => {
    this.latest = opened
  }

  drop(): void {
    this.latest?.destroy()
  }
}

const Current = Context.Reference<Opened | undefined>("effect-ws/Socket/Opened", { defaultValue: () => undefined })

const ignore = (): void => {}

/** Says what was opened, in the moment in which it was: from then on it is dropped when the opening fails. */
export const holding: Effect.Effect<(opened: Droppable) => void> = Effect.map(
  Current,
  (opened) => opened?.hold ?? ignore
)

/**
 * Opens a connection, interruptibly, and drops what is open of it when that fails or is interrupted: between two steps,
 * too, where nothing waits that could be told. Its own success is not to be interrupted.
 */
export const dropUnlessOpen = <A, E, R>(opening: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const opened = new Opened()
      return Effect.onExit(Effect.interruptible(Effect.provideService(opening, Current, opened)), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) opened.drop()
        })
      )
    })
  )
