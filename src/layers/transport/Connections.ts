/** The connections of a transport. */
import * as Tls from "node:tls"
import { Connection, type ConnectionOwner, type Target } from "./Connection.ts"
import { Deadlines } from "./Deadlines.ts"
import { InvalidRequest } from "./RequestMessage.ts"
import type { Turns } from "./Turns.ts"

export interface ConnectionsOptions {
  readonly maxBodyBytes: number
  readonly keepAliveMs: number
}

/**
 * An endpoint's connections that are free, the last used at the end.
 *
 * Those that have closed meanwhile stay until they are come across, or until they are many.
 */
class Free {
  readonly target: Target
  private connections: Array<Connection> = []
  /** How many have closed since those were last cleared away. */
  private closed = 0

  constructor(target: Target) {
    this.target = target
  }

  take(): Connection | undefined {
    for (;;) {
      const connection = this.connections.pop()
      if (connection === undefined) return undefined
      if (connection.isOld) connection.drop()
      if (!connection.isClosed) return connection
    }
  }

  put(connection: Connection): void {
    this.connections.push(connection)
  }

  /** One of those that are free has closed. */
  onClosed(): void {
    if (++this.closed * 2 <= this.connections.length) return
    this.connections = this.connections.filter((connection) => !connection.isClosed)
    this.closed = 0
  }
}

/** Free connections by origin, and all that there are. */
export class Connections implements ConnectionOwner {
  readonly maxBodyBytes: number
  readonly keepAliveMs: number
  readonly turns: Turns
  readonly idle = new Deadlines({ keepsProcess: false })
  readonly readBuffer = Buffer.allocUnsafeSlow(READ_BYTES)
  private context: Tls.SecureContext | undefined = undefined
  private readonly free = new Map<string, Free>()
  private readonly all = new Set<Connection>()
  private isClosed = false

  constructor(options: ConnectionsOptions, turns: Turns) {
    this.maxBodyBytes = options.maxBodyBytes
    this.keepAliveMs = options.keepAliveMs
    this.turns = turns
  }

  get secureContext(): Tls.SecureContext {
    this.context ??= Tls.createSecureContext()
    return this.context
  }

  /** How many there are, free or not. */
  get size(): number {
    return this.all.size
  }

  /** The origin's host and port, as its requests name it. Throws `InvalidRequest`. */
  hostOf(origin: string): string {
    return this.freeOf(origin).target.host
  }

  /** A connection that is free, the last used first, or a new one; `undefined` when closed. Throws `InvalidRequest`. */
  take(origin: string, fresh: boolean): Connection | undefined {
    if (this.isClosed) return undefined
    const free = this.freeOf(origin)
    const kept = fresh ? undefined : free.take()
    if (kept !== undefined) return kept
    const connection = new Connection(this, free.target)
    this.all.add(connection)
    return connection
  }

  onFree(connection: Connection): void {
    this.freeOf(connection.target.origin).put(connection)
  }

  onLost(connection: Connection, wasFree: boolean): void {
    this.all.delete(connection)
    if (wasFree) this.freeOf(connection.target.origin).onClosed()
  }

  /** Closes every connection; done when their sockets are closed. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all(Array.from(this.all, (connection) => connection.close()))
  }

  private freeOf(origin: string): Free {
    let free = this.free.get(origin)
    if (free === undefined) {
      free = new Free(targetOf(origin))
      this.free.set(origin, free)
    }
    return free
  }
}

/** As much as one read takes: what Node itself would read at once. */
const READ_BYTES = 64 * 1024

const targetOf = (origin: string): Target => {
  const url = URL.parse(origin)
  const isSecure = url?.protocol === "https:"
  if (url === null || !(isSecure || url.protocol === "http:")) {
    throw new InvalidRequest("its origin is no http or https URL of a host and port")
  }
  if (url.href !== `${url.origin}/`) throw new InvalidRequest("its origin is more than a host and port")
  return {
    origin,
    host: url.host,
    hostname: url.hostname.startsWith("[") ? url.hostname.slice(1, -1) : url.hostname,
    port: url.port === "" ? (isSecure ? 443 : 80) : Number(url.port),
    isSecure,
    session: undefined
  }
}
