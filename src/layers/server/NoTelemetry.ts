/** `ServerTelemetry` that keeps nothing: for tests, and for those who embed the service and count by themselves. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ServerTelemetry } from "../../services/ServerTelemetry.ts"

export const make: ServerTelemetry["Service"] = ServerTelemetry.of({
  begun: () => {},
  ended: () => {},
  traced: (_record, work) => work,
  prometheus: Effect.succeed("")
})

export const layer: Layer.Layer<ServerTelemetry> = Layer.succeed(ServerTelemetry, make)
