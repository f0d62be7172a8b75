import * as Duration from "effect/Duration"
import { type HandshakeError, tooManyConnections, tooManyRequests } from "../handshake/error.ts"
import type { HeaderFields } from "../handshake/model.ts"
import type { Timers } from "../connection/timers.ts"
import { addressList, countingKey, readAddress } from "./address.ts"
import { forwardedFor, forwardedTarget } from "./forwarded.ts"
import type { AdmissionOptions, ConnectionRate, Options, TrustedProxies } from "./model.ts"

const defaultRetryAfter = 10_000

const defaultMaxHandshakes = 1024

/** One counted connection; `leave` uncounts it, once, when it is closed or was refused after all. */
export interface Ticket {
  readonly leave: () => void
}

/** The ticket of connections that need no count of their own. */
export const nothingCounted: Ticket = { leave: () => {} }

/**
 * A rate limit: `connections` at once, and after that one more each `per / connections`. For each key it keeps when the
 * allowance is complete again, and forgets keys whose allowance is complete.
 */
class Rate {
  private readonly interval: number
  private readonly window: number
  private recent = new Map<string, number>()
  private older = new Map<string, number>()
  private turned = 0

  constructor({ connections, per = 1000 }: ConnectionRate) {
    this.window = Duration.toMillis(per)
    this.interval = this.window / connections
  }

  /** Milliseconds until `key` may go on; 0 when it may now, and then this counts. */
  take(key: string, now: number): number {
    this.turn(now)
    const whole = Math.max(now, this.recent.get(key) ?? this.older.get(key) ?? now)
    const wait = whole + this.interval - this.window - now
    // Times are sums of fractions: a rest below a microsecond is none.
    if (wait > 1e-3) return wait
    this.recent.set(key, whole + this.interval)
    return 0
  }

  /** No allowance takes longer than the window to be whole: what is older than one turn is of no use. */
  private turn(now: number): void {
    if (now - this.turned < this.window) return
    this.older = now - this.turned < 2 * this.window ? this.recent : new Map()
    this.recent = new Map()
    this.turned = now
  }
}

/** A host with an optional port. */
const authority = /^[A-Za-z0-9._~%!$&'()*+;=:[\]-]+$/

const seconds = (millis: number): number => Math.max(1, Math.ceil(millis / 1000))

/**
 * The HTTP/2 sessions without an open WebSocket, each of which counts as one connection. A session whose request is decided
 * doesn't count against that request, since the WebSocket takes its place.
 */
class IdleSessions {
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

/** The peer of a transport, as the system knows it. */
export interface Peer {
  /** Absent for the peer of a Unix socket, and for one that has left. */
  readonly address: string | undefined
  /** Whether the transport is a Unix socket. The file system decides who may connect to it, so its peers are trusted. */
  readonly isLocal: boolean
}

/** Where a request came from, and what the client asked for, as far as trusted proxies tell. */
export interface Client {
  readonly address: string | undefined
  /** The authority of the client's request, when a trusted proxy noted it. */
  readonly authority: string | undefined
  /** Whether the client's request came over TLS, when a trusted proxy noted it. */
  readonly secure: boolean | undefined
}

/** The limits of one server on what connects to it. Every way into the server asks here. */
export class Admission {
  /** The value of `Retry-After` in refusals, in seconds. */
  readonly retryAfter: number
  /** The HTTP/2 sessions without an open WebSocket. */
  readonly sessions = new IdleSessions()
  private readonly maxConnections: number
  private readonly maxHandshakes: number
  private readonly perAddress: number
  private readonly rate: Rate | undefined
  private readonly addressRate: Rate | undefined
  /** The connections that the common rate allows at once. */
  private readonly burst: number
  private readonly proxies: TrustedProxies | undefined
  private readonly isProxy: (address: string) => boolean
  private readonly timers: Timers
  /** Whether clients are limited by address or rate. */
  private readonly limitsClients: boolean
  private readonly counts = new Map<string, number>()
  private handshakes = 0

  constructor(options: AdmissionOptions & Pick<Options, "maxConnections" | "maxHandshakes">, timers: Timers) {
    this.maxConnections = options.maxConnections ?? Infinity
    this.maxHandshakes = options.maxHandshakes ?? defaultMaxHandshakes
    this.perAddress = options.maxConnectionsPerAddress ?? Infinity
    this.burst = options.maxRate?.connections ?? Infinity
    this.rate = options.maxRate === undefined ? undefined : new Rate(options.maxRate)
    this.addressRate = options.maxRatePerAddress === undefined ? undefined : new Rate(options.maxRatePerAddress)
    this.limitsClients = this.perAddress !== Infinity || this.rate !== undefined || this.addressRate !== undefined
    this.proxies = options.trustedProxies
    this.isProxy = options.trustedProxies === undefined ? () => false : addressList(options.trustedProxies.addresses)
    this.retryAfter = seconds(Duration.toMillis(options.retryAfter ?? defaultRetryAfter))
    this.timers = timers
  }

  /**
   * Returns where a request came from: the transport's peer, unless that is a trusted proxy; then the last address in the
   * proxy's header that is no trusted proxy's. Whatever stands before it may be the client's own writing.
   */
  client(peer: Peer, headers: HeaderFields): Client {
    let address = peer.address === undefined ? undefined : (readAddress(peer.address) ?? peer.address)
    const { proxies } = this
    if (proxies === undefined || !this.isTrusted(peer)) return { address, authority: undefined, secure: undefined }
    const header = proxies.header ?? "x-forwarded-for"
    let hops = 0
    for (const hop of forwardedFor(header, headers).toReversed()) {
      if (address !== undefined && !this.isProxy(address)) break
      const next = readAddress(hop)
      if (next === undefined) break
      address = next
      hops++
    }
    const { host, scheme } = forwardedTarget(header, headers, hops)
    return {
      address,
      authority: host !== undefined && authority.test(host) ? host : undefined,
      secure: scheme === undefined || scheme === "" ? undefined : /^(?:https|wss)$/i.test(scheme)
    }
  }

  /** Whether the headers of a peer are believed. An unknown address is not trusted. */
  isTrusted({ address, isLocal }: Peer): boolean {
    if (this.proxies === undefined) return false
    return address === undefined ? isLocal : this.isProxy(readAddress(address) ?? address)
  }

  beginHandshake(): void {
    this.handshakes++
  }

  endHandshake(): void {
    this.handshakes--
  }

  /** Whether one more handshake would exceed `maxHandshakes`, with so many connections that wait for a handler. */
  handshakesFull(waiting: number): boolean {
    return this.handshakes + waiting >= this.maxHandshakes
  }

  /**
   * Returns why there is no place for one more connection, if there is none; `session` is the HTTP/2 session that the
   * request came on.
   */
  findPlace(connections: number, waiting: number, session: object | undefined): HandshakeError | undefined {
    const { maxConnections, maxHandshakes, retryAfter } = this
    if (connections + this.handshakes + this.sessions.count(session) >= maxConnections) {
      return tooManyConnections(maxConnections, retryAfter)
    }
    return this.handshakesFull(waiting) ? tooManyConnections(maxHandshakes, retryAfter) : undefined
  }

  /** Counts one more connection of an address, or returns why it is refused. */
  enter(address: string | undefined, session?: object): Ticket | HandshakeError {
    if (!this.limitsClients) return nothingCounted
    const key = address === undefined ? undefined : countingKey(address)
    const count = key === undefined ? 0 : (this.counts.get(key) ?? 0)
    if (key !== undefined && count + this.sessions.countOf(key, session) >= this.perAddress) {
      return tooManyRequests(this.retryAfter)
    }
    const now = this.timers.now()
    const wait = key === undefined ? 0 : (this.addressRate?.take(key, now) ?? 0)
    if (wait > 0) return tooManyRequests(seconds(wait))
    const late = this.rate?.take("", now) ?? 0
    if (late > 0) return tooManyConnections(this.burst, seconds(late))
    if (key === undefined || this.perAddress === Infinity) return nothingCounted
    this.counts.set(key, count + 1)
    let left = false
    return {
      leave: () => {
        if (left) return
        left = true
        const rest = (this.counts.get(key) ?? 0) - 1
        if (rest > 0) this.counts.set(key, rest)
        else this.counts.delete(key)
      }
    }
  }

  /**
   * Counts an HTTP/2 session that has no WebSocket yet, and returns whether it is within the limits. The sessions of a
   * trusted proxy are not counted by address, since they carry the connections of many clients.
   */
  enterSession(session: object, peer: Peer, connections: number): boolean {
    const key = peer.address === undefined || this.isTrusted(peer) ? undefined : countingKey(peer.address)
    const taken = connections + this.handshakes + this.sessions.count(undefined)
    const ofAddress = key === undefined ? 0 : (this.counts.get(key) ?? 0) + this.sessions.countOf(key, undefined)
    this.sessions.add(session, key)
    return taken < this.maxConnections && ofAddress < this.perAddress
  }
}
