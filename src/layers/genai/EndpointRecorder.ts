/** Counts what one endpoint does, for `GenAiClient.stats`. */
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import type { GenAiErrorReason } from "../../domain/genai/GenAiError.ts"
import type { GenAiResponse } from "../../domain/genai/GenAiResponse.ts"
import { Histogram } from "../../domain/genai/Histogram.ts"
import type { WorkerMetrics } from "../../services/Dispatcher.ts"

export class EndpointRecorder {
  private readonly endpoint: EndpointConfig
  private readonly latency = new Histogram()
  private readonly failures: Record<string, number> = {}
  private sent = 0
  private succeeded = 0
  private aborted = 0
  private inputTokens = 0
  private outputTokens = 0

  constructor(endpoint: EndpointConfig) {
    this.endpoint = endpoint
  }

  onSent(): void {
    this.sent++
  }

  onSuccess(response: GenAiResponse, latencyMs: number): void {
    this.succeeded++
    this.latency.record(latencyMs)
    this.inputTokens += response.usage?.inputTokens ?? 0
    this.outputTokens += response.usage?.outputTokens ?? 0
  }

  onFailure(reason: GenAiErrorReason): void {
    this.failures[reason._tag] = (this.failures[reason._tag] ?? 0) + 1
  }

  onAborted(): void {
    this.aborted++
  }

  stats(lane: WorkerMetrics): EndpointStats {
    return {
      name: this.endpoint.name,
      kind: this.endpoint.kind,
      weight: this.endpoint.weight,
      inflight: lane.inflight,
      queueLen: lane.queue_len,
      sent: this.sent,
      succeeded: this.succeeded,
      failures: { ...this.failures },
      aborted: this.aborted,
      latency: this.latency,
      inputTokens: this.inputTokens,
      outputTokens: this.outputTokens
    }
  }
}
