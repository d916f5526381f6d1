/**
 * Node's sockets without an HTTP client, in a process of its own: what a request costs at least. Each answer is taken for whole
 * that came in one piece, as short ones do on the same machine; of anything else it is an error.
 *
 *     node bare-sockets.ts URL CONNECTIONS REQUESTS RATE      RATE a second, by a timer
 */
import { connect, type Socket } from "node:net"
import { type BareRequest, rowRequest } from "./Bare.ts"
import { paced } from "./Pace.ts"

const [url = "", connections, requests, rate] = process.argv.slice(2)
const { origin, requestOf } = rowRequest(url)
const { host, hostname, port } = new URL(origin)
const room = Buffer.allocUnsafeSlow(65_536)

/** One request at a time. */
class Place {
  private socket: Socket | undefined = undefined
  private onAnswer: (text: string) => void = () => {}

  answer(request: BareRequest): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onAnswer = (text) => {
        const body = text.slice(text.indexOf("\r\n\r\n") + 4)
        if (body.includes("choices") && body.endsWith("}")) resolve()
        else reject(new Error(`An answer that is not whole: ${text}`))
      }
      this.socket ??= this.open(reject)
      this.socket.write(bytesOf(request), "latin1")
    })
  }

  close(): void {
    this.socket?.destroy()
  }

  private open(onError: (error: Error) => void): Socket {
    const callback = (size: number) => {
      this.onAnswer(room.toString("latin1", 0, size))
      return true
    }
    const socket = connect({ host: hostname, port: Number(port), noDelay: true, onread: { buffer: room, callback } })
    return socket.once("error", onError)
  }
}

const bytesOf = ({ body, headers, path }: BareRequest): string => {
  let head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\n`
  for (let at = 0; at < headers.length; at += 2) head += `${headers[at]}: ${headers[at + 1]}\r\n`
  return `${head}content-length: ${body.length}\r\n\r\n${body}`
}

const places = Array.from({ length: Number(connections) }, () => new Place())
await paced([...places], Number(requests), Number(rate), (place, row) => place.answer(requestOf(row)))
for (const place of places) place.close()
