/** Figures that the report tests share. */
import type { EndpointStats } from "../../../src/domain/genai/EndpointStats.ts"
import { Histogram } from "../../../src/domain/genai/Histogram.ts"
import * as Line from "../../../src/domain/report/Line.ts"
import type { RowCounts } from "../../../src/domain/report/RunView.ts"

export const endpoint = (
  name: string,
  facts: Partial<Omit<EndpointStats, "latency">> & { latencies?: number[] } = {}
) => {
  const { latencies = [], ...rest } = facts
  const latency = new Histogram()
  for (const value of latencies) latency.record(value)
  const stats: EndpointStats = {
    name,
    kind: "openai",
    weight: 1,
    state: "up",
    inflight: 0,
    queueLen: 0,
    sent: 0,
    succeeded: 0,
    failures: {},
    aborted: 0,
    retries: 0,
    wait: new Histogram(),
    inputTokens: 0,
    cachedInputTokens: 0,
    outputTokens: 0,
    unmetered: 0,
    cost: undefined,
    ...rest,
    latency
  }
  return stats
}

export const rows = (facts: Partial<RowCounts> = {}): RowCounts => ({
  total: 2000,
  resumed: 0,
  saved: 0,
  failed: 0,
  invalid: 0,
  ...facts
})

export const east = endpoint("east", {
  inflight: 64,
  queueLen: 12,
  sent: 1264,
  succeeded: 1166,
  failures: { RateLimited: 20, ServerError: 10, TimedOut: 4 },
  latencies: [100, 100, 100, 120],
  inputTokens: 49_400,
  outputTokens: 96_000
})

export const west = endpoint("west", {
  inflight: 3,
  sent: 736,
  succeeded: 600,
  failures: { Overloaded: 133 },
  latencies: [2500],
  inputTokens: 10_000,
  outputTokens: 20_000
})

/** The lines as text without colours. */
export const plainText = (lines: ReadonlyArray<Line.Line>, width?: number): ReadonlyArray<string> =>
  lines.map((line) => Line.render(line, { colors: false, width }).trimEnd())
