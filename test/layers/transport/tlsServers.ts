/** Servers on loopback that speak TLS, and a relay before them; each ends with the scope that it was started in. */
import type * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { Effect, type Scope } from "effect"
import type { Identity } from "./certificates.ts"

export interface TlsServer<Server extends Net.Server = Net.Server> {
  /** `https://localhost` and the port. */
  readonly origin: string
  /** The same port at another name or address. */
  readonly originAt: (host: string) => string
  /** How many connections were accepted so far, secure or not. */
  readonly accepted: () => number
  /** The connections below TLS that are open. */
  readonly open: ReadonlySet<Net.Socket>
  /** Waits until no connection is open. */
  readonly allClosed: Effect.Effect<void>
  /** What was agreed on for each connection that came to be secure. */
  readonly handshakes: ReadonlyArray<Handshake>
  readonly server: Server
}

export interface Handshake {
  /** The name that the client asked for; `false`: none. */
  readonly servername: string | false
  /** The protocol that was chosen of those that the client offers; `false`: none. */
  readonly alpnProtocol: string | false
  readonly isResumed: boolean
  readonly version: string | null
}

const listen = <Server extends Net.Server>(
  server: Server,
  address = "127.0.0.1"
): Effect.Effect<TlsServer<Server>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<TlsServer<Server>>((resolve, reject) => {
          const open = new Set<Net.Socket>()
          const handshakes: Array<Handshake> = []
          let accepted = 0
          server.on("connection", (socket: Net.Socket) => {
            accepted++
            open.add(socket)
            socket.setNoDelay()
            // Clients that abort reset their connections; that is what many of the tests are about.
            socket.on("error", () => {})
            socket.on("close", () => {
              open.delete(socket)
              server.emit("test:closed")
            })
          })
          server.on("secureConnection", (socket: Tls.TLSSocket) => {
            socket.on("error", () => {})
            handshakes.push({
              servername: servernameOf(socket),
              alpnProtocol: socket.alpnProtocol ?? false,
              isResumed: socket.isSessionReused(),
              version: socket.getProtocol()
            })
          })
          server.once("error", reject)
          server.listen(0, address, () => {
            const listening = server.address()
            const port = typeof listening === "object" ? listening?.port : undefined
            const originAt = (host: string) => `https://${host}:${port}`
            resolve({
              origin: originAt("localhost"),
              originAt,
              accepted: () => accepted,
              open,
              allClosed: Effect.callback((resume) => {
                const check = () => {
                  if (open.size === 0) resume(Effect.void)
                }
                server.on("test:closed", check)
                check()
                return Effect.sync(() => server.off("test:closed", check))
              }),
              handshakes,
              server
            })
          })
        })
    ),
    ({ open }) =>
      Effect.promise(
        () =>
          new Promise<void>((resolve) => {
            server.close(() => resolve())
            for (const socket of open) socket.destroy()
          })
      )
  )

/** Its type leaves the name out. */
const servernameOf = (socket: Tls.TLSSocket): string | false =>
  "servername" in socket && typeof socket.servername === "string" ? socket.servername : false

export type ServerOptions = Omit<Tls.TlsOptions, "key" | "cert"> & {
  /** The address to listen at. Default: `127.0.0.1`. */
  readonly address?: string
}

export const httpsServer = (identity: Identity, handler: Http.RequestListener, options: ServerOptions = {}) =>
  Effect.suspend(() => listen(Https.createServer({ ...identity, ...options }, handler), options.address))

/** A server that is told of the first bytes of each secure connection, and says what it likes. */
export const tlsServer = (
  identity: Identity,
  onFirstBytes: (socket: Tls.TLSSocket) => void,
  options: ServerOptions = {}
) =>
  Effect.suspend(() => {
    const server = Tls.createServer({ ...identity, ...options }, (socket) => {
      socket.once("data", () => onFirstBytes(socket))
    })
    return listen(server, options.address)
  })

/** A connection through a relay: its ends towards the client and towards the server. */
export interface Link {
  readonly client: Net.Socket
  readonly server: Net.Socket
}

/** Writes and waits until that is done, so that what is written next goes by itself. */
export const written = (socket: Net.Socket, bytes: Uint8Array): Promise<unknown> =>
  new Promise((resolve) => socket.write(bytes, resolve))

/** Passes bytes on to the client at once and as they are. */
export const asItIs = (bytes: Buffer, { client }: Link): unknown => client.write(bytes)

/**
 * Passes on what a client and a server say to each other, by which the test can do what a network or a broken peer does.
 *
 * Calls `toClient` with one piece after another, each when the one before has resolved.
 */
export const relay = (to: TlsServer, toClient = asItIs, address = "127.0.0.1") =>
  Effect.suspend(() => {
    const links: Array<Link> = []
    const server = Net.createServer((client) => {
      const link = { client, server: Net.connect(Number(new URL(to.origin).port), "127.0.0.1") }
      links.push(link)
      client.on("data", (bytes) => link.server.write(bytes))
      client.on("close", () => link.server.destroy())
      let passed: Promise<unknown> = Promise.resolve()
      link.server.on("data", (bytes) => {
        passed = passed.then(() => toClient(bytes, link))
      })
      link.server.on("error", () => {})
      link.server.on("close", () => passed.then(() => client.end()))
    })
    return Effect.map(listen(server, address), (listening) => ({ ...listening, links }))
  })
