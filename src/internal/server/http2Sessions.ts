import type { Http2Stream, ServerHttp2Session } from "node:http2"
import type { Socket as NetSocket } from "node:net"
import type { Timer, Timers } from "../connection/timers.ts"
import type { Admission } from "./admission.ts"
import { peerOf } from "./exchange.ts"

/** Milliseconds in which an answer leaves, and a session beyond the limits has its first request answered. */
const answerTime = 1000

/** Bytes that a session has to move between two looks to count as used. */
const progressSize = 1024

/** What is known of one session. */
interface Watched {
  readonly session: ServerHttp2Session
  /** The streams that are open, when the application answers requests itself. */
  readonly streams: Set<Http2Stream> | undefined
  /** The WebSockets that are open. */
  webSockets: number
  /** The requests for a WebSocket that are being decided. */
  undecided: number
  /** When a request was decided last. */
  decidedAt: number
  /** Whether the session has had more time for an answer, which it gets once. */
  extended: boolean
  moved: number
  timer: Timer
}

/**
 * The HTTP/2 sessions of a server of its own. Each counts as a connection while no WebSocket is open on it, and is ended
 * after `limit` milliseconds without one, so that a peer can't hold it for ever by a stream that it doesn't let end.
 */
export class Http2Sessions {
  private readonly watched = new Map<object, Watched>()
  private readonly admission: Admission
  private readonly timers: Timers
  private readonly limit: number
  private readonly connections: ReadonlySet<unknown>

  constructor(admission: Admission, timers: Timers, limit: number, connections: ReadonlySet<unknown>) {
    this.admission = admission
    this.timers = timers
    this.limit = limit
    this.connections = connections
  }

  /**
   * Begins to watch a session. With `ownResponses` the application answers requests that are for no WebSocket, which may
   * take as long as it wants: then a session counts as used while the application works on a response or bytes are moved.
   */
  watch(session: ServerHttp2Session, ownResponses: boolean): void {
    const within = this.enter(session)
    const streams = ownResponses ? new Set<Http2Stream>() : undefined
    const entry: Watched = {
      session,
      streams,
      webSockets: 0,
      undecided: 0,
      decidedAt: -Infinity,
      extended: false,
      moved: 0,
      timer: this.deadline(session, within ? this.limit : Math.min(this.limit, answerTime))
    }
    this.watched.set(session, entry)
    session.once("close", () => {
      entry.timer.cancel()
      this.watched.delete(session)
      this.admission.sessions.remove(session)
    })
    if (streams === undefined) return
    session.on("stream", (stream) => {
      streams.add(stream)
      stream.once("close", () => streams.delete(stream))
    })
  }

  /** A request for a WebSocket is being decided, which has a time limit of its own. */
  began(session: object): void {
    const entry = this.watched.get(session)
    if (entry !== undefined) entry.undecided++
  }

  decided(session: object): void {
    const entry = this.watched.get(session)
    if (entry === undefined) return
    entry.undecided--
    entry.decidedAt = this.timers.now()
  }

  /** A WebSocket was opened on a session. */
  opened(session: object): void {
    const entry = this.watched.get(session)
    if (entry === undefined) return
    entry.webSockets++
    entry.timer.cancel()
    this.admission.sessions.remove(session)
  }

  /** A WebSocket on a session has closed. */
  closed(session: object): void {
    const entry = this.watched.get(session)
    if (entry === undefined || --entry.webSockets > 0 || entry.session.destroyed) return
    this.enter(entry.session)
    entry.extended = false
    entry.timer = this.deadline(entry.session, this.limit)
  }

  private enter(session: ServerHttp2Session): boolean {
    return this.admission.enterSession(session, peerOf(session.socket as NetSocket), this.connections.size)
  }

  private deadline(session: ServerHttp2Session, delay: number): Timer {
    return this.timers.after(delay, () => this.end(session))
  }

  private end(session: ServerHttp2Session): void {
    const entry = this.watched.get(session)
    if (entry === undefined) return
    const more = isUsed(entry) ? this.limit : this.timeToAnswer(entry)
    if (more === 0) session.destroy()
    else entry.timer = this.deadline(session, more)
  }

  /** Milliseconds for the answer to a request that came late, or has just been decided. */
  private timeToAnswer(entry: Watched): number {
    const { decidedAt, extended, undecided } = entry
    entry.extended = true
    if (extended) return 0
    if (undecided > 0) return this.limit + answerTime
    return this.timers.now() - decidedAt < answerTime ? answerTime : 0
  }
}

/** Whether the application works on a response, or the peer lets bytes move. */
const isUsed = (entry: Watched): boolean => {
  const { session, streams } = entry
  if (streams === undefined || streams.size === 0) return false
  const before = entry.moved
  entry.moved = session.socket.bytesRead + session.socket.bytesWritten
  if (entry.moved - before >= progressSize) return true
  return [...streams].some((stream) => !stream.writableEnded && !stream.writableNeedDrain && stream.endAfterHeaders)
}
