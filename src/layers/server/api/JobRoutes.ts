/** Jobs over HTTP, and the request that waits for its answer. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Stream from "effect/Stream"
import { type Asked, readGenerateBody } from "../../../domain/jobs/GenerateBody.ts"
import { JobId, type JobResult } from "../../../domain/jobs/Job.ts"
import { jobResult } from "../../../domain/jobs/JobAnswers.ts"
import { publicJob } from "../../../domain/jobs/PublicJob.ts"
import { placeRequest } from "../../../domain/server/PlaceRequest.ts"
import { draining, Problem } from "../../../domain/server/Problem.ts"
import { noteAnswer, noteFailure, noteSend, type RequestRecord } from "../../../domain/server/RequestRecord.ts"
import { MAX_SESSION_LENGTH, sessionIn, sessionOf, tooLong } from "../../../domain/server/Session.ts"
import { type Caller, forbids } from "../Auth.ts"
import { orProblem } from "./Answers.ts"
import { Api } from "./Api.ts"
import { ControlPlane, callerOf, jsonBodyOf, recordOf } from "./ControlPlane.ts"
import { sseResponse } from "./JobStream.ts"

/** Who asks for what: the key first, so that nobody without one has a body read. */
const readAsked = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const { models, state } = yield* ControlPlane
  if (state.isDraining) return yield* draining
  const caller = yield* callerOf(request, "admit")
  const read = yield* Effect.fromResult(readGenerateBody(yield* jsonBodyOf(request)))
  const asked = { ...read, session: read.session ?? sessionIn(request.headers["x-session-id"]) }
  if ((asked.session?.length ?? 0) > MAX_SESSION_LENGTH) return yield* tooLong
  yield* checkModel(caller, asked.model)
  if (caller.models !== undefined && asked.request.body !== undefined) return yield* bodyNotAllowed
  const place = yield* Effect.fromResult(placeRequest(models, asked.model, asked.request))
  if (asked.model !== undefined && models.names.includes(asked.model)) recordOf(request).model = asked.model
  return { caller, asked, place }
})

/** It is sent as it is, so that it may name any model. */
const bodyNotAllowed = new Problem({
  kind: "Forbidden",
  code: "body_not_allowed",
  field: "body",
  message: "body: this API key may use certain models only; send input or messages instead."
})

const checkModel = (caller: Caller, model: string | undefined): Effect.Effect<void, Problem> => {
  if (model === undefined && caller.models !== undefined) {
    return Effect.fail(
      new Problem({
        kind: "InvalidRequest",
        field: "model",
        message: `model: name one; this API key may use ${[...caller.models].join(", ")}.`
      })
    )
  }
  const problem = model === undefined ? undefined : forbids(caller, model)
  return problem === undefined ? Effect.void : Effect.fail(problem)
}

const generate = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
  const { jobs } = yield* ControlPlane
  const { asked, caller } = yield* readAsked(request)
  const key = request.headers["idempotency-key"]
  if (key !== undefined && (key === "" || key.length > 255)) {
    return yield* new Problem({
      kind: "InvalidRequest",
      field: "idempotency-key",
      message: "idempotency-key: expected 1 to 255 characters."
    })
  }
  const { job } = yield* jobs.submit({
    owner: caller.name,
    request: asked.request,
    model: asked.model,
    session: asked.session,
    stream: asked.stream,
    idempotencyKey: key,
    webhookUrl: asked.webhook
  })
  return HttpServerResponse.jsonUnsafe({ job_id: job.id }, { status: 202, headers: { location: `/jobs/${job.id}` } })
})

/** Only jobs have these. */
const refuseJobFields = ({ stream, webhook }: Asked): Effect.Effect<void, Problem> => {
  const field = webhook !== undefined ? "webhook" : stream ? "stream" : undefined
  if (field === undefined) return Effect.void
  return Effect.fail(
    new Problem({ kind: "InvalidRequest", field, message: `${field}: only POST /generate knows it; this route waits.` })
  )
}

const submit = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest
): Effect.fn.Return<JobResult, Problem, ControlPlane> {
  const { client, overload, telemetry } = yield* ControlPlane
  const { asked, caller, place } = yield* readAsked(request)
  yield* refuseJobFields(asked)
  const record = recordOf(request)
  const work = client
    .generate(place.request, {
      session: sessionOf(caller.name, asked.session),
      exclude: place.exclude,
      onFull: "fail",
      onSend: (endpoint) => noteSend(record, endpoint)
    })
    .pipe(
      Effect.tapError((error) => Effect.sync(() => noteFailure(record, error))),
      Effect.catch((error) => Effect.flatMap(overload.problemOf(error, place.exclude), Effect.fail))
    )
  const answer = yield* telemetry.traced(record, work)
  noteAnswer(record, answer)
  return jobResult(answer)
})

/** The first of a streamed answer goes out. */
const begun = (record: RequestRecord): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    record.isStreamed = true
    record.firstByteMs = Math.max(0, now - record.startedAtMs)
  })

const DEFAULT_LIMIT = 100

export const layer = HttpApiBuilder.group(Api, "jobs", (handlers) =>
  handlers
    .handleRaw("generate", ({ request }) => orProblem(request, generate(request)))
    .handleRaw("submit", ({ request }) => orProblem(request, submit(request)))
    .handle("getJob", ({ params, request }) =>
      orProblem(
        request,
        Effect.gen(function* () {
          const { jobs } = yield* ControlPlane
          const caller = yield* callerOf(request, "identify")
          return publicJob(yield* jobs.get(caller.name, JobId.make(params.id)))
        })
      )
    )
    .handle("listJobs", ({ query, request }) =>
      orProblem(
        request,
        Effect.gen(function* () {
          const { jobs } = yield* ControlPlane
          const caller = yield* callerOf(request, "identify")
          const limit = query.limit ?? DEFAULT_LIMIT
          const page = yield* jobs.list(caller.name, {
            status: query.status,
            before: query.before === undefined ? undefined : JobId.make(query.before),
            limit
          })
          const last = page.at(-1)
          return { jobs: page.map(publicJob), ...(page.length < limit || last === undefined ? {} : { next: last.id }) }
        })
      )
    )
    .handle("cancelJob", ({ params, request }) =>
      orProblem(
        request,
        Effect.gen(function* () {
          const { jobs } = yield* ControlPlane
          const caller = yield* callerOf(request, "identify")
          return publicJob(yield* jobs.cancel(caller.name, JobId.make(params.id)))
        })
      )
    )
    .handle("followJob", ({ params, request }) =>
      orProblem(
        request,
        Effect.gen(function* () {
          const { jobs } = yield* ControlPlane
          const caller = yield* callerOf(request, "identify")
          const id = JobId.make(params.id)
          // A job that is not there is said so before the stream begins.
          yield* jobs.get(caller.name, id)
          const record = recordOf(request)
          return sseResponse(
            record,
            Stream.onFirst(jobs.events(caller.name, id), () => begun(record))
          )
        })
      )
    )
)
