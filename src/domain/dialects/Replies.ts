/** What the replies of all dialects have in common. */
import type { RawEvent } from "../genai/ChatEvent.ts"
import type { Problem } from "../server/Problem.ts"
import type { Reply } from "./Dialect.ts"

export const json = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body
})

/** Proxies such as nginx must hand on each event at once. */
export const streamHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no"
}

/** When to try again, in whole seconds (RFC 9110): rounded up, so that nobody is early. */
export const retryAfter = ({ retryAfterMs }: Problem): Readonly<Record<string, string>> =>
  retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(Math.max(0, retryAfterMs) / 1000)) }

/** A server-sent event without a name. `data` is one line. */
export const event = (data: string): string => `data: ${data}\n\n`

/** A server-sent event. `data` is one line. */
export const namedEvent = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`

/** A provider's event as it came. */
export const rawEvent = ({ name, data }: RawEvent): string => {
  const lines = data.includes("\n") ? data.replaceAll("\n", "\ndata: ") : data
  return name === "" ? event(lines) : namedEvent(name, lines)
}
