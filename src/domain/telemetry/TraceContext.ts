/**
 * The caller's place in a trace, as the header `traceparent` says it.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */

export interface TraceContext {
  readonly traceId: string
  readonly spanId: string
  /** Whether the caller records the trace. */
  readonly isSampled: boolean
}

const HEADER = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** `undefined` for what is no valid header: the trace then begins here. */
export const parse = (header: string | undefined): TraceContext | undefined => {
  if (header === undefined) return undefined
  const match = HEADER.exec(header.trim())
  if (match === null) return undefined
  const [, version, traceId, spanId, flags, rest] = match
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  // Version 00 ends here; later ones may go on; ff is forbidden, and so are ids of zeros only.
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
