/** Addresses of peers: read out of headers, compared with lists, and counted. */
import { BlockList, isIP } from "node:net"

/** An address without brackets, port and zone, as headers of proxies write them; `undefined` for anything else. */
export const readAddress = (text: string): string | undefined => {
  const bare = /^\s*"?\[?([0-9a-f:.]+)(?:%[^\]"]*)?\]?"?\s*$/i.exec(text)?.[1] ?? ""
  if (isIP(bare) !== 0) return unmapped(bare)
  const withPort = /^\s*"?(?:\[([0-9a-f:.]+)\]|([0-9.]+)):[0-9]{1,5}"?\s*$/i.exec(text)
  const host = withPort?.[1] ?? withPort?.[2] ?? ""
  return isIP(host) === 0 ? undefined : unmapped(host)
}

/** The IPv4 address that an IPv6 socket shows as `::ffff:a.b.c.d`. */
const unmapped = (address: string): string => /^::ffff:([0-9]+(?:\.[0-9]+){3})$/i.exec(address)?.[1] ?? address

const groupsOf = (part: string): ReadonlyArray<string> => (part === "" ? [] : part.split(":"))

/**
 * Under which name an address is counted: an IPv4 address as it is, an IPv6 address by its first 64 bits, which is what one
 * customer of a provider has.
 */
export const countingKey = (address: string): string => {
  if (isIP(address) !== 6) return address
  const [left = "", right] = address.replace(/%.*$/, "").split("::", 2)
  const head = groupsOf(left)
  const tail = groupsOf(right ?? "")
  // An address that ends in dotted decimals has two groups there.
  const written = head.length + tail.length + (address.includes(".") ? 1 : 0)
  const zeros = right === undefined ? [] : Array.from({ length: Math.max(0, 8 - written) }, () => "0")
  const groups = [...head, ...zeros, ...tail].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`
}

/** A list of addresses and of blocks such as `10.0.0.0/8`. Throws a `RangeError` for what is neither. */
export const addressList = (entries: ReadonlyArray<string>): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = "", bits] = entry.split("/", 2)
    const family = isIP(address)
    const longest = family === 4 ? 32 : 128
    const prefix = bits === undefined ? longest : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : -1
    if (family === 0 || prefix < 0 || prefix > longest) {
      throw new RangeError(`${entry} is neither an IP address nor a block of them`)
    }
    list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6")
  }
  return (address) => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 4 ? "ipv4" : "ipv6")
  }
}
