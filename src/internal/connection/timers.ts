/** A task that waits for its time. */
export interface Timer {
  cancel(): void
}

/** What is to happen: a function, or an object, which a connection that waits needs no function of its own for. */
export type Task = (() => void) | { ring(): void }

/** Time, as the engine sees it. */
export interface Timers {
  /** Milliseconds on a clock that never goes back. */
  now(): number
  /** Runs `task` once, after `delay` milliseconds. */
  after(delay: number, task: Task): Timer
}

class Entry implements Timer {
  previous: Entry | undefined = undefined
  next: Entry | undefined = undefined
  readonly due: number
  readonly task: Task
  private readonly queue: Queue

  constructor(queue: Queue, due: number, task: Task) {
    this.queue = queue
    this.due = due
    this.task = task
  }

  cancel(): void {
    if (this.queue.remove(this)) this.queue.wheel.settle()
  }
}

/** Tasks of one delay, which fall due in the order in which they were added. */
class Queue {
  readonly wheel: Wheel
  head: Entry | undefined = undefined
  private tail: Entry | undefined = undefined

  constructor(wheel: Wheel) {
    this.wheel = wheel
  }

  push(entry: Entry): void {
    entry.previous = this.tail
    if (this.tail === undefined) this.head = entry
    else this.tail.next = entry
    this.tail = entry
  }

  /** Answers whether the entry was still waiting. */
  remove(entry: Entry): boolean {
    const { previous, next } = entry
    if (previous === undefined && this.head !== entry) return false
    if (previous === undefined) this.head = next
    else previous.next = next
    if (next === undefined) this.tail = previous
    else next.previous = previous
    entry.previous = entry.next = undefined
    return true
  }
}

/** Wakes the wheel after some milliseconds; the answer calls the alarm off. */
export type SetAlarm = (delay: number, ring: () => void) => () => void

/**
 * All waiting tasks of a process on one alarm. A connection uses a handful of delays, so each delay keeps its own
 * queue in order of time, and adding or cancelling costs the same however many connections wait.
 */
export class Wheel implements Timers {
  readonly now: () => number
  private readonly setAlarm: SetAlarm
  private waiting = 0
  private readonly queues = new Map<number, Queue>()
  private alarm: { readonly due: number; readonly cancel: () => void } | undefined = undefined

  constructor(now: () => number, setAlarm: SetAlarm) {
    this.now = now
    this.setAlarm = setAlarm
  }

  after(delay: number, task: Task): Timer {
    let queue = this.queues.get(delay)
    if (queue === undefined) this.queues.set(delay, (queue = new Queue(this)))
    // A whole number: one with a fraction would be an object of its own.
    const entry = new Entry(queue, Math.ceil(this.now() + delay), task)
    queue.push(entry)
    this.waiting++
    this.arm(entry.due)
    return entry
  }

  /** Counts one task less, and calls the alarm off when none waits: it must not keep anything alive for nothing. */
  settle(): void {
    if (--this.waiting > 0) return
    this.alarm?.cancel()
    this.alarm = undefined
    this.queues.clear()
  }

  private arm(due: number): void {
    if (this.alarm !== undefined) {
      if (this.alarm.due <= due) return
      this.alarm.cancel()
    }
    const cancel = this.setAlarm(Math.max(0, due - this.now()), () => this.ring())
    this.alarm = { due, cancel }
  }

  private ring(): void {
    this.alarm = undefined
    try {
      this.run()
    } finally {
      // A task that throws must not keep the others from their time.
      this.armNearest()
    }
  }

  private run(): void {
    const now = this.now()
    for (const queue of this.queues.values()) {
      while (queue.head !== undefined && queue.head.due <= now) {
        const entry = queue.head
        queue.remove(entry)
        this.waiting--
        if (typeof entry.task === "function") entry.task()
        else entry.task.ring()
      }
    }
  }

  private armNearest(): void {
    let nearest = Infinity
    for (const [delay, queue] of this.queues) {
      if (queue.head === undefined) this.queues.delete(delay)
      else nearest = Math.min(nearest, queue.head.due)
    }
    if (nearest !== Infinity) this.arm(nearest)
  }
}

/** The longest delay that Node's timers know, in milliseconds. */
const longestDelay = 0x7fffffff

const canUnref = (alarm: unknown): alarm is { unref(): unknown } =>
  typeof alarm === "object" && alarm !== null && "unref" in alarm && typeof alarm.unref === "function"

/** The system's clock. The alarm never keeps the process alive: what it watches over does. */
export const systemTimers: Timers = new Wheel(
  () => performance.now(),
  (delay, ring) => {
    // Node counts whole milliseconds and may ring a fraction early; an alarm that rings early is set again.
    const alarm: unknown = setTimeout(ring, Math.min(Math.ceil(delay), longestDelay))
    // The global timers may be those of jsdom, of Electron or of a test, which return numbers, or objects of their own.
    if (canUnref(alarm)) alarm.unref()
    return () => clearTimeout(alarm as NodeJS.Timeout)
  }
)
