/**
 * The library.
 *
 * `Dispatcher` is the engine, generic and without HTTP. `GenAiClient` is the service that asks models for answers;
 * `DispatchedGenAiClient` is its layer over the engine, `Transport` how it reaches the network. `BatchRunner` pushes
 * files through a client, `Sandbox` stands in for a provider.
 */

export { ConfigError, type ConfigProblem } from "./domain/config/ConfigError.ts"
export type { ConfigFlags } from "./domain/config/ConfigFlags.ts"
export type {
  AffinityConfig,
  BreakerConfig,
  DispatcherConfig,
  EndpointConfig,
  EndpointKind,
  EndpointLimits,
  HedgeConfig,
  RetryBudgetConfig,
  RetryConfig
} from "./domain/config/DispatcherConfig.ts"
export type { ChatEvent, Finish, RawEvent, TextDelta, UsageReport } from "./domain/genai/ChatEvent.ts"
export type { EndpointStats } from "./domain/genai/EndpointStats.ts"
export * from "./domain/genai/GenAiError.ts"
export { ChatMessage, Family, GenAiRequest, Part, Role, textOfContent } from "./domain/genai/GenAiRequest.ts"
export { type GenAiAnswer, type GenAiResponse, Usage } from "./domain/genai/GenAiResponse.ts"
export type { Histogram } from "./domain/genai/Histogram.ts"
export type { HealthState } from "./domain/genai/health/EndpointHealth.ts"
export type { Cost, Prices } from "./domain/genai/Prices.ts"
export type { WireRequest, WireResponse, WireTimeouts } from "./domain/providers/Wire.ts"
export { SandboxError } from "./domain/sandbox/SandboxError.ts"
export * as FileBatchRunner from "./layers/batch/FileBatchRunner.ts"
export * as ConfigLoader from "./layers/config/ConfigLoader.ts"
export * as Dispatcher from "./layers/dispatch/Dispatcher.ts"
export * as DispatchedGenAiClient from "./layers/genai/DispatchedGenAiClient.ts"
export { type Amounts, type Budget, Spending, type Spent } from "./layers/genai/Spending.ts"
export * as SandboxServer from "./layers/sandbox/SandboxServer.ts"
export * as Http1Transport from "./layers/transport/Http1Transport.ts"
export * as HttpClientTransport from "./layers/transport/HttpClientTransport.ts"
export {
  type AskedTokens,
  type BatchCheck,
  BatchError,
  type BatchOptions,
  type BatchProgress,
  type BatchReport,
  type BatchRun,
  BatchRunner,
  type ExistingResults
} from "./services/BatchRunner.ts"
export {
  type DrainOptions,
  GenAiClient,
  type GenerateListener,
  type GenerateOptions,
  type Room,
  type StartedGenerate,
  type StartGenerate
} from "./services/GenAiClient.ts"
export { Sandbox } from "./services/Sandbox.ts"
export {
  type EndListener,
  type SendListener,
  type StartedRequest,
  Transport,
  TransportError,
  type WireStream
} from "./services/Transport.ts"
