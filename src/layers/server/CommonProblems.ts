/** What any route may have to say. */
import type { Reply } from "../../domain/dialects/Dialect.ts"
import { Problem } from "../../domain/server/Problem.ts"
import { problemBody, problemContentType, retryAfter } from "../../domain/server/ProblemBody.ts"

export const internal = (requestId: string): Problem =>
  new Problem({
    kind: "Internal",
    message: `The service failed; whoever runs it finds more in its log under ${requestId}.`
  })

export const wrongMethod = (allowed: ReadonlyArray<string>): Problem =>
  new Problem({ kind: "MethodNotAllowed", message: `This path takes ${allowed.join(", ")} only.` })

export const wrongHost = new Problem({
  kind: "InvalidRequest",
  code: "invalid_host",
  message: "The request must have exactly one header host."
})

export const wrongEscape = new Problem({
  kind: "InvalidRequest",
  code: "invalid_path",
  message: "The path has an escape (%) that is not UTF-8 in hexadecimal."
})

/** What the log has of a request that met a defect. */
export const defectOf = (requestId: string, where: string): string =>
  `A request failed by a defect (x-request-id ${requestId}): ${where}`

/** A problem for clients of no dialect. */
export const problemReply = (problem: Problem): Reply => ({
  status: problem.status,
  headers: { "content-type": problemContentType, ...retryAfter(problem) },
  body: JSON.stringify(problemBody(problem))
})
