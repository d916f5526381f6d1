/** Counts what one endpoint does, for `GenAiClient.stats`. */
import type { EndpointConfig } from "../../domain/config/DispatcherConfig.ts"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import type { GenAiErrorReason } from "../../domain/genai/GenAiError.ts"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import { Histogram } from "../../domain/genai/Histogram.ts"
import type { HealthState } from "../../domain/genai/health/EndpointHealth.ts"
import { costOf } from "../../domain/genai/Prices.ts"
import type { WorkerMetrics } from "../../services/Dispatcher.ts"
import type { Spending } from "./Spending.ts"

/** What an endpoint's health is now. */
interface EndpointState {
  readonly state: HealthState
  /** 0 when it takes requests; infinite when nobody knows. */
  readonly opensInMs: number
}

export class EndpointRecorder {
  private readonly endpoint: EndpointConfig
  private readonly spending: Spending | undefined
  readonly latency = new Histogram()
  private readonly wait = new Histogram()
  private readonly failures: Record<string, number> = {}
  private sent = 0
  private retries = 0
  private succeeded = 0
  private aborted = 0
  private inputTokens = 0
  private cachedInputTokens = 0
  private outputTokens = 0
  private unmetered = 0

  constructor(endpoint: EndpointConfig, spending?: Spending) {
    this.endpoint = endpoint
    this.spending = spending
  }

  /** Whether the client's budget is spent, so that nothing more may be sent. */
  get overBudget(): boolean {
    return this.spending?.isSpent === true
  }

  /** Whether nothing may be sent before more of the budget is allowed. */
  get isHeld(): boolean {
    return this.spending?.isHeld === true
  }

  /** The wait in milliseconds; `undefined` for a send that did not wait for its own sake. */
  onSent(isFirst: boolean, waitMs: number | undefined): void {
    this.sent++
    if (!isFirst) this.retries++
    if (waitMs !== undefined) this.wait.record(waitMs)
  }

  onSuccess(usage: Usage | undefined, latencyMs: number): void {
    this.succeeded++
    this.latency.record(latencyMs)
    if (usage === undefined) this.unmetered++
    this.inputTokens += usage?.inputTokens ?? 0
    this.cachedInputTokens += usage?.cachedInputTokens ?? 0
    this.outputTokens += usage?.outputTokens ?? 0
    this.spending?.add(this.endpoint.prices, usage)
  }

  onFailure(reason: GenAiErrorReason): void {
    this.failures[reason._tag] = (this.failures[reason._tag] ?? 0) + 1
  }

  onAborted(): void {
    this.aborted++
  }

  stats(lane: WorkerMetrics, { opensInMs, state }: EndpointState): EndpointStats {
    const { cachedInputTokens, inputTokens, outputTokens } = this
    const { prices } = this.endpoint
    return {
      name: this.endpoint.name,
      kind: this.endpoint.kind,
      weight: this.endpoint.weight,
      state,
      ...(opensInMs > 0 && opensInMs !== Number.POSITIVE_INFINITY ? { opensInMs } : {}),
      inflight: lane.inflight,
      queueLen: lane.queue_len,
      sent: this.sent,
      succeeded: this.succeeded,
      failures: { ...this.failures },
      aborted: this.aborted,
      retries: this.retries,
      wait: this.wait,
      latency: this.latency,
      inputTokens,
      cachedInputTokens,
      outputTokens,
      unmetered: this.unmetered,
      cost: prices && costOf(prices, { inputTokens, cachedInputTokens, outputTokens })
    }
  }
}
