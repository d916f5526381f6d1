/** The connections of a transport: one undici `Client` for each, because the cost of a `Pool` grows with its size. */
import { type OnReadOpts, Socket } from "node:net"
import { buildConnector, Client } from "undici"

export interface ConnectionsOptions {
  readonly maxBodyBytes: number
  readonly keepAliveMs: number
}

/**
 * A place for one request at a time: taken, and then either released to be taken again or destroyed.
 *
 * Its socket comes and goes with need: the client connects for the first request, and again after the socket was closed.
 */
export class Connection {
  readonly client: Client
  private readonly owner: Connections
  private readonly origin: string
  private socket: Socket | undefined = undefined
  /** The socket that stood already when the connection was taken. */
  private openSocket: Socket | undefined = undefined

  constructor(owner: Connections, origin: string) {
    this.owner = owner
    this.origin = origin
    this.client = new Client(origin, {
      ...owner.clientOptions,
      connect: (options, callback) => {
        // Documented to return the socket, though its type does not say so.
        const socket: unknown = owner.connectorFor(options.protocol)(options, callback)
        if (socket instanceof Socket) this.socket = socket
      }
    })
  }

  /** Remembers whether the connection stands, for `wasOpen`. */
  taken(): void {
    const { socket } = this
    this.openSocket = socket !== undefined && !socket.connecting && !socket.destroyed ? socket : undefined
  }

  /** Whether the socket stood already when the connection was taken, and no other has been opened since. */
  wasOpen(): boolean {
    return this.openSocket !== undefined && this.openSocket === this.socket
  }

  release(): void {
    this.owner.put(this, this.origin)
  }

  /** Closes the socket at once, also one that is still being connected. Whoever uses the connection is told. */
  destroy(): Promise<void> {
    this.owner.forget(this)
    const closed = this.client.destroy()
    this.socket?.destroy()
    return closed
  }
}

/** Free connections by origin, and all that there are. */
export class Connections {
  private readonly plain: ReturnType<typeof buildConnector>
  private readonly secure: ReturnType<typeof buildConnector>
  readonly clientOptions: Client.Options
  private readonly free = new Map<string, Array<Connection>>()
  private readonly all = new Set<Connection>()
  private isClosed = false

  constructor(options: ConnectionsOptions) {
    // The limits are the transport's to keep.
    this.plain = buildConnector({ allowH2: false, timeout: 0, onread: intoSmallBuffers() })
    // One for all, so that they share TLS sessions.
    this.secure = buildConnector({ allowH2: false, timeout: 0 })
    this.clientOptions = {
      allowH2: false,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: options.keepAliveMs,
      maxResponseSize: options.maxBodyBytes
    }
  }

  connectorFor(protocol: string): ReturnType<typeof buildConnector> {
    return protocol === "https:" ? this.secure : this.plain
  }

  /** A connection that is free, the last used first, or a new one; `undefined` when closed. */
  take(origin: string, fresh: boolean): Connection | undefined {
    if (this.isClosed) return undefined
    let connection = fresh ? undefined : this.free.get(origin)?.pop()
    if (connection === undefined) {
      connection = new Connection(this, origin)
      this.all.add(connection)
    }
    connection.taken()
    return connection
  }

  put(connection: Connection, origin: string): void {
    if (!this.all.has(connection)) return
    const free = this.free.get(origin)
    if (free === undefined) this.free.set(origin, [connection])
    else free.push(connection)
  }

  forget(connection: Connection): void {
    this.all.delete(connection)
  }

  /** Destroys every connection; done when their sockets are closed. */
  async close(): Promise<void> {
    this.isClosed = true
    this.free.clear()
    await Promise.all(Array.from(this.all, (connection) => connection.destroy()))
  }
}

/**
 * Lets all sockets read into one buffer, from which each takes a copy of what came.
 *
 * Left to itself, Node allocates 64 KiB for every read and gives back what was not filled; for the small reads of streams
 * a copy costs less. Seen with 1,000 streams of `test/e2e/serve-load.test.ts`, on a busy machine: mostly 20 to 22 s of CPU
 * in place of 27 to 31 s.
 */
const intoSmallBuffers = (): OnReadOpts => ({
  buffer: Buffer.allocUnsafeSlow(READ_BYTES),
  callback(this: Socket, size, buffer) {
    return this.push(Buffer.from(buffer.subarray(0, size)))
  }
})

const READ_BYTES = 64 * 1024
