/**
 * undici's bare `dispatch` in a process of its own, so that its CPU time and memory can be compared with the tool's.
 *
 *     node bare-client.ts URL CONNECTIONS REQUESTS           as fast as they are answered
 *     node bare-client.ts URL CONNECTIONS REQUESTS RATE      RATE a second, by a timer
 */
import { bareAnswer, bareAnswers, bareClient, rowRequest } from "./Bare.ts"
import { paced } from "./Pace.ts"

const [url = "", connections, requests, rate] = process.argv.slice(2)
const { origin, requestOf } = rowRequest(url)

if (rate === undefined) {
  await bareAnswers(origin, Number(requests), Number(connections), requestOf)
} else {
  const clients = Array.from({ length: Number(connections) }, () => bareClient(origin))
  await paced([...clients], Number(requests), Number(rate), (client, row) => bareAnswer(client, requestOf(row)))
  await Promise.all(clients.map((client) => client.close()))
}
