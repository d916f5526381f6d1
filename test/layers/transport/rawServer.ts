/** A server on loopback that reads requests byte for byte, and whose answers a test writes byte for byte. */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"
import { listen, type TestServer } from "./servers.ts"

/** A request that has come whole. */
export interface RawRequest {
  readonly socket: Net.Socket
  /** Method, path and version. */
  readonly line: string
  readonly path: string
  /** Its header lines, as latin1. */
  readonly headers: ReadonlyArray<string>
  readonly body: Buffer
}

export interface RawServer extends TestServer {
  /** How many requests came whole so far. */
  readonly requests: () => number
  /** How many bytes came so far. */
  readonly received: () => number
}

export interface RawListener {
  /** A request has come whole. */
  onRequest(request: RawRequest): void
  /** The first bytes of a connection have come. */
  onFirstBytes?(socket: Net.Socket): void
}

export const rawServer = (listener: RawListener): Effect.Effect<RawServer, never, Scope.Scope> =>
  Effect.suspend(() => {
    let requests = 0
    let received = 0
    const server = Net.createServer({ noDelay: true }, (socket) => {
      socket.once("data", () => listener.onFirstBytes?.(socket))
      const read = requestsOf((request) => {
        requests++
        listener.onRequest({ ...request, socket })
      })
      socket.on("data", (chunk) => {
        received += chunk.length
        read(chunk)
      })
    })
    return Effect.map(listen(server), (listening) => ({
      ...listening,
      requests: () => requests,
      received: () => received
    }))
  })

/** Puts the requests of one connection together; those with a body say its length. */
const requestsOf = (onRequest: (request: Omit<RawRequest, "socket">) => void) => {
  let head = ""
  let line = ""
  let headers: ReadonlyArray<string> = []
  let body: Array<Buffer> = []
  let missing = -1
  return (chunk: Buffer): void => {
    let at = 0
    while (at < chunk.length) {
      if (missing < 0) {
        // One byte of the end of the head may have come with each chunk.
        const before = head.length
        head += chunk.toString("latin1", at)
        const end = head.indexOf("\r\n\r\n", Math.max(0, before - 3))
        if (end < 0) return
        ;[line = "", ...headers] = head.slice(0, end).split("\r\n")
        missing = Number(/\r\ncontent-length: *(\d+)/i.exec(head.slice(0, end))?.[1] ?? 0)
        at += end + 4 - before
        head = ""
      }
      const part = chunk.subarray(at, at + missing)
      body.push(part)
      at += part.length
      missing -= part.length
      if (missing > 0) return
      missing = -1
      const whole = Buffer.concat(body)
      body = []
      onRequest({ line, path: line.split(" ")[1] ?? "", headers, body: whole })
    }
  }
}

/** What the endpoint does when it has written everything. */
export type Ending = "keep" | "end" | "reset"

/** Lets everything run that is due, and the sockets be read. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/**
 * Writes the pieces, and gives the other side time to read each alone.
 *
 * Sockets are read between two turns, so each piece is written in a turn of its own, also the first of several.
 */
export const play = async (socket: Net.Socket, pieces: ReadonlyArray<Uint8Array>, ending: Ending = "keep") => {
  for (const piece of pieces) {
    if (pieces.length > 1) await turn()
    if (socket.destroyed) return
    socket.write(piece)
  }
  if (ending !== "keep" && pieces.length > 1) await turn()
  // Done when its end is on the way, or when there is nobody any more.
  if (ending === "end") await new Promise<void>((resolve) => socket.end(() => resolve()))
  else if (ending === "reset") socket.resetAndDestroy()
}

/** The bytes of a text in which each character is one byte. */
export const bytesOf = (raw: string): Buffer => Buffer.from(raw, "latin1")

/** Cuts the bytes before each of the positions, which ascend. */
export const cutAt = (bytes: Buffer, positions: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const pieces: Array<Buffer> = []
  let from = 0
  for (const to of [...positions, bytes.length]) {
    if (to > from) pieces.push(bytes.subarray(from, to))
    from = Math.max(from, to)
  }
  return pieces
}

/** Cuts pieces of these sizes, again and again. */
export const cutInto = (bytes: Buffer, sizes: ReadonlyArray<number>): ReadonlyArray<Buffer> => {
  const pieces: Array<Buffer> = []
  for (let at = 0; at < bytes.length; ) {
    const size = sizes[pieces.length % Math.max(1, sizes.length)] ?? bytes.length
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return pieces
}
