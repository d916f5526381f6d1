/** Records of requests for tests: one that went well, with whatever a test wants otherwise. */
import type { RequestRecord } from "../../src/domain/server/RequestRecord.ts"

export const record = (overrides: Partial<RequestRecord> = {}): RequestRecord => ({
  id: "request-1",
  method: "POST",
  route: "openai.chat",
  startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  key: "team-a",
  model: "fast",
  isStreamed: false,
  endpoint: "east",
  responseModel: "model-0613",
  finishReason: "stop",
  attempts: 1,
  inputTokens: 12,
  outputTokens: 40,
  status: 200,
  problem: undefined,
  firstByteMs: 30.24,
  durationMs: 42.5,
  isAborted: false,
  ...overrides
})
