/**
 * The HTTP service as a library, for apps that serve it themselves: `import { HttpService } from "genai-dispatcher/service"`.
 *
 * `HttpServiceLayer.layer` gives `HttpService` and needs a `GenAiClient`, `Jobs` (`DurableJobs.layer` over a `JobStore`) and `ServerTelemetry`
 * (`Telemetry.layer`); `ConfigLoader.loadServer` of the library gives the settings of all.
 */

export type {
  ApiKeyConfig,
  JobStoreConfig,
  JobsConfig,
  ServerConfig,
  TelemetryConfig,
  WebhookConfig
} from "./domain/config/ServerConfig.ts"
export {
  Job,
  JobFailure,
  JobId,
  type JobOutcome,
  JobResult,
  type JobSpec,
  JobStatus,
  JobWebhook
} from "./domain/jobs/Job.ts"
export { type ModelRoute, ModelRoutes } from "./domain/server/ModelRoutes.ts"
export { Problem, ProblemKind } from "./domain/server/Problem.ts"
export type { RequestRecord, RouteName } from "./domain/server/RequestRecord.ts"
export * as DurableJobs from "./layers/jobs/DurableJobs.ts"
export * as JobStoreFromConfig from "./layers/jobs/JobStoreFromConfig.ts"
export * as MemoryJobStore from "./layers/jobs/MemoryJobStore.ts"
export * as HttpServiceLayer from "./layers/server/HttpService.ts"
export * as Telemetry from "./layers/telemetry/Telemetry.ts"
export { HttpService, HttpServiceError } from "./services/HttpService.ts"
export { type Claim, type Created, type JobFilter, JobStore, JobStoreError } from "./services/JobStore.ts"
export { type JobEvent, Jobs, type NewJob } from "./services/Jobs.ts"
export { ServerTelemetry } from "./services/ServerTelemetry.ts"
