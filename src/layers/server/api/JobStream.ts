/** The events of a job as server-sent events. */
import * as Duration from "effect/Duration"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { publicJob } from "../../../domain/jobs/PublicJob.ts"
import { type Problem, wordOf } from "../../../domain/server/Problem.ts"
import { problemBody } from "../../../domain/server/ProblemBody.ts"
import type { RequestRecord } from "../../../domain/server/RequestRecord.ts"
import type { JobEvent } from "../../../services/Jobs.ts"

/** A comment so often, so that nothing on the way takes a quiet stream for a dead one. */
const HEARTBEAT = Duration.seconds(15)

const sse = (event: string, data: unknown): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const textOf = (event: JobEvent): string => {
  switch (event._tag) {
    case "Status":
      return sse("status", publicJob(event.job))
    case "Text":
      return sse("text", { text: event.text })
    case "Reset":
      return sse("reset", {})
  }
}

export const sseResponse = (
  record: RequestRecord,
  events: Stream.Stream<JobEvent, Problem>
): HttpServerResponse.HttpServerResponse => {
  const told = Stream.map(events, textOf).pipe(
    Stream.catch((problem) => {
      record.problem = wordOf(problem)
      return Stream.succeed(sse("error", problemBody(problem)))
    })
  )
  const beats = Stream.fromSchedule(Schedule.spaced(HEARTBEAT)).pipe(Stream.map(() => ": heartbeat\n\n"))
  return HttpServerResponse.stream(Stream.merge(told, beats, { haltStrategy: "left" }).pipe(Stream.encodeText), {
    contentType: "text/event-stream",
    headers: { "cache-control": "no-cache", "x-accel-buffering": "no" }
  })
}
