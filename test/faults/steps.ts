// Interrupts an effect at each of its steps, one run for each.
import { type Effect, Exit, type Fiber, Scheduler } from "effect"
import { forkWith } from "./watch.ts"

/** Lets a fiber do as little as it can between two steps, and calls `onStep` before each of them. */
export class StepScheduler extends Scheduler.MixedScheduler {
  private readonly onStep: () => void
  private readonly operations: number

  constructor(operations: number, onStep: () => void) {
    super()
    this.operations = operations
    this.onStep = onStep
  }

  override shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= this.operations
  }

  override makeDispatcher(): ReturnType<Scheduler.MixedScheduler["makeDispatcher"]> {
    const dispatcher = super.makeDispatcher()
    const { scheduleTask } = dispatcher
    dispatcher.scheduleTask = (task, priority) =>
      Reflect.apply(scheduleTask, dispatcher, [
        () => {
          this.onStep()
          task()
        },
        priority
      ])
    return dispatcher
  }
}

/** Fewer operations than these make no progress between two yields. */
export const fewestOperations = 3

/**
 * Runs an effect again and again, and interrupts it at the first step, at the second, and so on, until it ends before it
 * is interrupted. Answers how many steps it has.
 */
export const interruptAtEachStep = async (
  effect: Effect.Effect<unknown, unknown>,
  options: { readonly operations?: number | undefined; readonly every?: number | undefined } = {}
): Promise<number> => {
  const { every = 1, operations = fewestOperations } = options
  for (let at = 0; ; at += every) {
    const exit = await interruptAt(effect, at, operations)
    if (Exit.isSuccess(exit)) return at
  }
}

const interruptAt = (
  effect: Effect.Effect<unknown, unknown>,
  at: number,
  operations: number
): Promise<Exit.Exit<unknown, unknown>> =>
  new Promise((resolve) => {
    let step = 0
    const scheduler = new StepScheduler(operations, () => {
      if (step++ === at) fiber.interruptUnsafe()
    })
    const fiber = forkWith(effect, scheduler)
    fiber.addObserver(resolve)
  })
