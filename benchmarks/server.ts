/**
 * What a request through the HTTP service costs, against node:http that answers by itself and against the Portkey gateway
 * (`npm ci --prefix benchmarks`). Needs nginx (the endpoint) and wrk (the clients), as Debian has them.
 */
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { Pool } from "undici"
import type { Benchmark, Case, Measurement } from "./support/Benchmark.ts"
import { usageOf } from "./support/Measure.ts"
import { BYTES_PER_EVENT, freePort, STREAMED_EVENTS, startNginx, untilAnswered } from "./support/nginx.ts"

interface Context {
  readonly plainUrl: string
  readonly streamUrl: string
}

interface Server {
  readonly port: number
  readonly pid: number
  readonly close: () => Promise<void>
}

const SERVER = fileURLToPath(new URL("./support/server-process.ts", import.meta.url))
const PORTKEY = fileURLToPath(new URL("./node_modules/@portkey-ai/gateway/build/start-server.js", import.meta.url))
const PATH = "/v1/chat/completions"

const start = async (how: "bare" | "service", url = ""): Promise<Server> => {
  const child = spawn(process.execPath, [SERVER, how, url], { stdio: ["pipe", "pipe", "inherit"] })
  const ended = once(child, "close")
  const [port] = await once(child.stdout, "data")
  return {
    port: Number(String(port)),
    pid: child.pid!,
    close: async () => {
      child.stdin.end()
      await ended
    }
  }
}

const startPortkey = async (): Promise<Server> => {
  const port = await freePort()
  const child = spawn(process.execPath, [PORTKEY, `--port=${port}`, "--headless"], { stdio: "ignore" })
  const ended = once(child, "close")
  await untilAnswered(`http://127.0.0.1:${port}/`)
  return {
    port,
    pid: child.pid!,
    close: async () => {
      child.kill("SIGTERM")
      await ended
    }
  }
}

const run = promisify(execFile)

const body = (stream: boolean) =>
  JSON.stringify({ model: "model-1", stream, messages: [{ role: "user", content: "word ".repeat(50) }] })

/** What wrk got proper answers to. */
interface Got {
  readonly requests: number
  /** Those of answers that had not ended are among them. */
  readonly bytes: number
}

const wrk = async (
  port: number,
  load: { readonly connections: number; readonly seconds: number; readonly stream: boolean },
  headers: Readonly<Record<string, string>>
): Promise<Got> => {
  const folder = await mkdtemp(join(tmpdir(), "wrk-"))
  try {
    const lines = Object.entries({ "content-type": "application/json", ...headers }).map(
      ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`
    )
    const script = join(folder, "post.lua")
    await writeFile(script, ['wrk.method = "POST"', `wrk.body = '${body(load.stream)}'`, ...lines].join("\n"))
    const { stdout } = await run("wrk", [
      "-t1",
      `-c${load.connections}`,
      `-d${load.seconds}s`,
      "--timeout=10s",
      "-s",
      script,
      `http://127.0.0.1:${port}${PATH}`
    ])
    if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout)
    const [, requests, size, unit] = /(\d+) requests in [^,]+, ([\d.]+)([KMG]?)B read/.exec(stdout) ?? []
    return { requests: Number(requests), bytes: Number(size) * 1_024 ** " KMG".indexOf(unit || " ") }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface Load {
  readonly connections: number
  readonly stream: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Until so many requests, or bytes of streams, have gone through, what is measured is the compiler. */
const WARM_REQUESTS = 20_000
const WARM_BYTES = 100_000_000

/** A server may be too slow, or the machine too busy, for that. */
const MOST_WARM_SECONDS = 15

const warm = async (port: number, quick: boolean, load: Load): Promise<void> => {
  let requests = 0
  let bytes = 0
  for (let second = 0; second < (quick ? 1 : MOST_WARM_SECONDS); second++) {
    const got = await wrk(port, { ...load, seconds: 1 }, load.headers ?? {})
    requests += got.requests
    bytes += got.bytes
    if (load.stream ? bytes > WARM_BYTES : requests > WARM_REQUESTS) return
  }
}

/** Warms up, then measures the server's own time and memory. */
const loaded = async (server: Server, quick: boolean, load: Load): Promise<Measurement> => {
  try {
    await warm(server.port, quick, load)
    const before = await usageOf(server.pid)
    const startedAt = performance.now()
    const { bytes, requests } = await wrk(server.port, { ...load, seconds: quick ? 1 : 8 }, load.headers ?? {})
    const seconds = (performance.now() - startedAt) / 1_000
    const after = await usageOf(server.pid)
    return {
      // wrk counts whole answers only, and a stream is long.
      operations: load.stream ? Math.round(bytes / BYTES_PER_EVENT) : requests,
      seconds,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      peakRssBytes: after.peakRssBytes
    }
  } finally {
    await server.close()
  }
}

const plain = (connections: number): ReadonlyArray<Case<Context>> => {
  const load = { connections, stream: false }
  const group = `${connections} connections`
  const cases: Array<Case<Context>> = [
    {
      name: `node:http, bare, ${connections}`,
      group,
      isBaseline: true,
      run: async ({ quick }) => loaded(await start("bare"), quick, load)
    },
    {
      name: `service, ${connections}`,
      group,
      run: async ({ context, quick }) => loaded(await start("service", context.plainUrl), quick, load)
    }
  ]
  if (existsSync(PORTKEY)) {
    cases.push({
      name: `Portkey gateway, ${connections}`,
      group,
      run: async ({ context, quick }) =>
        loaded(await startPortkey(), quick, {
          ...load,
          headers: {
            authorization: "Bearer none",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": context.plainUrl
          }
        })
    })
  }
  return cases
}

const streamed = (connections: number): Case<Context> => ({
  name: `service, events, ${connections}`,
  group: "events",
  run: async ({ context, quick }) =>
    loaded(await start("service", context.streamUrl), quick, { connections, stream: true })
})

/** One request each millisecond; the median time of an answer, in milliseconds. */
const medianMs = async (origin: string, path: string, requests: number): Promise<number> => {
  const pool = new Pool(origin, { connections: 64, pipelining: 1 })
  const times: Array<number> = []
  const one = async () => {
    const startedAt = performance.now()
    const headers = { "content-type": "application/json" }
    const answer = await pool.request({ method: "POST", path, headers, body: body(false) })
    await answer.body.dump()
    times.push(performance.now() - startedAt)
  }
  const startedAt = performance.now()
  const all: Array<Promise<void>> = []
  while (all.length < requests) {
    const due = Math.min(requests, Math.floor(performance.now() - startedAt))
    while (all.length < due) all.push(one())
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(all)
  await pool.close()
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
}

const latency: Case<Context> = {
  name: "service, 1,000/s",
  group: "latency",
  run: async ({ context, quick }) => {
    const server = await start("service", context.plainUrl)
    try {
      const requests = quick ? 1_000 : 5_000
      const { origin, pathname } = new URL(context.plainUrl)
      const through = () => medianMs(`http://127.0.0.1:${server.port}`, PATH, requests)
      await through()
      const before = await usageOf(server.pid)
      const startedAt = performance.now()
      const withService = await through()
      const seconds = (performance.now() - startedAt) / 1_000
      const after = await usageOf(server.pid)
      const direct = await medianMs(origin, `${pathname}/chat/completions`, requests)
      return {
        operations: requests,
        seconds,
        cpuSeconds: after.cpuSeconds - before.cpuSeconds,
        peakRssBytes: after.peakRssBytes,
        figures: { addedP50Ms: withService - direct, directP50Ms: direct }
      }
    } finally {
      await server.close()
    }
  }
}

const CONNECTIONS = [64, 256] as const

export const benchmark: Benchmark<Context> = {
  name: "server",
  workload:
    "POST /v1/chat/completions, 300 bytes in and 450 out, by wrk over 64 and 256 connections, through to nginx; " +
    `streams of ${STREAMED_EVENTS} events; CPU and memory are the server's own`,
  operation: "request or event",
  setup: async () => {
    const { close, plainUrl, streamUrl } = await startNginx()
    return { context: { plainUrl, streamUrl }, close }
  },
  cases: [...CONNECTIONS.flatMap(plain), streamed(16), streamed(256), latency],
  targets: [
    ...(existsSync(PORTKEY) ? CONNECTIONS : []).map((connections) => ({
      claim: `at least 5 x the Portkey gateway's rate at ${connections} connections`,
      figure: (summary: { readonly ratio: (name: string, other: string) => number }) =>
        summary.ratio(`service, ${connections}`, `Portkey gateway, ${connections}`),
      atLeast: 5
    })),
    {
      claim: "adds less than 1 ms to the median answer at 1,000 requests/s",
      figure: (summary) => summary.figure("service, 1,000/s", "addedP50Ms"),
      atMost: 1
    },
    {
      claim: "at least 100,000 SSE events/s through one process",
      figure: (summary) => summary.rate("service, events, 16"),
      atLeast: 100_000
    }
  ]
}
