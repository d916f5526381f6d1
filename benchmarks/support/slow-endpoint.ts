/**
 * An endpoint that answers after a while, in a process of its own. Each answer says in its first header how long it took
 * here, so that a client can tell what is added. Speaks no more HTTP than it must, so that it is not what limits: see
 * `coreShare`.
 *
 *     node slow-endpoint.ts FROM_MS TO_MS     says its URL by IPC, and its facts when asked; ends when its parent goes
 */
import { type AddressInfo, createServer, type Socket } from "node:net"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { requestReader } from "./RequestReader.ts"
import type { EndpointFacts } from "./Tool.ts"
import { fullest } from "./Windows.ts"

const from = Number(process.argv[2])
const to = Number(process.argv[3])

const BODY =
  `{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"${"word ".repeat(20)}"},"finish_reason":"stop"}],` +
  `"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`
const HEAD = `content-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`

/** When requests came, in milliseconds. */
const arrivals: Array<number> = []
let cpuAtFirst = process.cpuUsage()
const loopDelay = monitorEventLoopDelay({ resolution: 5 })

const answer = (socket: Socket, arrivedAt: number): void => {
  const tookMicros = Math.round((performance.now() - arrivedAt) * 1_000)
  socket.write(`HTTP/1.1 200 OK\r\nx-took-us: ${tookMicros}\r\n${HEAD}`, "latin1")
}

const server = createServer({ noDelay: true }, (socket) => {
  const read = requestReader(() => {
    const now = performance.now()
    if (arrivals.length === 0) {
      cpuAtFirst = process.cpuUsage()
      loopDelay.enable()
    }
    arrivals.push(now)
    setTimeout(answer, from + Math.random() * (to - from), socket, now)
  })
  socket.on("data", read)
  // A client that goes in the middle is its own matter.
  socket.on("error", () => socket.destroy())
})

const facts = (): EndpointFacts => {
  const { system, user } = process.cpuUsage(cpuAtFirst)
  return {
    received: arrivals.length,
    mostInASecond: fullest(arrivals, 1_000).count,
    coreShare: (user + system) / 1_000 / (performance.now() - (arrivals[0] ?? 0)),
    p99LoopDelayMs: loopDelay.percentile(99) / 1e6
  }
}

server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on("message", () => process.send?.(facts()))
process.on("disconnect", () => process.exit())
