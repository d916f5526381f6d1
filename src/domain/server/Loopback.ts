/** Which addresses are reached from this machine only. */
import { isIPv4 } from "node:net"

/** RFC 1122, section 3.2.1.3, RFC 4291, section 2.5.3, and the name for both (RFC 6761, section 6.3). */
export const isLoopback = (host: string): boolean => {
  const lower = host.toLowerCase()
  return lower === "localhost" || lower === "::1" || (isIPv4(host) && host.startsWith("127."))
}
