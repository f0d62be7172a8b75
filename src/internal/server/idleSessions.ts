/**
 * The HTTP/2 sessions without an open WebSocket, each of which counts as one connection. A session whose request is decided
 * doesn't count against that request, since the WebSocket takes its place.
 */
export class IdleSessions {
  private readonly keys = new Map<object, string | undefined>()
  private readonly counts = new Map<string, number>()

  /** Counts a session, under the key of its address where it has one. */
  add(session: object, key: string | undefined): void {
    if (this.keys.has(session)) return
    this.keys.set(session, key)
    if (key !== undefined) this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }

  remove(session: object): void {
    const key = this.keys.get(session)
    if (!this.keys.delete(session) || key === undefined) return
    const rest = (this.counts.get(key) ?? 0) - 1
    if (rest > 0) this.counts.set(key, rest)
    else this.counts.delete(key)
  }

  /** The sessions, without the given one. */
  count(except: object | undefined): number {
    return this.keys.size - (except !== undefined && this.keys.has(except) ? 1 : 0)
  }

  /** The sessions of one address, without the given one. */
  countOf(key: string, except: object | undefined): number {
    const own = except !== undefined && this.keys.get(except) === key ? 1 : 0
    return (this.counts.get(key) ?? 0) - own
  }
}
