/** Services of jobs over one memory, with a client that does what the test says. */
import { Effect, Redacted, Scope, Stream } from "effect"
import type { ChatEvent } from "../../../src/domain/genai/ChatEvent.ts"
import { ConnectionFailed, GenAiError, type GenAiErrorReason } from "../../../src/domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../../src/domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../../src/domain/genai/GenAiResponse.ts"
import { ModelRoutes } from "../../../src/domain/server/ModelRoutes.ts"
import * as DurableJobs from "../../../src/layers/jobs/DurableJobs.ts"
import * as MemoryJobStore from "../../../src/layers/jobs/MemoryJobStore.ts"
import * as SqliteJobStore from "../../../src/layers/jobs/SqliteJobStore.ts"
import { GenAiClient, type GenerateOptions } from "../../../src/services/GenAiClient.ts"
import { JobStore, JobStoreError } from "../../../src/services/JobStore.ts"

export const request = (text: string): GenAiRequest => ({ messages: [{ role: "user", content: text }] })

/** What was asked, as the answers of the tests repeat it. */
export const asked = ({ messages }: GenAiRequest): string => String(messages[0]?.content)

export const answer = (text: string): GenAiAnswer => ({
  text,
  finishReason: "stop",
  model: "m",
  usage: undefined,
  endpoint: "east",
  attempts: 1,
  latencyMs: 5
})

export const failure = (reason: GenAiErrorReason = new ConnectionFailed({ code: "ECONNRESET" })): GenAiError =>
  new GenAiError({ message: "It did not work.", reason, endpoint: "east", attempts: 1 })

export interface Script {
  readonly generate?: (request: GenAiRequest) => Effect.Effect<GenAiAnswer, GenAiError>
  readonly stream?: (request: GenAiRequest, options?: GenerateOptions) => Stream.Stream<ChatEvent, GenAiError>
}

/** Counts what runs and what was aborted. */
export const fakeClient = ({
  generate = (request) => Effect.succeed(answer(asked(request))),
  stream = () => Stream.empty
}: Script) => {
  const seen = { sent: 0, running: 0, most: 0, aborted: 0 }
  const client: GenAiClient["Service"] = {
    generate: (request) =>
      Effect.suspend(() => {
        seen.sent++
        seen.running++
        seen.most = Math.max(seen.most, seen.running)
        return generate(request)
      }).pipe(
        Effect.onInterrupt(() => Effect.sync(() => seen.aborted++)),
        Effect.ensuring(Effect.sync(() => seen.running--))
      ),
    stream,
    stats: Effect.succeed([]),
    drain: () => Effect.succeed(true)
  }
  return { client, seen }
}

export const models = new ModelRoutes(
  [{ name: "east", kind: "openai", model: "m", baseUrl: new URL("http://east.test"), parameters: {} }],
  new Map()
)

export interface SqliteFile {
  readonly file: string
}

export interface InstanceOptions extends Script {
  /** What is kept, in memory or in a file; processes may share it. */
  readonly memory: MemoryJobStore.Memory | SqliteFile
  readonly name?: string
  readonly concurrency?: number
  readonly maxPending?: number
  readonly allowPrivate?: boolean
  /** Changes what the store does. */
  readonly wrap?: (store: JobStore["Service"]) => JobStore["Service"]
}

/** One process of the service. Lives until `scope` closes, which a crash does not do. */
export const instance = Effect.fnUntraced(function* (options: InstanceOptions) {
  const scope = yield* Scope.make()
  const { client, seen } = fakeClient(options)
  const { wrap = (store) => store } = options
  const { memory, name = "one" } = options
  const store = wrap(
    "file" in memory
      ? yield* SqliteJobStore.make({ file: memory.file, instance: name, lock: false })
      : MemoryJobStore.make(name, memory)
  )
  const jobs = yield* DurableJobs.make({
    jobs: { concurrency: options.concurrency ?? 10, maxPending: options.maxPending ?? 10_000, ttlMs: 3_600_000 },
    webhooks: { secret: Redacted.make("secret"), allowPrivate: options.allowPrivate ?? false, maxAttempts: 3 },
    models,
    maxAttempts: 3
  }).pipe(Effect.provideService(JobStore, store), Effect.provideService(GenAiClient, client), Scope.provide(scope))
  return { jobs, seen, scope, store }
})

export const storeDown = new JobStoreError({ message: "The store is away.", isTransient: true })
