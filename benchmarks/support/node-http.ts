/** node:http that reads a request and answers it by itself, in a process of its own: says its address, ends by SIGTERM. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { ANSWER } from "./nginx.ts"

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.writeHead(200, ["content-type", "application/json", "content-length", String(ANSWER.length)])
    response.end(ANSWER)
  })
})
server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
  process.stdout.write(`serves on http://127.0.0.1:${(server.address() as AddressInfo).port},\n`)
})
