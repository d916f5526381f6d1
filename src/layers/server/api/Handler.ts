/** The control plane as a handler of Node's HTTP server. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { RequestRecord } from "../../../domain/server/RequestRecord.ts"
import { causeOf } from "../Defects.ts"
import { problemOfCause, problemOfSchema, tell } from "./Answers.ts"
import { Api, Problems } from "./Api.ts"
import { ControlPlane, type ControlPlaneParts, remember } from "./ControlPlane.ts"
import * as JobRoutes from "./JobRoutes.ts"
import * as OperationRoutes from "./OperationRoutes.ts"

/** Answers one request. `record`, when there is one, is filled in on the way; whoever hands it over begins and ends it. */
export type ApiHandler = (request: IncomingMessage, response: ServerResponse, record?: RequestRecord) => void

/** Paths, queries and headers that do not decode are said so, by name. */
const problems = HttpApiMiddleware.layerSchemaErrorTransform(Problems, (error) =>
  Effect.map(HttpServerRequest.HttpServerRequest, (request) => tell(request, problemOfSchema(error)))
)

const DOCS = "/docs"

/** The page that shows the API: megabytes, so it is loaded when somebody first looks at it. */
const docs = Effect.gen(function* () {
  const scope = yield* Scope.Scope
  return yield* Effect.cached(
    Effect.promise(() => import("effect/http-api/HttpApiSwagger")).pipe(
      Effect.flatMap((swagger) => HttpRouter.toHttpEffect(swagger.layer(Api, { path: DOCS }))),
      Scope.provide(scope),
      // Whoever asked first may be gone before it is there.
      Effect.uninterruptible
    )
  )
})

/**
 * Makes a handler that lives as long as the scope: requests that are under way when it closes are interrupted, as is a
 * request whose client is gone.
 */
export const makeHandler = Effect.fnUntraced(function* (
  parts: ControlPlaneParts
): Effect.fn.Return<ApiHandler, never, Scope.Scope> {
  const scope = yield* Scope.Scope
  const routes = Layer.mergeAll(
    HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide([JobRoutes.layer, OperationRoutes.layer]),
      Layer.provide(problems)
    ),
    HttpRouter.add("GET", DOCS, Effect.flatten(yield* docs))
  ).pipe(Layer.provide(NodeHttpServer.layerHttpServices))
  const app = yield* HttpRouter.toHttpEffect(routes)
  const answered = Effect.catchCauseIf(
    app,
    (cause) => !Cause.hasInterruptsOnly(cause),
    (cause) =>
      Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const problem = problemOfCause(cause)
        if (problem.kind === "Internal") yield* logDefect(cause)
        return tell(request, problem)
      })
  )
  const handle = yield* NodeHttpServer.makeHandler(Effect.provideService(answered, ControlPlane, parts), { scope })
  return (request, response, record) => {
    if (record !== undefined) remember(request, record)
    handle(request, response)
  }
})

/** Not the cause itself: messages of errors may quote what a client has sent. */
const logDefect = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const broken = causeOf(cause)
  return broken._tag === "Defect"
    ? Effect.logError(`A request to the control plane failed: ${broken.where}`)
    : Effect.void
}
