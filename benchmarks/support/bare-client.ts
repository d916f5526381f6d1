/**
 * undici's bare `dispatch` in a process of its own, so that its CPU time and memory can be compared with the tool's.
 *
 *     node bare-client.ts URL CONNECTIONS REQUESTS           as fast as they are answered
 *     node bare-client.ts URL CONNECTIONS REQUESTS RATE      RATE a second, by a timer
 */
import { bareAnswer, bareAnswers, bareClient, rowRequest } from "./Bare.ts"

const [url = "", connections, requests, rate] = process.argv.slice(2)
const { origin, requestOf } = rowRequest(url)

/** Sends at each millisecond what is due by then; nothing is sent while all connections are taken. */
const paced = async (count: number, perSecond: number): Promise<void> => {
  const free = Array.from({ length: Number(connections) }, () => bareClient(origin))
  const answers: Array<Promise<void>> = []
  const startedAt = performance.now()
  while (answers.length < count) {
    const due = Math.min(count, ((performance.now() - startedAt) * perSecond) / 1_000)
    while (answers.length < due) {
      const client = free.pop()
      if (client === undefined) break
      answers.push(bareAnswer(client, requestOf(answers.length)).then(() => void free.push(client)))
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(answers)
  await Promise.all(free.map((client) => client.close()))
}

if (rate === undefined) await bareAnswers(origin, Number(requests), Number(connections), requestOf)
else await paced(Number(requests), Number(rate))
