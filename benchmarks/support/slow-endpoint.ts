/**
 * An endpoint that answers after a while, in a process of its own: each answer says how long the endpoint itself took, so
 * that a client can tell what it added. Knows when every request came and how long it took.
 *
 *     node slow-endpoint.ts FROM_MS TO_MS [TOKENS_OF_AN_ANSWER]     says its URL by IPC; ends when its parent goes
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const from = Number(process.argv[2])
const to = Number(process.argv[3])
const tokens = Number(process.argv[4] ?? 10)

/** When requests came, in milliseconds. */
let arrivals: Array<number> = []
/** How long they took here. */
let took: Array<number> = []

/** The most in any window of so long, wherever it starts. */
const mostWithin = (windowMs: number): number => {
  let first = 0
  let most = 0
  for (let last = 0; last < arrivals.length; last++) {
    while (arrivals[last]! - arrivals[first]! >= windowMs) first++
    most = Math.max(most, last - first + 1)
  }
  return most
}

/** The mean per second, without the first second and the last tenth, which are not whole. */
const steadyRate = (): number => {
  const start = (arrivals[0] ?? 0) + 1_000
  const end = start + ((arrivals.at(-1) ?? 0) - start) * 0.9
  return (arrivals.filter((at) => at >= start && at < end).length * 1_000) / (end - start)
}

/**
 * How late requests came against an even spacing at the rate at which they came in truth, the 99th percentile: what a
 * client that paces them adds, and the network, and this process.
 */
const p99Lateness = (): number => {
  const first = arrivals[0] ?? 0
  const spacing = ((arrivals.at(-1) ?? 0) - first) / Math.max(1, arrivals.length - 1)
  const offsets = arrivals.map((at, i) => at - first - i * spacing).toSorted((a, b) => a - b)
  // Nobody comes early: the schedule begins with the earliest. A few outliers of the clock are let off.
  return (offsets[Math.floor(0.99 * offsets.length)] ?? 0) - (offsets[Math.floor(0.001 * offsets.length)] ?? 0)
}

const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? 0

const server = createServer((request, response) => {
  if (request.url === "/stats") {
    const stats = {
      received: arrivals.length,
      mostInASecond: mostWithin(1_000),
      steadyRate: steadyRate(),
      p99LatenessMs: p99Lateness(),
      p50TookMs: quantile(took, 0.5),
      p99TookMs: quantile(took, 0.99)
    }
    arrivals = []
    took = []
    response.end(JSON.stringify(stats))
    return
  }
  const at = performance.now()
  arrivals.push(at)
  request.resume()
  setTimeout(
    () => {
      const tookMs = performance.now() - at
      took.push(tookMs)
      const body =
        `{"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"${tookMs.toFixed(1)}"},"finish_reason":"stop"}],` +
        `"usage":{"prompt_tokens":10,"completion_tokens":${tokens},"total_tokens":${10 + tokens}}}`
      response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body)
    },
    from + Math.random() * (to - from)
  )
})
server.keepAliveTimeout = 120_000
server.listen(0, "127.0.0.1", 4_096, () => {
  process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.on("disconnect", () => process.exit())
