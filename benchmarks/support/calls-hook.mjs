/**
 * Loaded first into a process whose calls are observed: takes the time of each request's head being written to its socket
 * and of its answer having been read whole, by the clock that all processes of the machine share, and what the endpoint
 * says in its first header that it took. At its end it writes all three, in milliseconds. Plain JavaScript, to cost little.
 */
import { subscribe } from "node:diagnostics_channel"
import { writeFileSync } from "node:fs"

const folder = process.env.BENCHMARK_CALLS
if (folder !== undefined) {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const sentAt = Symbol("sentAt")
  const took = Symbol("took")
  const full = []
  const size = 3 * 65_536
  let calls = new Float64Array(size)
  let length = 0

  subscribe("undici:client:sendHeaders", ({ request }) => {
    request[sentAt] = offset + performance.now()
  })
  subscribe("undici:request:headers", ({ request, response }) => {
    request[took] = Number(response.headers[1].latin1Slice()) / 1_000
  })
  subscribe("undici:request:trailers", ({ request }) => {
    calls[length] = request[sentAt]
    calls[length + 1] = offset + performance.now()
    calls[length + 2] = request[took]
    length += 3
    if (length < size) return
    full.push(calls)
    calls = new Float64Array(size)
    length = 0
  })
  process.on("exit", () => {
    const all = [...full, calls.subarray(0, length)]
    for (const some of all)
      writeFileSync(`${folder}/${process.pid}`, new Uint8Array(some.buffer, 0, some.byteLength), { flag: "a" })
  })
}
