/** The control plane as a handler of Node's HTTP server. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { draining } from "../../../domain/server/Problem.ts"
import { defectOf } from "../CommonProblems.ts"
import { causeOf } from "../Defects.ts"
import { problemOfCause, problemOfSchema, tell } from "./Answers.ts"
import { Api, Problems } from "./Api.ts"
import { ControlPlane, type ControlPlaneParts, type Handed, handedOf, remember } from "./ControlPlane.ts"
import * as JobRoutes from "./JobRoutes.ts"
import * as OperationRoutes from "./OperationRoutes.ts"
import { DOCS, OPENAPI } from "./Routes.ts"

/** Answers one request. */
export type ApiHandler = (request: Handed) => void

/** Paths, queries and headers that do not decode are said so, by name. */
const problems = HttpApiMiddleware.layerSchemaErrorTransform(Problems, (error) =>
  Effect.map(HttpServerRequest.HttpServerRequest, (request) => tell(request, problemOfSchema(error)))
)

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
 * request whose client is gone. One whose exchange is interrupted is told that the service shuts down.
 */
export const makeHandler = Effect.fnUntraced(function* (
  parts: ControlPlaneParts
): Effect.fn.Return<ApiHandler, never, Scope.Scope> {
  const scope = yield* Scope.Scope
  const routes = Layer.mergeAll(
    HttpApiBuilder.layer(Api, { openapiPath: OPENAPI }).pipe(
      Layer.provide([JobRoutes.layer, OperationRoutes.layer]),
      Layer.provide(problems)
    ),
    HttpRouter.add("GET", DOCS, Effect.flatten(yield* docs))
  ).pipe(Layer.provide(NodeHttpServer.layerHttpServices))
  const app = yield* HttpRouter.toHttpEffect(routes)
  const answered = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { exchange } = handedOf(request)
    // A fiber of its own, which can be stopped while this one lives to say so.
    const work = yield* Effect.forkChild(app, { startImmediately: true })
    exchange.worksIn(work)
    const exit = yield* Effect.interruptible(Fiber.await(work))
    if (Exit.isSuccess(exit)) return exit.value
    if (exchange.isSettled) return yield* Effect.failCause(exit.cause)
    if (Cause.hasInterruptsOnly(exit.cause)) return tell(request, draining)
    const { id } = exchange.record
    const problem = problemOfCause(exit.cause, id)
    if (problem.kind === "Internal") yield* logDefect(exit.cause, id)
    return tell(request, problem)
  })
  const handle = yield* NodeHttpServer.makeHandler(Effect.provideService(answered, ControlPlane, parts), { scope })
  return (request) => {
    remember(request)
    handle(request.exchange.request, request.exchange.response)
  }
})

/** Not the cause itself: messages of errors may quote what a client has sent. */
const logDefect = (cause: Cause.Cause<unknown>, requestId: string): Effect.Effect<void> => {
  const broken = causeOf(cause)
  return broken._tag === "Defect" ? Effect.logError(defectOf(requestId, broken.where)) : Effect.void
}
