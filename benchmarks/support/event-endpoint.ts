/**
 * An endpoint whose answers are streams of events, in a process of its own: as fast as they are read, each event a chunk
 * of HTTP as models send them, as many in a packet as fit. All is put together beforehand, so that it is the client that
 * limits.
 *
 *     node event-endpoint.ts EVENTS     says its URL by IPC; ends when its parent goes
 */
import { type AddressInfo, createServer, type Socket } from "node:net"
import { requestReader } from "./RequestReader.ts"

const events = Number(process.argv[2])

const eventOf = (choices: ReadonlyArray<object>, usage: object | null) =>
  `data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "model-1", choices, usage })}\n\n`

const chunkOf = (event: string) => `${event.length.toString(16)}\r\n${event}\r\n`

const HEAD = Buffer.from("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
const DELTA = chunkOf(eventOf([{ index: 0, delta: { content: " word" }, finish_reason: null }], null))
const END = Buffer.from(
  [
    chunkOf(eventOf([{ index: 0, delta: {}, finish_reason: "stop" }], null)),
    chunkOf(eventOf([], { prompt_tokens: 20, completion_tokens: events, total_tokens: 20 + events })),
    chunkOf("data: [DONE]\n\n"),
    "0\r\n\r\n"
  ].join("")
)
const AT_ONCE = 100
const DELTAS = Buffer.from(DELTA.repeat(AT_ONCE))

const answer = (socket: Socket): void => {
  let left = events
  const write = (): void => {
    while (left > 0) {
      const some = Math.min(left, AT_ONCE)
      left -= some
      if (!socket.write(DELTAS.subarray(0, some * DELTA.length))) {
        socket.once("drain", write)
        return
      }
    }
    socket.write(END)
  }
  socket.write(HEAD)
  write()
}

const server = createServer({ noDelay: true }, (socket) => {
  const read = requestReader(() => answer(socket))
  socket.on("data", read)
  // A client that goes in the middle is its own matter.
  socket.on("error", () => socket.destroy())
})
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on("disconnect", () => process.exit())
