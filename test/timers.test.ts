import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as fc from "fast-check"
import { systemTimers, Wheel } from "../src/internal/connection/timers.ts"

/** A clock that only goes when it is told to, with one alarm as a wheel uses it. */
class ManualClock {
  time = 0
  /** Alarms set so far. */
  set = 0
  private alarm: { readonly due: number; readonly ring: () => void } | undefined = undefined

  readonly wheel = new Wheel(
    () => this.time,
    (delay, ring) => {
      assert.isUndefined(this.alarm, "a second alarm")
      this.set++
      const alarm = { due: this.time + delay, ring }
      this.alarm = alarm
      return () => {
        if (this.alarm === alarm) this.alarm = undefined
      }
    }
  )

  get armed(): boolean {
    return this.alarm !== undefined
  }

  /** Goes on by some milliseconds, and rings on the way. */
  advance(by: number): void {
    const end = this.time + by
    while (this.alarm !== undefined && this.alarm.due <= end) {
      const { due, ring } = this.alarm
      this.alarm = undefined
      this.time = Math.max(this.time, due)
      ring()
    }
    this.time = end
  }
}

const setup = (): {
  readonly clock: ManualClock
  readonly log: Array<string>
  readonly note: (name: string) => () => void
} => {
  const clock = new ManualClock()
  const log: Array<string> = []
  return { clock, log, note: (name) => () => log.push(`${name} ${clock.time}`) }
}

describe("Wheel", () => {
  it("runs each task once, when its time has come", () => {
    const { clock, log, note } = setup()
    clock.wheel.after(10, note("a"))
    clock.advance(9)
    assert.deepStrictEqual(log, [])
    clock.advance(1)
    assert.deepStrictEqual(log, ["a 10"])
    clock.advance(1000)
    assert.deepStrictEqual(log, ["a 10"])
    assert.isFalse(clock.armed)
  })

  it("runs tasks of one delay in their order, and a shorter delay added later in time", () => {
    const { clock, log, note } = setup()
    clock.wheel.after(100, note("a"))
    clock.advance(10)
    clock.wheel.after(100, note("b"))
    clock.wheel.after(20, note("c"))
    clock.wheel.after(100, note("d"))
    clock.advance(500)
    assert.deepStrictEqual(log, ["c 30", "a 100", "b 110", "d 110"])
  })

  it("never runs a cancelled task, and has no alarm when nothing waits", () => {
    const { clock, log, note } = setup()
    const a = clock.wheel.after(10, note("a"))
    const b = clock.wheel.after(10, note("b"))
    const c = clock.wheel.after(10, note("c"))
    b.cancel()
    b.cancel()
    assert.isTrue(clock.armed)
    a.cancel()
    c.cancel()
    assert.isFalse(clock.armed)
    clock.advance(100)
    assert.deepStrictEqual(log, [])
    clock.wheel.after(5, note("d"))
    clock.advance(100)
    assert.deepStrictEqual(log, ["d 105"])
  })

  it("does nothing for the cancelling of a task that ran", () => {
    const { clock, log, note } = setup()
    const a = clock.wheel.after(10, note("a"))
    clock.wheel.after(20, note("b"))
    clock.advance(10)
    a.cancel()
    a.cancel()
    clock.advance(10)
    assert.deepStrictEqual(log, ["a 10", "b 20"])
    assert.isFalse(clock.armed)
  })

  it("sets one alarm for many tasks of one delay", () => {
    const { clock } = setup()
    const timers = Array.from({ length: 1000 }, () => clock.wheel.after(50, () => {}))
    assert.strictEqual(clock.set, 1)
    for (const timer of timers) timer.cancel()
    assert.isFalse(clock.armed)
  })

  it("lets a task add and cancel others", () => {
    const { clock, log, note } = setup()
    clock.wheel.after(10, () => {
      note("a")()
      b.cancel()
      clock.wheel.after(10, note("c"))
      clock.wheel.after(5, note("d"))
    })
    const b = clock.wheel.after(10, note("b"))
    clock.advance(100)
    assert.deepStrictEqual(log, ["a 10", "d 15", "c 20"])
    assert.isFalse(clock.armed)
  })

  it("keeps what a task adds after it left nothing waiting", () => {
    const { clock, log, note } = setup()
    clock.wheel.after(10, () => {
      clock.wheel.after(10, note("never")).cancel()
      clock.wheel.after(10, note("a"))
    })
    clock.advance(100)
    assert.deepStrictEqual(log, ["a 20"])
  })

  it("runs the others when a task throws", () => {
    const { clock, log, note } = setup()
    clock.wheel.after(10, () => {
      throw new Error("from a task")
    })
    clock.wheel.after(10, note("a"))
    clock.wheel.after(20, note("b"))
    assert.throws(() => clock.advance(10), "from a task")
    clock.advance(100)
    assert.deepStrictEqual(log, ["a 10", "b 20"])
    assert.isFalse(clock.armed)
  })

  it("takes a delay without an end for one that never comes", () => {
    const { clock, log, note } = setup()
    const never = clock.wheel.after(Infinity, note("never"))
    clock.wheel.after(10, note("a"))
    clock.advance(1e12)
    assert.deepStrictEqual(log, ["a 10"])
    never.cancel()
    assert.isFalse(clock.armed)
  })

  it("does what a list of times would do, whatever is added and cancelled when", () => {
    const action = fc.oneof(
      fc.record({ _tag: fc.constant("add" as const), delay: fc.constantFrom(1, 5, 10, 25) }),
      fc.record({ _tag: fc.constant("cancel" as const), which: fc.nat() }),
      fc.record({ _tag: fc.constant("advance" as const), by: fc.integer({ min: 0, max: 12 }) })
    )
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const clock = new ManualClock()
        const ran: Array<number> = []
        const tasks: Array<{ readonly due: number; cancelled: boolean; readonly cancel: () => void }> = []
        for (const step of actions) {
          if (step._tag === "add") {
            const id = tasks.length
            const due = clock.time + step.delay
            const timer = clock.wheel.after(step.delay, () => {
              assert.strictEqual(clock.time, due)
              ran.push(id)
            })
            tasks.push({ due, cancelled: false, cancel: () => timer.cancel() })
          } else if (step._tag === "cancel") {
            const task = tasks[step.which % Math.max(1, tasks.length)]
            if (task !== undefined) {
              task.cancel()
              if (task.due > clock.time) task.cancelled = true
            }
          } else {
            clock.advance(step.by)
          }
        }
        const expected = tasks.flatMap((task, id) => (!task.cancelled && task.due <= clock.time ? [id] : []))
        assert.deepStrictEqual(
          ran.slice().sort((a, b) => a - b),
          expected
        )
        const waiting = tasks.some((task) => !task.cancelled && task.due > clock.time)
        if (waiting) assert.isTrue(clock.armed)
        clock.advance(100)
        assert.isFalse(clock.armed)
      })
    )
  })
})

describe("systemTimers", () => {
  it.live("waits in real time, and bears delays that Node's timers don't know", () => {
    const warnings: Array<Error> = []
    const note = (warning: Error): number => warnings.push(warning)
    process.on("warning", note)
    const long = [systemTimers.after(2 ** 40, () => assert.fail()), systemTimers.after(Infinity, () => assert.fail())]
    return Effect.callback<void>((resume) => {
      const start = systemTimers.now()
      systemTimers.after(5, () => {
        assert.isAtLeast(systemTimers.now() - start, 5)
        for (const timer of long) timer.cancel()
        process.off("warning", note)
        assert.deepStrictEqual(warnings, [])
        resume(Effect.void)
      })
    })
  })
})
