/** How the control plane answers: problems as ProblemDetails, and nothing else that is not the route's own. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { HttpServerError } from "effect/http/HttpServerError"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as SchemaIssue from "effect/SchemaIssue"
import { fieldPath } from "../../../domain/JsonText.ts"
import { Problem, wordOf } from "../../../domain/server/Problem.ts"
import { problemBody, problemContentType, retryAfter } from "../../../domain/server/ProblemBody.ts"
import { internal } from "../CommonProblems.ts"
import { recordOf } from "./ControlPlane.ts"

const problemResponse = (problem: Problem): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(problemBody(problem), {
    status: problem.status,
    contentType: problemContentType,
    headers: {
      ...retryAfter(problem),
      ...(problem.kind === "Unauthorized" ? { "www-authenticate": "Bearer" } : {}),
      // The rest of the body is not read; whoever is told that the service stops has nothing more to ask of it.
      ...(problem.kind === "TooLarge" || problem.kind === "Draining" ? { connection: "close" } : {})
    }
  })

const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** What the router and HttpApi hold against a request, or what broke, as a problem; defects are for the log. */
export const problemOfCause = (cause: Cause.Cause<unknown>, requestId: string): Problem => {
  const error = Cause.squash(cause)
  if (error instanceof Problem) return error
  if (error instanceof HttpServerError && error.reason._tag === "RouteNotFound") {
    return new Problem({ kind: "NotFound", message: "There is no such route; GET /docs lists them." })
  }
  return internal(requestId)
}

/** A path, query or header that does not decode. */
export const problemOfSchema = (error: HttpApiSchemaError): Problem => {
  if (error.kind === "Body" || error.kind === "ResponseHeaders") {
    return new Problem({ kind: "Internal", message: "The service made an answer that is none of its own." })
  }
  const issue = toIssues(error.cause.issue).issues[0]
  const field = fieldPath((issue?.path ?? []).map((key) => (typeof key === "number" ? key : String(key))))
  return new Problem({
    kind: "InvalidRequest",
    message: `${field}: ${issue?.message ?? "not valid"}.`,
    ...(field === "" ? {} : { field })
  })
}

/** Answers that are problems are answers: no handler fails. The record says which it was. */
export const orProblem = <A, R>(
  request: HttpServerRequest,
  work: Effect.Effect<A, Problem, R>
): Effect.Effect<A | HttpServerResponse.HttpServerResponse, never, R> =>
  Effect.catch(work, (problem) => Effect.sync(() => tell(request, problem)))

/** The answer that a problem is, noted in the request's record. */
export const tell = (request: HttpServerRequest, problem: Problem): HttpServerResponse.HttpServerResponse => {
  recordOf(request).problem = wordOf(problem)
  return problemResponse(problem)
}
