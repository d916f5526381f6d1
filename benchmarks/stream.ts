/**
 * Events of streamed answers through one process: what the library makes of them, and what passes through `serve`, next to
 * undici's bare `dispatch` that reads the same streams and counts their bytes. Each event is a chunk of HTTP.
 */
import { Effect, Layer, Stream } from "effect"
import { DispatchedGenAiClient, GenAiClient, Http1Transport, Transport, type WireRequest } from "../src/index.ts"
import { config, endpoint } from "../test/support/Config.ts"
import { type BareRequest, bareClient, bareDispatch } from "./support/Bare.ts"
import type { Benchmark, Case, Measurement } from "./support/Benchmark.ts"
import { measure, usageOf } from "./support/Measure.ts"
import { startEventEndpoint, withService } from "./support/Tool.ts"

interface Context {
  readonly origin: string
}

/** Of one answer, before its last three. */
const EVENTS = 500

interface Load {
  readonly streams: number
  readonly concurrency: number
}

const REQUEST: BareRequest = {
  path: "/v1/chat/completions",
  headers: ["content-type", "application/json"],
  body: JSON.stringify({ model: "model-1", stream: true, messages: [{ role: "user", content: "hi" }] })
}

/** Reads all streams; an error if one of them has fewer events or no end. */
type Way = (origin: string, load: Load) => Promise<void>

/** No event is shorter. */
const LEAST_BYTES = 100
const DONE = "data: [DONE]\n\n"

const bare: Way = async (origin, { concurrency, streams }) => {
  let left = streams
  const one = async (client: ReturnType<typeof bareClient>) => {
    let bytes = 0
    let tail = ""
    await bareDispatch(client, REQUEST, (chunk) => {
      bytes += chunk.length
      tail = `${tail}${chunk.toString("latin1", Math.max(0, chunk.length - DONE.length))}`.slice(-DONE.length)
    })
    if (bytes < EVENTS * LEAST_BYTES || tail !== DONE) {
      throw new Error(`A stream of ${bytes} bytes ends with ${tail}`)
    }
  }
  const place = async () => {
    const client = bareClient(origin)
    while (left-- > 0) await one(client)
    await client.close()
  }
  await Promise.all(Array.from({ length: concurrency }, place))
}

const times = <E, R>(one: Effect.Effect<void, E, R>, { concurrency, streams }: Load) => {
  let left = streams
  const place = Effect.whileLoop({ while: () => left-- > 0, body: () => one, step: () => {} })
  return Effect.all(
    Array.from({ length: concurrency }, () => place),
    { concurrency: "unbounded", discard: true }
  )
}

const transport: Way = (origin, load) => {
  const request: WireRequest = {
    ...REQUEST,
    method: "POST",
    origin,
    timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 }
  }
  return Effect.gen(function* () {
    const { open } = yield* Transport
    const one = Effect.scoped(
      Effect.gen(function* () {
        const { body } = yield* open(request)
        let bytes = 0
        yield* Stream.runForEachArray(body, (chunks) =>
          Effect.sync(() => {
            for (const chunk of chunks) bytes += chunk.length
          })
        )
        if (bytes < EVENTS * LEAST_BYTES) return yield* Effect.die(new Error(`A stream has ${bytes} bytes`))
      })
    )
    yield* times(one, load)
  }).pipe(Effect.provide(Http1Transport.layer), Effect.runPromise)
}

const client: Way = (origin, load) =>
  Effect.gen(function* () {
    const { stream } = yield* GenAiClient
    const one = Effect.suspend(() => {
      let deltas = 0
      return Stream.runForEachArray(stream({ messages: [{ role: "user", content: "hi" }] }), (events) =>
        Effect.sync(() => {
          for (const { _tag } of events) if (_tag === "TextDelta") deltas++
        })
      ).pipe(Effect.tap(() => (deltas === EVENTS ? Effect.void : Effect.die(new Error(`${deltas} events`)))))
    })
    yield* times(one, load)
  }).pipe(
    Effect.provide(
      DispatchedGenAiClient.layer(config([endpoint({ name: "events", baseUrl: new URL(`${origin}/v1`) })])).pipe(
        Layer.provide(Http1Transport.layer)
      )
    ),
    Effect.runPromise
  )

const loadOf = (concurrency: number, quick: boolean): Load => ({ concurrency, streams: quick ? 100 : 1_500 })

const inThisProcess = async (way: Way, origin: string, load: Load): Promise<Measurement> => {
  // The first are for the compiler.
  await way(origin, { ...load, streams: Math.ceil(load.streams / 5) })
  return measure(async () => {
    await way(origin, load)
    return load.streams * EVENTS
  })
}

/** CPU time and memory are the service's. */
const served = (endpointOrigin: string, load: Load): Promise<Measurement> =>
  withService(endpointOrigin, async ({ origin, pid }) => {
    await bare(origin, { ...load, streams: Math.ceil(load.streams / 5) })
    const before = await usageOf(pid)
    const startedAt = performance.now()
    await bare(origin, load)
    const seconds = (performance.now() - startedAt) / 1_000
    const after = await usageOf(pid)
    return {
      operations: load.streams * EVENTS,
      seconds,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      peakRssBytes: after.peakRssBytes
    }
  })

const CONCURRENCY = [16, 256]
const BARE = "undici dispatch, bare"
const CLIENT = "library: GenAiClient.stream"
const SERVE = "serve"
const LEAST_PER_SECOND = 100_000
const nameOf = (way: string, concurrency: number): string => `${way}, ${concurrency} at once`

const cases = CONCURRENCY.flatMap((concurrency): ReadonlyArray<Case<Context>> => {
  const group = `${concurrency} at once`
  const reads = (name: string, way: Way): Case<Context> => ({
    name: nameOf(name, concurrency),
    group,
    isBaseline: name === BARE,
    run: ({ context, quick }) => inThisProcess(way, context.origin, loadOf(concurrency, quick))
  })
  return [
    reads(BARE, bare),
    reads("library: Http1Transport.open", transport),
    reads(CLIENT, client),
    {
      name: nameOf(SERVE, concurrency),
      group,
      run: ({ context, quick }) => served(context.origin, loadOf(concurrency, quick))
    }
  ]
})

export const benchmark: Benchmark<Context> = {
  name: "stream",
  workload:
    `1,500 streams of ${EVENTS} events, 16 and 256 at once, from an endpoint in a process of its own that sends as fast as ` +
    "it is read; through `serve` bare undici is the reader, and CPU and memory are the service's",
  operation: "event",
  setup: async () => {
    const { close, url } = await startEventEndpoint(EVENTS)
    return { context: { origin: url }, close }
  },
  cases,
  charts: [
    { title: "events per second", of: "perSecond", limit: LEAST_PER_SECOND },
    { title: "CPU microseconds per event", of: "cpuMicros" }
  ],
  targets: [CLIENT, SERVE].flatMap((way) =>
    CONCURRENCY.map((concurrency) => ({
      claim: `${nameOf(way, concurrency)}: at least 100,000 SSE events/s through one process`,
      figure: (summary) => summary.rate(nameOf(way, concurrency)),
      atLeast: LEAST_PER_SECOND
    }))
  )
}
