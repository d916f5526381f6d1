/** Result lines in our own words. */
import { MARKS } from "../Marks.ts"
import { INVALID_ROW } from "../RowFailure.ts"
import type { ResultFormat } from "./RowFormat.ts"

export const own: ResultFormat = {
  /** What the provider did not report is `null`; `cached_input_tokens` and `raw` are there only when there is something. */
  saved: (row, answer) => {
    const { body, contents, input, messages } = row.asked
    return JSON.stringify({
      response: answer.text,
      index: row.index,
      id: row.id,
      input,
      messages,
      contents,
      body,
      endpoint: answer.endpoint,
      model: answer.model ?? row.request.model ?? null,
      usage:
        answer.usage === undefined
          ? null
          : {
              input_tokens: answer.usage.inputTokens ?? null,
              cached_input_tokens: answer.usage.cachedInputTokens,
              output_tokens: answer.usage.outputTokens ?? null,
              total_tokens: answer.usage.totalTokens ?? null
            },
      attempts: answer.attempts,
      latency_ms: Math.round(answer.latencyMs),
      finish_reason: answer.finishReason ?? null,
      raw: answer.raw,
      metadata: row.metadata,
      hash: row.hash
    })
  },

  /** The fields of the failure replace the row's own of the same name. */
  failed: (row, failure) =>
    JSON.stringify({
      ...row.source,
      error: failure.error,
      reason: failure.reason,
      endpoint: failure.endpoint,
      index: row.index,
      line: row.index + 1,
      attempts: failure.attempts,
      hash: row.hash,
      // Reserved: a row's own could be taken for ours.
      [MARKS]: undefined
    }),

  invalid: (row) =>
    JSON.stringify({
      input: null,
      id: row.id,
      error: row.error,
      reason: INVALID_ROW,
      index: row.index,
      line: row.index + 1,
      attempts: 0,
      raw: row.raw,
      hash: row.hash
    })
}
