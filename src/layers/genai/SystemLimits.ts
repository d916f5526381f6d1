/** What the machine allows: open files of this process, and local ports to one destination. */
import { readFileSync } from "node:fs"

/** A limit on connections, with what to do about it. */
export interface SystemLimit {
  readonly connections: number
  /** A sentence that names the limit and the way out. */
  readonly explanation: string
}

/** Files that are no connections to endpoints: the result files, standard streams, the service's own clients. */
const OTHER_FILES = 256

/**
 * The limits that the machine tells, those on all connections and those on connections to one endpoint; nothing where it
 * tells none (other systems than Linux).
 */
export const systemLimits = (): { readonly all: SystemLimit | undefined; readonly each: SystemLimit | undefined } => ({
  all: openFiles(read("/proc/self/limits")),
  each: localPorts(read("/proc/sys/net/ipv4/ip_local_port_range"))
})

export const openFiles = (limits: string): SystemLimit | undefined => {
  const files = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1])
  if (!(files > 0)) return undefined
  return {
    connections: Math.max(1, files - Math.min(OTHER_FILES, Math.floor(files / 2))),
    explanation: `this process may open ${files} files and connections: raise that with \`ulimit -n 65536\``
  }
}

export const localPorts = (range: string): SystemLimit | undefined => {
  const [first = 0, last = 0] = range.trim().split(/\s+/).map(Number)
  const ports = last - first + 1
  if (!(first > 0 && ports > 0)) return undefined
  return {
    connections: ports,
    explanation:
      `this machine has ${ports} local ports for connections to one address: widen that with ` +
      '`sysctl -w net.ipv4.ip_local_port_range="1024 65535"`'
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    // Not Linux, or not allowed to look: then nothing is known.
    return ""
  }
}
