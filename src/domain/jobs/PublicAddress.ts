/**
 * Whether an IP address is one of the public Internet: not of this machine, of a private network, or of a cloud's own
 * services.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
import { BlockList, isIPv4, isIPv6 } from "node:net"

const special4 = new BlockList()
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  // Also the metadata services of most clouds.
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // Azure's platform services, which machines there reach under a public address.
  ["168.63.129.16", 32]
] as const) {
  special4.addSubnet(network, bits, "ipv4")
}

const global6 = new BlockList()
global6.addSubnet("2000::", 3, "ipv6")

const special6 = new BlockList()
for (const [network, bits] of [
  // Protocols' own, Teredo's tunnels among them.
  ["2001::", 23],
  ["2001:db8::", 32],
  // Holds an IPv4 address (6to4).
  ["2002::", 16],
  ["3fff::", 20]
] as const) {
  special6.addSubnet(network, bits, "ipv6")
}

/**
 * Of IPv6, only what is given out as global unicast: that leaves out all forms that hold an IPv4 address, which would
 * otherwise have to be found one by one.
 */
export const isPublicAddress = (address: string): boolean => {
  if (isIPv4(address)) return !special4.check(address, "ipv4")
  if (!isIPv6(address) || address.includes("%")) return false
  return global6.check(address, "ipv6") && !special6.check(address, "ipv6")
}
