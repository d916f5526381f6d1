/** Servers on loopback for the tests of the transports; each ends with the scope that it was started in. */
import * as Http from "node:http"
import * as Net from "node:net"
import { Effect, type Scope } from "effect"

export interface TestServer {
  readonly origin: string
  readonly port: number
  /** How many connections were accepted so far. */
  readonly accepted: () => number
  /** The connections that are open. */
  readonly open: ReadonlySet<Net.Socket>
  /** Waits until no connection is open. */
  readonly allClosed: Effect.Effect<void>
}

/** Starts a server on a free port, on loopback unless another address is given. */
export const listen = (server: Net.Server, at = "127.0.0.1"): Effect.Effect<TestServer, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<TestServer>((resolve, reject) => {
          const open = new Set<Net.Socket>()
          let accepted = 0
          server.on("connection", (socket) => {
            accepted++
            open.add(socket)
            // Clients that abort reset their connections; that is what many of the tests are about.
            socket.on("error", () => {})
            socket.on("close", () => {
              open.delete(socket)
              server.emit("test:closed")
            })
          })
          server.once("error", reject)
          server.listen(0, at, () => {
            const address = server.address()
            const port = typeof address === "object" && address !== null ? address.port : 0
            resolve({
              origin: `http://${at}:${port}`,
              port,
              accepted: () => accepted,
              open,
              allClosed: Effect.callback((resume) => {
                const check = () => {
                  if (open.size === 0) resume(Effect.void)
                }
                server.on("test:closed", check)
                check()
                return Effect.sync(() => server.off("test:closed", check))
              })
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

export const httpServer = (handler: Http.RequestListener) => Effect.suspend(() => listen(Http.createServer(handler)))

/** A server that is told of the first bytes of each connection, and says what it likes. */
export const tcpServer = (onFirstBytes: (socket: Net.Socket) => void) =>
  Effect.suspend(() => listen(Net.createServer((socket) => socket.once("data", () => onFirstBytes(socket)))))

/** An origin where nobody listens. */
export const deadOrigin = Effect.map(Effect.scoped(tcpServer(() => {})), ({ origin }) => origin)

/** The whole body of a request to a test server. */
export const readBody = async (request: Http.IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const WORDS = 20

/** What `wordsInTurn` answers to a request with this body. */
export const wordsOf = (name: string): string => Array.from({ length: WORDS }, (_, word) => `${name}.${word} `).join("")

/** Answers when so many requests are there: word by word in turn, so that all streams are under way together. */
export const wordsInTurn = (count: number): Http.RequestListener => {
  const answering: Array<[name: string, response: Http.ServerResponse]> = []
  return async (received, response) => {
    answering.push([await readBody(received), response])
    response.flushHeaders()
    if (answering.length < count) return
    for (let word = 0; word < WORDS; word++) {
      for (const [name, response] of answering) response.write(`${name}.${word} `)
      await new Promise((resolve) => setImmediate(resolve))
    }
    for (const [, response] of answering.reverse()) response.end()
  }
}

/** Answers with so many bytes, a multiple of 16 KiB, as fast as they are taken. */
export const pour = (response: Http.ServerResponse, bytes: number): void => {
  const piece = Buffer.alloc(16 * 1024, "x")
  let left = bytes / piece.length
  const write = (): void => {
    while (left-- > 0) {
      if (!response.write(piece)) return void response.once("drain", write)
    }
    response.end()
  }
  write()
}
