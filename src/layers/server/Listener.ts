/** The listening socket: node:http, with all that a server in the open needs. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { listenFailure } from "../../domain/ListenFailure.ts"
import { HttpServiceError } from "../../services/HttpService.ts"
import { MAX_HEAD_BYTES, malformedReply } from "./Malformed.ts"

/** Longer than clients and load balancers keep idle connections, so that none breaks under a request being sent. */
const KEEP_ALIVE_MS = 75_000

/** A request's head, and all of it with its body: whoever is slower is no client. Answers may take any time. */
const HEADERS_MS = 20_000
const REQUEST_MS = 120_000

/** How often slow requests are looked for. */
const CHECK_MS = 2_000

/** Connections that the system holds until they are accepted: thousands of clients may come at once. */
const BACKLOG = 4096

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  /** `beforeBody` is present when the client waits to be told to send its body (`Expect: 100-continue`). */
  readonly onRequest: (request: IncomingMessage, response: ServerResponse, beforeBody?: () => void) => void
  readonly onConnection: (socket: Socket) => void
  /** What came is no HTTP, or came too slowly. True when that has been answered. */
  readonly onMalformed: (socket: Duplex, status: number) => boolean
  /** Default: as above. For tests. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number; readonly checkMs: number } | undefined
}

export interface Listener {
  readonly server: Server
  readonly port: number
}

/** Listens until the scope closes; connections that are left then are cut. */
export const listen = (options: ListenerOptions): Effect.Effect<Listener, HttpServiceError, Scope.Scope> =>
  Effect.acquireRelease(open(options), ({ server }) => close(server))

/** Waits for the listener to be gone, so that the port is free afterwards. */
export const close = (server: Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

const open = (options: ListenerOptions) =>
  Effect.callback<Listener, HttpServiceError>((resume) => {
    const { host, onConnection, onMalformed, onRequest, port, timeouts } = options
    const server = createServer({
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: timeouts?.headersMs ?? HEADERS_MS,
      requestTimeout: timeouts?.requestMs ?? REQUEST_MS,
      connectionsCheckingInterval: timeouts?.checkMs ?? CHECK_MS,
      maxHeaderSize: MAX_HEAD_BYTES,
      // A request without one is answered like any other that is wrong.
      requireHostHeader: false,
      noDelay: true
    })
    server.on("request", (request, response) => onRequest(request, response))
    server.on("checkContinue", (request, response) =>
      onRequest(request, response, () => {
        response.writeContinue()
      })
    )
    server.on("connection", (socket: Socket) => {
      // Node takes its own listener off sockets that it hands over (CONNECT): a reset must not end the process.
      socket.on("error", ignore)
      onConnection(socket)
    })
    server.on("connect", (_request, socket) => sayAndClose(socket, 405))
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      const status = statusOf(error.code)
      if (!socket.writable || hasGone(error.code)) socket.destroy()
      else if (!onMalformed(socket, status)) sayAndClose(socket, status)
    })
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new HttpServiceError(listenFailure(error, { host, port }))))
    )
    server.listen({ host, port, backlog: BACKLOG }, () => {
      resume(Effect.succeed({ server, port: (server.address() as AddressInfo).port }))
    })
  })

/** That a connection has broken is told by its end. */
const ignore = (): void => {}

/** Whoever ends the connection in the middle of a request does not wait for its answer. */
const hasGone = (code: string | undefined): boolean => code === "ECONNRESET" || code === "HPE_INVALID_EOF_STATE"

const statusOf = (code: string | undefined): number => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return 431
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return 413
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return 408
    default:
      return 400
  }
}

/** There is no request to answer in its own format. */
const sayAndClose = (socket: Duplex, status: number): void => {
  const { body, headers } = malformedReply(status)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${headers["content-type"]}\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    () => socket.destroy()
  )
}
