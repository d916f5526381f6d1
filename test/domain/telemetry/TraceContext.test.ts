import { assert, describe, it } from "@effect/vitest"
import { parse } from "../../../src/domain/telemetry/TraceContext.ts"

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736"
const spanId = "00f067aa0ba902b7"

describe("traceparent", () => {
  it("says trace, span and whether the caller records it", () => {
    assert.deepStrictEqual(parse(`00-${traceId}-${spanId}-01`), { traceId, spanId, isSampled: true })
    assert.deepStrictEqual(parse(` 00-${traceId}-${spanId}-02 `), { traceId, spanId, isSampled: false })
    assert.deepStrictEqual(parse(`01-${traceId}-${spanId}-03-more`), { traceId, spanId, isSampled: true })
  })

  it("is ignored when it is not valid", () => {
    for (const header of [
      undefined,
      "",
      "00",
      `00-${traceId}-${spanId}`,
      `00-${traceId}-${spanId}-01-more`,
      `ff-${traceId}-${spanId}-01`,
      `00-${"0".repeat(32)}-${spanId}-01`,
      `00-${traceId}-${"0".repeat(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `00-${traceId.slice(1)}-${spanId}-01`,
      `00-${traceId}-${spanId}-1`,
      `00-${traceId}-${spanId}-0g`
    ]) {
      assert.isUndefined(parse(header), header)
    }
  })
})
