/** What the control plane is made of, and what it knows of each request. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type { DispatcherConfig } from "../../../domain/config/DispatcherConfig.ts"
import type { ServerConfig } from "../../../domain/config/ServerConfig.ts"
import { bearer, given } from "../../../domain/dialects/Requests.ts"
import type { EndpointStats } from "../../../domain/genai/EndpointStats.ts"
import type { ModelRoutes } from "../../../domain/server/ModelRoutes.ts"
import type { Problem } from "../../../domain/server/Problem.ts"
import type { RequestRecord } from "../../../domain/server/RequestRecord.ts"
import type { GenAiClient } from "../../../services/GenAiClient.ts"
import type { Jobs } from "../../../services/Jobs.ts"
import type { ServerTelemetry } from "../../../services/ServerTelemetry.ts"
import type { Auth, Caller } from "../Auth.ts"
import type { Exchange } from "../Exchange.ts"
import type { Overload } from "../Overload.ts"
import { readJson } from "../RequestBody.ts"
import type { ServiceState } from "../ServiceState.ts"

export interface ControlPlaneParts {
  readonly server: Pick<ServerConfig, "maxBodyBytes">
  readonly endpoints: DispatcherConfig["endpoints"]
  readonly auth: Auth
  readonly state: ServiceState
  readonly models: ModelRoutes
  readonly overload: Overload
  readonly client: GenAiClient["Service"]
  /** The endpoints over all processes of the service. */
  readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
  readonly jobs: Jobs["Service"]
  readonly telemetry: ServerTelemetry["Service"]
}

/** Parts, as a service of the handlers; made once, in `makeHandler`. */
export class ControlPlane extends Context.Service<ControlPlane, ControlPlaneParts>()(
  "genai-dispatcher/server/api/ControlPlane"
) {}

/** A request as the edge has handed it over. */
export interface Handed {
  readonly exchange: Exchange
  /** Is called when the body is wanted: for clients that wait to be told. */
  readonly beforeBody: (() => void) | undefined
}

/** Gone with their requests. */
const handed = new WeakMap<object, Handed>()

export const remember = (request: Handed): void => {
  handed.set(request.exchange.request, request)
}

export const handedOf = ({ source }: HttpServerRequest.HttpServerRequest): Handed => {
  const found = handed.get(source)
  if (found === undefined) throw new Error("a request that the edge has not handed over")
  return found
}

export const recordOf = (request: HttpServerRequest.HttpServerRequest): RequestRecord =>
  handedOf(request).exchange.record

/** The API key: as `Authorization: Bearer`, or in the header `x-api-key`. */
const credentialOf = ({ headers }: HttpServerRequest.HttpServerRequest): string | undefined =>
  bearer(headers) ?? given(headers["x-api-key"])

/** Who makes a request; `admit` also counts it against the key's rate. */
export const callerOf = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest,
  how: "admit" | "identify"
): Effect.fn.Return<Caller, Problem, ControlPlane> {
  const { auth } = yield* ControlPlane
  const credential = credentialOf(request)
  const caller = yield* how === "identify"
    ? Effect.fromResult(auth.identify(credential))
    : Effect.callback<Caller, Problem>((resume) =>
        auth.admitted(credential, (result) => resume(Effect.fromResult(result)))
      )
  if (caller.name !== "") recordOf(request).key = caller.name
  return caller
})

/** The JSON value in the body of a request. */
export const jsonBodyOf = Effect.fnUntraced(function* (
  request: HttpServerRequest.HttpServerRequest
): Effect.fn.Return<unknown, Problem, ControlPlane> {
  const { server } = yield* ControlPlane
  const { beforeBody, exchange } = handedOf(request)
  return yield* Effect.callback<unknown, Problem>((resume) =>
    readJson(exchange.request, { maxBytes: server.maxBodyBytes, beforeBody }, (value) =>
      resume(Effect.fromResult(value))
    )
  )
})
