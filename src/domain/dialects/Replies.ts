/** What the replies of all dialects have in common. */
import type { ChatEvent, RawEvent } from "../genai/ChatEvent.ts"
import type { Problem } from "../server/Problem.ts"
import type { Reply, StreamWriter } from "./Dialect.ts"

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

/** A server-sent event without a name. `data` is one line. */
export const event = (data: string): string => `data: ${data}\n\n`

/** A server-sent event. `data` is one line. */
export const namedEvent = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`

/** A provider's event as it came. */
export const rawEvent = ({ name, data }: RawEvent): string => {
  const lines = data.includes("\n") ? data.replaceAll("\n", "\ndata: ") : data
  return name === "" ? event(lines) : namedEvent(name, lines)
}

/**
 * A writer of what `write` makes of each event; `after` is the one that came with it, if any. After `Finish`, or after the
 * last words of a failure, there is nothing more to say.
 */
export const streamWriter = (
  write: (event: ChatEvent, after: ChatEvent | undefined) => string,
  lastWords: (problem: Problem) => string
): StreamWriter => {
  let isOver = false
  return {
    write: (events) => {
      let text = ""
      for (let at = 0; at < events.length && !isOver; at++) {
        const next = events[at]!
        isOver = next._tag === "Finish"
        text += write(next, events[at + 1])
      }
      return text
    },
    fail: (problem) => {
      if (isOver) return ""
      isOver = true
      return lastWords(problem)
    }
  }
}
