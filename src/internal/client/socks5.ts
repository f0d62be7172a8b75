import { isIPv4, isIPv6 } from "node:net"
import { type ProxyClient, type ProxyStep, refused, wait } from "./proxyClient.ts"

/** What a proxy is asked to connect to, and as whom. */
export interface Socks5Request {
  /** A name, which the proxy resolves, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** User and password; `undefined` asks without. */
  readonly credentials: { readonly user: string; readonly password: string } | undefined
}

const version = 5
const methods = { none: 0, password: 2, unacceptable: 0xff } as const
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const

/** RFC 1928 §6. */
const replies = [
  "it succeeded",
  "it failed",
  "its rules do not allow it",
  "the network is unreachable",
  "the host is unreachable",
  "the connection was refused",
  "the time to live expired",
  "it does not know the command",
  "it does not know the kind of address"
]

/** Longest name, user or password, in bytes: their length stands in one byte. */
const maxField = 255

const field = (text: string): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}

const groupsOf = (part: string): ReadonlyArray<number> =>
  part.split(":").flatMap((group) => (group === "" ? [] : [Number.parseInt(group, 16)]))

const ipv6Bytes = (address: string): Buffer => {
  // A URL knows one way to write an address: groups in hexadecimal.
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [left = [], right = []] = canonical.split("::").map(groupsOf)
  const between = Array.from({ length: 8 - left.length - right.length }, () => 0)
  return Buffer.from([...left, ...between, ...right].flatMap((group) => [group >>> 8, group & 0xff]))
}

/** RFC 1928 §5: the kind of the address, then the address. */
const addressBytes = (host: string): Buffer => {
  if (isIPv4(host)) return Buffer.from([addressTypes.ipv4, ...host.split(".").map(Number)])
  if (isIPv6(host)) return Buffer.concat([Buffer.of(addressTypes.ipv6), ipv6Bytes(host)])
  return Buffer.concat([Buffer.of(addressTypes.name), field(host)])
}

/**
 * A client's part of SOCKS 5 (RFC 1928), with user and password where they are given (RFC 1929): send `greeting`, then
 * do what each `receive` says, until the way is open or refused.
 */
export class Socks5Client implements ProxyClient {
  /** The first bytes to send. */
  readonly greeting: Uint8Array
  /** Why the request can't be said: a name, user or password is too long, or empty. Then nothing may be sent. */
  readonly invalid: string | undefined
  private readonly request: Socks5Request
  private state: "method" | "password" | "reply" = "method"
  private received: Buffer = Buffer.alloc(0)

  constructor(request: Socks5Request) {
    this.request = request
    this.invalid = invalidity(request)
    const offered = request.credentials === undefined ? [methods.none] : [methods.none, methods.password]
    this.greeting = Uint8Array.of(version, offered.length, ...offered)
  }

  /** Takes the proxy's next bytes. */
  receive(bytes: Buffer): ProxyStep {
    this.received = Buffer.concat([this.received, bytes])
    if (this.state === "method") return this.readMethod()
    return this.state === "password" ? this.readStatus() : this.readReply()
  }

  private take(count: number): Buffer {
    const taken = this.received.subarray(0, count)
    this.received = this.received.subarray(count)
    return taken
  }

  private readMethod(): ProxyStep {
    if (this.received.length < 2) return wait
    const [spoken, method] = this.take(2)
    if (spoken !== version) return refused("it does not speak SOCKS 5")
    if (method === methods.none) return this.connect()
    if (method === methods.password && this.request.credentials !== undefined) {
      this.state = "password"
      const { password, user } = this.request.credentials
      return { _tag: "Send", bytes: Buffer.concat([Buffer.of(1), field(user), field(password)]) }
    }
    return refused(
      method === methods.unacceptable && this.request.credentials === undefined
        ? "it demands a user and a password"
        : "it accepts no way to authenticate that we have"
    )
  }

  /** RFC 1929 §2. */
  private readStatus(): ProxyStep {
    if (this.received.length < 2) return wait
    const [, status] = this.take(2)
    return status === 0 ? this.connect() : refused("it does not accept the user and the password")
  }

  private connect(): ProxyStep {
    this.state = "reply"
    const { host, port } = this.request
    const address = addressBytes(host)
    return {
      _tag: "Send",
      bytes: Buffer.concat([Buffer.of(version, 1, 0), address, Buffer.of(port >>> 8, port & 0xff)])
    }
  }

  private readReply(): ProxyStep {
    const { received } = this
    if (received.length < 2) return wait
    if (received[0] !== version) return refused("its answer is not one of SOCKS 5")
    const reply = received[1]
    if (reply !== 0) return refused(replies[reply] ?? `it answered ${reply}`)
    if (received.length < 5) return wait
    const type = received[3]
    const size = type === addressTypes.ipv4 ? 4 : type === addressTypes.ipv6 ? 16 : 1 + received[4]
    if (type !== addressTypes.ipv4 && type !== addressTypes.ipv6 && type !== addressTypes.name) {
      return refused(`it answered with an unknown kind of address, ${type}`)
    }
    if (received.length < 4 + size + 2) return wait
    this.take(4 + size + 2)
    return { _tag: "Open", rest: this.received }
  }
}

const invalidity = ({ credentials, host }: Socks5Request): string | undefined => {
  if (Buffer.byteLength(host) > maxField) return `SOCKS 5 has no names of more than ${maxField} bytes`
  if (credentials === undefined) return undefined
  const sizes = [credentials.user, credentials.password].map((text) => Buffer.byteLength(text))
  return sizes.every((size) => size >= 1 && size <= maxField)
    ? undefined
    : `SOCKS 5 has users and passwords of 1 to ${maxField} bytes`
}
