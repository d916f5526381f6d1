/**
 * What a request through `serve` costs, next to node:http that answers by itself and to the Portkey gateway
 * (`npm ci --prefix benchmarks`). Needs nginx (the endpoint) and wrk (the clients), as Debian has them. What streams cost
 * is measured by `stream`.
 */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type BareRequest, bareAnswer, bareClient } from "./support/Bare.ts"
import type { Benchmark, Case, Figures, Measurement } from "./support/Benchmark.ts"
import { withFolder } from "./support/Folder.ts"
import { usageOf } from "./support/Measure.ts"
import { freePort, type Nginx, startNginx, untilAnswered } from "./support/nginx.ts"
import { type Server, startServer, withService } from "./support/Tool.ts"

const NODE_HTTP = fileURLToPath(new URL("./support/node-http.ts", import.meta.url))
const PORTKEY = fileURLToPath(new URL("./node_modules/@portkey-ai/gateway/build/start-server.js", import.meta.url))
const PATH = "/v1/chat/completions"

const using = async <A>(server: Server, use: (server: Server) => Promise<A>): Promise<A> => {
  try {
    return await use(server)
  } finally {
    await server.close()
  }
}

const startPortkey = async (): Promise<Server> => {
  const port = await freePort()
  const server = await startServer([PORTKEY, `--port=${port}`, "--headless"], /()\S/)
  const origin = `http://127.0.0.1:${port}`
  await untilAnswered(`${origin}/`)
  return { ...server, origin }
}

const BODY = JSON.stringify({
  model: "model-1",
  stream: false,
  messages: [{ role: "user", content: "word ".repeat(50) }]
})

const run = promisify(execFile)

interface Load {
  readonly connections: number
  readonly headers?: Readonly<Record<string, string>>
}

/** How many proper answers wrk got. */
const wrk = ({ origin }: Server, { connections, headers }: Load, seconds: number): Promise<number> =>
  withFolder(async (folder) => {
    const lines = Object.entries({ "content-type": "application/json", ...headers }).map(
      ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`
    )
    const script = join(folder, "post.lua")
    await writeFile(script, ['wrk.method = "POST"', `wrk.body = '${BODY}'`, ...lines].join("\n"))
    const flags = ["-t1", `-c${connections}`, `-d${seconds}s`, "--timeout=10s", "-s", script]
    const { stdout } = await run("wrk", [...flags, `${origin}${PATH}`])
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
    return Number(/(\d+) requests in /.exec(stdout)?.[1])
  })

/** Until so many have gone through, what is measured is the compiler. */
const WARM_REQUESTS = 20_000

const SECONDS = 5

/** A server may be too slow, or the machine too busy, for that. */
const MOST_WARM_SECONDS = 10

const warm = async (server: Server, load: Load, quick: boolean): Promise<void> => {
  let requests = 0
  for (let second = 0; requests < WARM_REQUESTS && second < (quick ? 1 : MOST_WARM_SECONDS); second++) {
    requests += await wrk(server, load, 1)
  }
}

/** Warms up, then measures the server's own time and memory. */
const loaded =
  (quick: boolean, load: Load) =>
  async (server: Server): Promise<Measurement> => {
    await warm(server, load, quick)
    const before = await usageOf(server.pid)
    const startedAt = performance.now()
    const operations = await wrk(server, load, quick ? 3 : SECONDS)
    const seconds = (performance.now() - startedAt) / 1_000
    const after = await usageOf(server.pid)
    if (operations === 0) throw new Error(`No answer came from ${server.origin} within ${seconds} s`)
    return {
      operations,
      seconds,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      peakRssBytes: after.peakRssBytes
    }
  }

const bareName = (connections: number) => `node:http, bare, ${connections} connections`
const serveName = (connections: number) => `serve, ${connections} connections`
const portkeyName = (connections: number) => `Portkey gateway, ${connections} connections`

const plain = (connections: number): ReadonlyArray<Case<Nginx["context"]>> => {
  const load = { connections }
  const group = `${connections} connections`
  const cases: ReadonlyArray<Case<Nginx["context"]>> = [
    {
      name: bareName(connections),
      group,
      isBaseline: true,
      run: async ({ quick }) => using(await startServer([NODE_HTTP], /serves on (\S+),/), loaded(quick, load))
    },
    {
      name: serveName(connections),
      group,
      run: ({ context, quick }) => withService(context.url, loaded(quick, load))
    }
  ]
  // Installed by itself; without it the comparison is left out, and not taken for met.
  if (!existsSync(PORTKEY)) return cases
  const portkey: Case<Nginx["context"]> = {
    name: portkeyName(connections),
    group,
    run: async ({ context, quick }) => {
      const headers = {
        authorization: "Bearer none",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": context.url
      }
      return using(await startPortkey(), loaded(quick, { connections, headers }))
    }
  }
  return [...cases, portkey]
}

const RATE_PER_MS = 1

/**
 * An open loop: a request is due each millisecond, whether or not those before it have been answered. Gives the times from
 * when they were due until their answers were there, in milliseconds, in order.
 */
const answerTimes = async (url: string, requests: number): Promise<ReadonlyArray<number>> => {
  const { origin, pathname } = new URL(url)
  const request: BareRequest = { path: pathname, headers: ["content-type", "application/json"], body: BODY }
  const free: Array<ReturnType<typeof bareClient>> = []
  const times: Array<number> = []
  const one = async (dueAt: number) => {
    const client = free.pop() ?? bareClient(origin)
    if (!(await bareAnswer(client, request)).includes("choices")) throw new Error("That is no answer")
    times.push(performance.now() - dueAt)
    free.push(client)
  }
  const startedAt = performance.now()
  const all: Array<Promise<void>> = []
  while (all.length < requests) {
    const due = Math.min(requests, (performance.now() - startedAt) * RATE_PER_MS)
    while (all.length < due) all.push(one(startedAt + all.length / RATE_PER_MS))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(all)
  await Promise.all(free.map((client) => client.close()))
  return times.sort((a, b) => a - b)
}

const quantile = (sorted: ReadonlyArray<number>, q: number): number => sorted[Math.floor(q * sorted.length)]!

/** The same client sends to nginx directly and through `serve`, in turn; what the client itself takes is in both. */
const LATENCY = "serve, 1,000 requests/s"
const ROUNDS = 4

const latency: Case<Nginx["context"]> = {
  name: LATENCY,
  group: "latency",
  run: ({ context: { url }, quick }) =>
    withService(url, async (service) => {
      const { origin, pid } = service
      await warm(service, { connections: 64 }, quick)
      const requests = quick ? 500 : 3_000
      const through = () => answerTimes(`${origin}${PATH}`, requests)
      const directly = () => answerTimes(`${url}/chat/completions`, requests)
      await directly()
      const [direct, served]: [Array<number>, Array<number>] = [[], []]
      let [cpuSeconds, seconds] = [0, 0]
      for (let round = 0; round < ROUNDS; round++) {
        direct.push(...(await directly()))
        const before = await usageOf(pid)
        const startedAt = performance.now()
        served.push(...(await through()))
        seconds += (performance.now() - startedAt) / 1_000
        cpuSeconds += (await usageOf(pid)).cpuSeconds - before.cpuSeconds
      }
      direct.sort((a, b) => a - b)
      served.sort((a, b) => a - b)
      return {
        operations: requests * ROUNDS,
        seconds,
        cpuSeconds,
        peakRssBytes: (await usageOf(pid)).peakRssBytes,
        figures: {
          addedP50Ms: quantile(served, 0.5) - quantile(direct, 0.5),
          addedP99Ms: quantile(served, 0.99) - quantile(direct, 0.99),
          directP50Ms: quantile(direct, 0.5),
          directP99Ms: quantile(direct, 0.99)
        }
      }
    })
}

/** As `serve` is by default; the endpoint and the other servers write none. */
const logged: Case<Nginx["context"]> = {
  name: `${serveName(64)}, a line for each request`,
  group: "64 connections",
  run: ({ context, quick }) => withService(context.url, loaded(quick, { connections: 64 }), "json")
}

const CONNECTIONS = [64, 256]

export const benchmark: Benchmark<Nginx["context"]> = {
  name: "server",
  workload:
    "POST /v1/chat/completions, 300 bytes in and 450 out, by wrk over 64 and 256 connections for 5 s, through to nginx (bare " +
    "node:http answers by itself); CPU and memory are the server's own",
  operation: "request",
  setup: startNginx,
  cases: [...plain(64), logged, ...plain(256), latency],
  charts: [
    { title: "requests per second", of: "perSecond", except: [LATENCY] },
    { title: "CPU microseconds per request", of: "cpuMicros", except: [LATENCY] },
    { title: "median of the time that is added at 1,000 requests/s, ms", of: "addedP50Ms", limit: 1 }
  ],
  targets: [
    ...(existsSync(PORTKEY) ? CONNECTIONS : []).map((connections) => ({
      claim: `at least 5 x the Portkey gateway's rate at ${connections} connections`,
      figure: (summary: Figures) => summary.ratio(serveName(connections), portkeyName(connections)),
      atLeast: 5
    })),
    {
      claim: "adds less than 1 ms to the median answer at 1,000 requests/s",
      figure: (summary) => summary.figure(LATENCY, "addedP50Ms"),
      atMost: 1
    }
  ]
}
