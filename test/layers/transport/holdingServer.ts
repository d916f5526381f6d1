/** Holds every request until as many are there as the first argument says, then answers each with its own body. */
import * as Http from "node:http"
import { readBody } from "./servers.ts"

const count = Number(process.argv[2])
const held: Array<() => void> = []

const server = Http.createServer(async (request, response) => {
  const body = await readBody(request)
  held.push(() => response.end(body))
  if (held.length === count) for (const answer of held) answer()
})

server.listen(0, "127.0.0.1", 10_000, () => {
  const address = server.address()
  process.send?.(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`)
})
process.on("disconnect", () => process.exit())
