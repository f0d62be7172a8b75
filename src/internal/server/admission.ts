import * as Duration from "effect/Duration"
import * as Handshake from "../../Handshake.ts"
import type { HeaderFields } from "../handshake/model.ts"
import type { Timers } from "../connection/timers.ts"
import { addressList, countingKey, readAddress } from "./address.ts"
import type { AdmissionOptions, ConnectionRate, TrustedProxies } from "./model.ts"

const defaultRetryAfter = 10_000

/** One that was let in; `leave` once it has gone, or was refused after all. */
export interface Ticket {
  readonly leave: () => void
}

/** For those of whom nothing has to be remembered. */
export const nothingCounted: Ticket = { leave: () => {} }

/**
 * How often something may happen: `connections` at once, and after that one more each `per / connections`. Keeps for each
 * key when its allowance is whole again, and forgets keys whose allowance is.
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

const seconds = (millis: number): number => Math.max(1, Math.ceil(millis / 1000))

/** Who may come in, by where they come from and how many came before. */
export class Admission {
  /** When refused peers are told to try again, in seconds. */
  readonly retryAfter: number
  private readonly perAddress: number
  private readonly rate: Rate | undefined
  private readonly addressRate: Rate | undefined
  private readonly proxies: TrustedProxies | undefined
  private readonly isProxy: (address: string) => boolean
  private readonly timers: Timers
  /** Whether everybody comes in. */
  private readonly unlimited: boolean
  /** How many connections the common rate allows at once. */
  private readonly most: number
  private readonly counts = new Map<string, number>()

  constructor(options: AdmissionOptions, timers: Timers) {
    this.perAddress = options.maxConnectionsPerAddress ?? Infinity
    this.most = options.maxRate?.connections ?? Infinity
    this.rate = options.maxRate === undefined ? undefined : new Rate(options.maxRate)
    this.addressRate = options.maxRatePerAddress === undefined ? undefined : new Rate(options.maxRatePerAddress)
    this.unlimited = this.perAddress === Infinity && this.rate === undefined && this.addressRate === undefined
    this.proxies = options.trustedProxies
    this.isProxy = options.trustedProxies === undefined ? () => false : addressList(options.trustedProxies.addresses)
    this.retryAfter = seconds(Duration.toMillis(options.retryAfter ?? defaultRetryAfter))
    this.timers = timers
  }

  /**
   * The address of the client: the transport's, unless that is a trusted proxy's; then the last one in the proxy's header
   * that is none. What stands before it is anybody's to write.
   */
  clientAddress(transport: string | undefined, headers: HeaderFields): string | undefined {
    let address = transport === undefined ? undefined : (readAddress(transport) ?? transport)
    const { proxies } = this
    if (proxies === undefined) return address
    for (const hop of forwarded(proxies.header ?? "x-forwarded-for", headers).toReversed()) {
      // A Unix socket has no address: who may connect to it is the file system's to say.
      if (address !== undefined && !this.isProxy(address)) break
      const next = readAddress(hop)
      if (next === undefined) break
      address = next
    }
    return address
  }

  /** Counts one more of an address, or says why not. */
  enter(address: string | undefined): Ticket | Handshake.HandshakeError {
    if (this.unlimited) return nothingCounted
    const key = address === undefined ? undefined : countingKey(address)
    const count = key === undefined ? 0 : (this.counts.get(key) ?? 0)
    if (count >= this.perAddress) return Handshake.tooManyRequests(this.retryAfter)
    const now = this.timers.now()
    const wait = key === undefined ? 0 : (this.addressRate?.take(key, now) ?? 0)
    if (wait > 0) return Handshake.tooManyRequests(seconds(wait))
    const late = this.rate?.take("", now) ?? 0
    if (late > 0) return Handshake.tooManyConnections(this.most, seconds(late))
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
}

/** The addresses that proxies noted, the nearest last. */
const forwarded = (header: "x-forwarded-for" | "forwarded", headers: HeaderFields): Array<string> => {
  const value = headers[header]
  if (value === undefined) return []
  const elements = (typeof value === "string" ? value : value.join(",")).split(",")
  if (header === "x-forwarded-for") return elements
  // RFC 7239 §4: pairs with semicolons between; one that names no address ends what can be believed.
  return elements.map((element) => /(?:^|;)\s*for\s*=\s*("[^"]*"|[^;\s]*)/i.exec(element)?.[1] ?? "")
}
