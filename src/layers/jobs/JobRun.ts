/** Makes the answer of one job: whole, or piece by piece. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { ChatEvent } from "../../domain/genai/ChatEvent.ts"
import { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiAnswer, Usage } from "../../domain/genai/GenAiResponse.ts"
import type { Job, JobOutcome } from "../../domain/jobs/Job.ts"
import { jobFailure, jobResult } from "../../domain/jobs/JobAnswers.ts"
import type { ModelRoutes } from "../../domain/server/ModelRoutes.ts"
import { type Place, placeRequest } from "../../domain/server/PlaceRequest.ts"
import { sessionOf } from "../../domain/server/Session.ts"
import type { GenAiClient } from "../../services/GenAiClient.ts"
import type { Claim } from "../../services/JobStore.ts"
import type { JobWatch } from "./JobWatch.ts"

export interface JobRunParts {
  readonly client: GenAiClient["Service"]
  readonly models: ModelRoutes
  /** Most streams of one job that break off and are begun again; at least 1. */
  readonly maxAttempts: number
}

/** `GivenBack`: the client shuts down, so the job is for the next start. */
export type RunEnd = JobOutcome | { readonly status: "GivenBack" }

/** Never fails: whatever happens to the request is an end of the job. */
export const runJob = (
  parts: JobRunParts,
  { job, request }: Pick<Claim, "job" | "request">,
  watch: JobWatch
): Effect.Effect<RunEnd> =>
  Effect.suspend(() => {
    const placed = placeRequest(parts.models, job.model, request)
    if (Result.isFailure(placed)) {
      // The configuration is another one than when the job was accepted.
      const { message } = placed.failure
      return Effect.succeed<RunEnd>({ status: "Failed", failure: { message, reason: "NotFound", attempts: 0 } })
    }
    const answer = job.stream
      ? streamed(parts, job, placed.success, watch)
      : parts.client.generate(placed.success.request, {
          session: sessionOf(job.owner, job.session),
          exclude: placed.success.exclude
        })
    return answer.pipe(
      Effect.map((answer): RunEnd => ({ status: "Completed", result: jobResult(answer) })),
      Effect.catch((error) => Effect.succeed(endOf(error))),
      Effect.catchDefect((defect) =>
        Effect.as(Effect.logError(`Job ${job.id} broke the service`, defect), {
          status: "Failed",
          failure: { message: "The service failed at this job; its log says more.", reason: "Internal", attempts: 0 }
        } satisfies RunEnd)
      )
    )
  })

const endOf = (error: GenAiError): RunEnd =>
  error.reason._tag === "Rejected" && error.reason.cause === "Draining"
    ? { status: "GivenBack" }
    : { status: "Failed", failure: jobFailure(error) }

/** What is known of a streamed answer while it comes. */
interface Progress {
  endpoint: string
  attempts: number
  usage: Usage | undefined
  finishReason: string | undefined
  model: string | undefined
}

/**
 * The client tries until an answer has begun; one that breaks off after that is begun again here, since nobody has had it
 * as his answer yet: followers are told to forget what they have.
 */
const streamed = Effect.fnUntraced(function* (
  { client, maxAttempts }: JobRunParts,
  job: Job,
  { exclude, request }: Place,
  watch: JobWatch
): Effect.fn.Return<GenAiAnswer, GenAiError> {
  const clock = yield* Clock.Clock
  const startedAt = clock.currentTimeMillisUnsafe()
  const progress: Progress = {
    endpoint: "",
    attempts: 0,
    usage: undefined,
    finishReason: undefined,
    model: undefined
  }
  const onSend = (endpoint: string): void => {
    progress.endpoint = endpoint
    progress.attempts++
  }
  for (let run = 1; ; run++) {
    const events = client.stream(request, { session: sessionOf(job.owner, job.session), exclude, onSend })
    const result = yield* Effect.result(
      Stream.runForEach(events, (event) => Effect.sync(() => take(event, progress, watch)))
    )
    if (Result.isSuccess(result)) break
    const error = result.failure
    const hadBegun = watch.pieces.length > 0
    if (!hadBegun || run >= maxAttempts || error.reason.retry === "never") {
      return yield* new GenAiError({ ...fieldsOf(error), attempts: Math.max(error.attempts, progress.attempts) })
    }
    watch.restart()
    progress.usage = undefined
  }
  return {
    text: watch.pieces.join(""),
    finishReason: progress.finishReason,
    model: progress.model,
    usage: progress.usage,
    endpoint: progress.endpoint,
    attempts: progress.attempts,
    latencyMs: clock.currentTimeMillisUnsafe() - startedAt
  }
})

const fieldsOf = ({ endpoint, message, reason }: GenAiError) => ({
  message,
  reason,
  ...(endpoint === undefined ? {} : { endpoint })
})

const take = (event: ChatEvent, progress: Progress, watch: JobWatch): void => {
  switch (event._tag) {
    case "TextDelta":
      watch.add(event.text)
      return
    case "UsageReport":
      progress.usage = event.usage
      return
    case "Finish":
      progress.finishReason = event.finishReason
      progress.model = event.model
      return
    case "RawEvent":
      return
  }
}
