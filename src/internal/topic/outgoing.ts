import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { TopicError } from "./error.ts"
import { unavailable } from "./failure.ts"
import type { Published } from "./model.ts"

/** Bytes of messages that are under way to a broker at once. What exceeds them waits here, where it is certainly not sent. */
const maxUnderWay = 4 * 1024 * 1024

/** What a message costs in addition to its bytes. */
const overhead = 64

/** One call of `publish`. */
interface Request {
  readonly messages: ReadonlyArray<Published>
  readonly size: number
  readonly deadline: number
  readonly resume: (result: Effect.Effect<void, TopicError>) => void
}

export interface OutgoingOptions {
  /** What the broker is called in messages. */
  readonly name: string
  readonly send: (messages: ReadonlyArray<Published>) => Effect.Effect<void, TopicError>
  readonly timeout: Duration.Duration
  /** Bytes that may wait. */
  readonly bufferSize: number
  /** Called when the broker did not answer in time. */
  readonly onSilence: (error: TopicError) => void
}

/**
 * What is published over one connection to a broker: in order, with a limit for the bytes that are under way, a limit for those
 * that wait, and a time limit for each call. Interrupting a call takes it back only while it waits.
 */
export class Outgoing {
  private readonly options: OutgoingOptions
  private readonly context: Context.Context<never>
  private readonly waiting = new Set<Request>()
  private readonly underWay = new Map<Request, Fiber.Fiber<void, TopicError>>()
  private waitingSize = 0
  private underWaySize = 0
  private closed: unknown = undefined

  constructor(options: OutgoingOptions, context: Context.Context<never>) {
    this.options = options
    this.context = context
  }

  publish(messages: ReadonlyArray<Published>): Effect.Effect<void, TopicError> {
    return Effect.callback<void, TopicError>((resume) => {
      if (this.closed !== undefined) return resume(Effect.fail(this.notSent(this.closed)))
      const size = messages.reduce((sum, { message, topic }) => sum + topic.length + message.length + overhead, 0)
      const deadline = this.now() + Duration.toMillis(this.options.timeout)
      const request: Request = { messages, size, deadline, resume }
      if (this.underWaySize > 0 && (this.waiting.size > 0 || this.underWaySize + size > maxUnderWay)) {
        const { bufferSize } = this.options
        if (this.waitingSize + size > bufferSize) {
          return resume(Effect.fail(this.notSent(new Error(`more than ${bufferSize} bytes wait for an answer`))))
        }
        this.waiting.add(request)
        this.waitingSize += size
      } else {
        this.start(request)
      }
      return Effect.sync(() => this.takeBack(request))
    })
  }

  /** Fails what takes longer than the time limit. Runs as long as the connection. */
  readonly watch: Effect.Effect<never> = Effect.forever(
    Effect.suspend(() => {
      const now = this.now()
      for (const request of this.waiting) {
        if (request.deadline > now) break
        this.takeBack(request)
        request.resume(Effect.fail(this.notSent(noAnswer)))
      }
      for (const request of this.underWay.keys()) {
        if (request.deadline > now) break
        const error = this.unknown(noAnswer)
        request.resume(Effect.fail(error))
        this.options.onSilence(error)
      }
      const [oldest = firstOf(this.waiting)] = this.underWay.keys()
      return oldest === undefined || oldest.deadline <= now
        ? Effect.sleep(this.options.timeout)
        : Effect.sleep(Duration.millis(oldest.deadline - now))
    })
  )

  /** The connection is lost: waiting messages are not sent, and the outcome of those under way is unknown. */
  close(why: TopicError): void {
    this.closed = why
    for (const { resume } of this.waiting) resume(Effect.fail(this.notSent(why)))
    this.waiting.clear()
    for (const [{ resume }, fiber] of this.underWay) {
      resume(Effect.fail(this.unknown(why)))
      fiber.interruptUnsafe()
    }
    this.underWay.clear()
  }

  private start(request: Request): void {
    const { size } = request
    this.underWaySize += size
    const fiber = Effect.runForkWith(this.context)(this.options.send(request.messages))
    this.underWay.set(request, fiber)
    fiber.addObserver((exit) => {
      this.underWay.delete(request)
      this.underWaySize -= size
      request.resume(Exit.isSuccess(exit) ? Effect.void : Effect.failCause(exit.cause))
      this.startWaiting()
    })
  }

  private startWaiting(): void {
    for (const request of this.waiting) {
      if (this.underWaySize > 0 && this.underWaySize + request.size > maxUnderWay) return
      this.takeBack(request)
      this.start(request)
    }
  }

  private takeBack(request: Request): void {
    if (this.waiting.delete(request)) this.waitingSize -= request.size
  }

  private now(): number {
    return Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe()
  }

  private notSent(why: unknown): TopicError {
    return unavailable(this.options.name, "not sent", why)
  }

  private unknown(why: unknown): TopicError {
    return unavailable(this.options.name, "unknown", why)
  }
}

const firstOf = <A>([first]: Iterable<A>): A | undefined => first

const noAnswer = new Error("it does not answer")
