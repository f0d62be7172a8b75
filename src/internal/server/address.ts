/** Addresses of peers: read from headers, compared with lists, and counted. */
import { BlockList, isIP } from "node:net"

/**
 * Reads an address without brackets, port and zone, as proxies write them into headers. Returns `undefined` for anything
 * else. An IPv4-mapped IPv6 address becomes the IPv4 address.
 */
export const readAddress = (text: string): string | undefined => {
  const bare = /^\s*"?\[?([0-9a-f:.]+)(?:%[^\]"]*)?\]?"?\s*$/i.exec(text)?.[1] ?? ""
  if (isIP(bare) !== 0) return withoutMapping(bare)
  const withPort = /^\s*"?(?:\[([0-9a-f:.]+)\]|([0-9.]+)):[0-9]{1,5}"?\s*$/i.exec(text)
  const host = withPort?.[1] ?? withPort?.[2] ?? ""
  return isIP(host) === 0 ? undefined : withoutMapping(host)
}

/** An address as Node writes that of a peer: an IPv6 address in lower case, its longest zeros as `::` (RFC 5952 §4). */
export const canonicalAddress = (address: string): string => {
  if (isIP(address) !== 6) return address
  const plain = withoutMapping(address)
  return plain.includes(":") ? new URL(`http://[${plain}]`).hostname.slice(1, -1) : `::ffff:${plain}`
}

/** The eight groups of a valid IPv6 address. */
const groupsOf = (address: string): ReadonlyArray<number> => {
  const [left = "", right] = address.replace(/%.*$/, "").split("::", 2)
  const head = readGroups(left)
  if (right === undefined) return head
  const tail = readGroups(right)
  return [...head, ...Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => 0), ...tail]
}

/** Groups with colons between them, of which the last may be two in dotted decimals. */
const readGroups = (part: string): ReadonlyArray<number> =>
  part === ""
    ? []
    : part.split(":").flatMap((group) => {
        if (!group.includes(".")) return [Number.parseInt(group, 16)]
        const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number)
        return [a * 256 + b, c * 256 + d]
      })

/** The IPv4 address inside an IPv4-mapped address (RFC 4291 §2.5.5.2), however that is written. */
const withoutMapping = (address: string): string => {
  if (!address.includes(":")) return address
  const dotted = /^::ffff:([0-9]+(?:\.[0-9]+){3})$/i.exec(address)?.[1]
  if (dotted !== undefined) return dotted
  const groups = groupsOf(address)
  if (groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return address
  const [high = 0, low = 0] = groups.slice(6)
  return [high >> 8, high & 255, low >> 8, low & 255].join(".")
}

/**
 * The key under which an address is counted: an IPv4 address as it is, an IPv6 address by its first 64 bits, which is what
 * one customer of a provider has.
 */
export const countingKey = (address: string): string => {
  if (isIP(address) !== 6) return address
  const network = groupsOf(address).slice(0, 4)
  return `${network.map((group) => group.toString(16)).join(":")}::/64`
}

/** A block of addresses. */
interface Block {
  readonly address: string
  readonly prefix: number
  readonly family: "ipv4" | "ipv6"
}

/** Reads an address, or a block of addresses such as `10.0.0.0/8`; `undefined` for anything else. */
const readBlock = (entry: string): Block | undefined => {
  const [address = "", bits] = entry.split("/", 2)
  const family = isIP(address)
  const max = family === 4 ? 32 : 128
  const prefix = bits === undefined ? max : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : -1
  if (family === 0 || prefix < 0 || prefix > max || entry.split("/").length > 2) return undefined
  if (family === 4) return { address, prefix, family: "ipv4" }
  const plain = withoutMapping(address)
  return plain !== address && prefix >= 96
    ? { address: plain, prefix: prefix - 96, family: "ipv4" }
    : { address, prefix, family: "ipv6" }
}

/** Whether a text is an address, or a block of addresses such as `10.0.0.0/8`. */
export const isAddressOrBlock = (entry: string): boolean => readBlock(entry) !== undefined

/**
 * Returns a predicate for a list of addresses and of blocks such as `10.0.0.0/8`. Throws a `RangeError` for an entry that
 * is neither.
 */
export const addressList = (entries: ReadonlyArray<string>): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const entry of entries) {
    const block = readBlock(entry)
    if (block === undefined) throw new RangeError(`${entry} is neither an IP address nor a block of them`)
    list.addSubnet(block.address, block.prefix, block.family)
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6")
  }
}
