/** A piece of work that waits for its turn. May be added again once its turn is over. */
export abstract class Job {
  /** Whether it waits in a limiter; the links are the limiter's. */
  waiting = false
  previous: Job | undefined = undefined
  next: Job | undefined = undefined

  /** Begins the work. The turn lasts until `Limiter.finished` is called, once. */
  abstract start(): void
}

/** At most `concurrency` jobs at a time; the others wait, first come, first served. */
export class Limiter {
  /** Jobs that may run at a time, at least 1. A change counts from the next turn on. */
  concurrency: number
  /** Jobs that run now. */
  running = 0
  /** Jobs that wait now. */
  queued = 0
  private first: Job | undefined = undefined
  private last: Job | undefined = undefined

  constructor(concurrency: number) {
    this.concurrency = concurrency
  }

  /** Starts the job, at once when there is a turn for it. */
  add(job: Job): void {
    if (this.running < this.concurrency) {
      this.running++
      job.start()
      return
    }
    job.waiting = true
    job.previous = this.last
    if (this.last === undefined) this.first = job
    else this.last.next = job
    this.last = job
    this.queued++
  }

  /** Takes a job out that still waits, and answers whether it did. A job that runs has to finish its turn itself. */
  drop(job: Job): boolean {
    if (!job.waiting) return false
    this.remove(job)
    return true
  }

  /** Ends the turn of a job that ran, and starts those that now may. */
  finished(): void {
    this.running--
    while (this.first !== undefined && this.running < this.concurrency) {
      const job = this.first
      this.remove(job)
      this.running++
      job.start()
    }
  }

  private remove(job: Job): void {
    if (job.previous === undefined) this.first = job.next
    else job.previous.next = job.next
    if (job.next === undefined) this.last = job.previous
    else job.next.previous = job.previous
    job.previous = job.next = undefined
    job.waiting = false
    this.queued--
  }
}
