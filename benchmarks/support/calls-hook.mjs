/**
 * Loaded first into a process whose calls are observed: takes the time of each request's being written to its socket and of
 * its answer having been read, by the clock that all processes of the machine share, and what the endpoint says in its first
 * header that it took. At its end it writes all three, in milliseconds. Plain JavaScript, to cost little.
 *
 * The tool's sockets are those that read into a buffer of their owner's; their answers come in one piece, being short. undici,
 * which the tool is compared with, tells of its requests by itself.
 */
import { subscribe } from "node:diagnostics_channel"
import { writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import net from "node:net"

const folder = process.env.BENCHMARK_CALLS
if (folder !== undefined) {
  const offset = Number(process.hrtime.bigint()) / 1e6 - performance.now()
  const sentAt = Symbol("sentAt")
  const took = Symbol("took")
  const full = []
  const size = 3 * 65_536
  let calls = new Float64Array(size)
  let length = 0

  const record = (sent, tookMs) => {
    calls[length] = sent
    calls[length + 1] = offset + performance.now()
    calls[length + 2] = tookMs
    length += 3
    if (length < size) return
    full.push(calls)
    calls = new Float64Array(size)
    length = 0
  }

  const { connect } = net
  net.connect = (options, ...others) => {
    const { onread } = options
    if (onread === undefined) return connect(options, ...others)
    let sent = 0
    const callback = (bytes, buffer) => {
      const isGoing = onread.callback(bytes, buffer)
      const head = buffer.latin1Slice(0, Math.min(bytes, 128))
      const value = head.indexOf(":") + 1
      record(sent, Number(head.slice(value, head.indexOf("\r\n", value))) / 1_000)
      return isGoing
    }
    const socket = connect({ ...options, onread: { buffer: onread.buffer, callback } }, ...others)
    const { write } = socket
    socket.write = (...args) => {
      sent = offset + performance.now()
      return write.apply(socket, args)
    }
    return socket
  }
  syncBuiltinESMExports()

  subscribe("undici:client:sendHeaders", ({ request }) => {
    request[sentAt] = offset + performance.now()
  })
  subscribe("undici:request:headers", ({ request, response }) => {
    request[took] = Number(response.headers[1].latin1Slice()) / 1_000
  })
  subscribe("undici:request:trailers", ({ request }) => record(request[sentAt], request[took]))
  process.on("exit", () => {
    const all = [...full, calls.subarray(0, length)]
    for (const some of all)
      writeFileSync(`${folder}/${process.pid}`, new Uint8Array(some.buffer, 0, some.byteLength), { flag: "a" })
  })
}
