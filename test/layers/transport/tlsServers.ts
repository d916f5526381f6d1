/** Servers on loopback that speak TLS, and a relay before them; each ends with the scope that it was started in. */
import type * as Http from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { Effect, type Scope } from "effect"
import type { Identity } from "./certificates.ts"
import { listen, type TestServer } from "./servers.ts"

/** Its origin is `https://localhost` and the port; connections count whether they come to be secure or not. */
export interface TlsServer<Server extends Net.Server = Net.Server> extends TestServer {
  /** The same port at another name or address. */
  readonly originAt: (host: string) => string
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

const listenSecurely = <Server extends Net.Server>(
  server: Server,
  address?: string
): Effect.Effect<TlsServer<Server>, never, Scope.Scope> => {
  const handshakes: Array<Handshake> = []
  server.on("connection", (socket: Net.Socket) => socket.setNoDelay())
  server.on("secureConnection", (socket: Tls.TLSSocket) => {
    socket.on("error", () => {})
    handshakes.push({
      servername: servernameOf(socket),
      alpnProtocol: socket.alpnProtocol ?? false,
      isResumed: socket.isSessionReused(),
      version: socket.getProtocol()
    })
  })
  return Effect.map(listen(server, address), (listening) => {
    const originAt = (host: string) => `https://${host}:${listening.port}`
    return { ...listening, origin: originAt("localhost"), originAt, handshakes, server }
  })
}

/** Its type leaves the name out. */
const servernameOf = (socket: Tls.TLSSocket): string | false =>
  "servername" in socket && typeof socket.servername === "string" ? socket.servername : false

export type ServerOptions = Omit<Tls.TlsOptions, "key" | "cert"> & {
  /** The address to listen at. Default: `127.0.0.1`. */
  readonly address?: string
}

export const httpsServer = (identity: Identity, handler: Http.RequestListener, options: ServerOptions = {}) =>
  Effect.suspend(() => listenSecurely(Https.createServer({ ...identity, ...options }, handler), options.address))

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
    return listenSecurely(server, options.address)
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
    return Effect.map(listenSecurely(server, address), (listening) => ({ ...listening, links }))
  })
