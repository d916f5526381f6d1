/** Settled configurations for tests: every field has a value that a test may override. */
import type { DispatcherConfig, EndpointConfig } from "../../src/domain/config/DispatcherConfig.ts"

export const endpoint = (overrides: Partial<EndpointConfig> & { readonly name: string }): EndpointConfig => ({
  kind: "openai",
  baseUrl: new URL(`http://${overrides.name}.test/v1`),
  model: "test-model",
  apiKeyEnv: undefined,
  apiKey: undefined,
  priority: 0,
  weight: 1,
  concurrency: 256,
  autoConcurrency: false,
  adaptiveConcurrency: false,
  queueCapacity: 1024,
  limits: {},
  timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 30_000, totalMs: 300_000 },
  breaker: { failures: 10, windowMs: 30_000, openMs: 5_000 },
  parameters: {},
  headers: {},
  ...overrides
})

export const config = (
  endpoints: ReadonlyArray<EndpointConfig>,
  overrides: Partial<DispatcherConfig> = {}
): DispatcherConfig => ({
  policy: "least-loaded",
  maxRequestsPerSecond: undefined,
  maxAttempts: 5,
  deadlineMs: 600_000,
  retry: { baseMs: 500, factor: 2, capMs: 30_000 },
  retryBudget: { ratio: 0.2, minPerSecond: 10 },
  affinity: undefined,
  endpoints,
  ...overrides
})
