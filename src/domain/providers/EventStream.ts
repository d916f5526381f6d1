/** Cuts the bytes of an event stream into events: server-sent events as they are really sent, whatever the chunks. */

/** One event, as the HTML standard has it. */
export interface StreamEvent {
  readonly _tag: "Event"
  /** What its `event` field says; empty when it has none. */
  readonly name: string
  /** Its `data` lines, joined by line feeds. */
  readonly data: string
}

/** Text that belongs to no event: an error as bare JSON, a page of a proxy, a whole answer that is not streamed. */
export interface ForeignText {
  readonly _tag: "Foreign"
  readonly text: string
}

export type Frame = StreamEvent | ForeignText

/** Mutable; one for each body. */
export interface Splitter {
  /** The frames that these bytes complete. They may be cut anywhere, also within a character. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Frame>
  /** What is left when the body has ended. */
  readonly end: () => ReadonlyArray<Frame>
}

/**
 * What is kept of one line, and of an event or foreign text before its next line, in UTF-16 units: far above any answer,
 * and it bounds the memory. What is cut is not whole, and therefore no JSON.
 */
export const LONGEST = 16 * 1024 * 1024

/**
 * A splitter that differs from the standard's parser where providers do:
 *
 * - an event that the end of the body cuts off counts, since not all servers end the last one with an empty line;
 * - a line that no event can have (it begins like JSON or HTML, or nothing before it was of an event stream) makes it and
 *   all that follows foreign text, which comes at the end: Vertex AI sends its errors so, even after good events;
 * - `id` and `retry` are ignored: an answer is never taken up again in the middle.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export const make = (): Splitter => {
  const decoder = new TextDecoder()
  let frames: Array<Frame> | undefined
  /** The beginning of a line whose end has not come. */
  let partial = ""
  /** The last line ended with a carriage return: a line feed right after it belongs to it. */
  let afterReturn = false
  let name = ""
  let data: string | undefined
  let foreign: string | undefined
  let isEventStream = false

  const give = (frame: Frame) => {
    // A push to an empty array makes room for 17, and most events come alone.
    if (frames === undefined) frames = [frame]
    else frames.push(frame)
  }

  const dispatch = () => {
    if (data !== undefined) give({ _tag: "Event", name, data })
    data = undefined
    name = ""
  }

  const takeForeign = (line: string) => {
    dispatch()
    if (foreign === undefined) foreign = line
    else if (foreign.length <= LONGEST) foreign = `${foreign}\n${line}`
  }

  const take = (line: string) => {
    if (foreign !== undefined) return takeForeign(line)
    if (line === "") return dispatch()
    // Most lines: the way below comes to the same, for three times the cost.
    if (line.startsWith("data: ")) {
      isEventStream = true
      return takeData(line.slice("data: ".length))
    }
    const colon = line.indexOf(":")
    const field = colon < 0 ? line : line.slice(0, colon)
    if (!FIELDS.has(field) && (!isEventStream || NO_FIELD.test(line))) return takeForeign(line)
    isEventStream = true
    if (field !== "data" && field !== "event") return
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1)
    if (field === "event") name = value
    else takeData(value)
  }

  const takeData = (value: string) => {
    if (data === undefined) data = value
    else if (data.length <= LONGEST) data = `${data}\n${value}`
  }

  const split = (text: string) => {
    let start = afterReturn && text[0] === "\n" ? 1 : 0
    if (text !== "") afterReturn = false
    // Looked for once, and not in every line: hardly any server sends carriage returns.
    const endOf = text.includes("\r") ? endOfLine : endOfFedLine
    for (;;) {
      const end = endOf(text, start)
      if (end < 0) break
      const line = partial + text.slice(start, end)
      partial = ""
      start = end + 1
      if (text[end] === "\r") {
        if (text[start] === "\n") start++
        else afterReturn = start === text.length
      }
      take(line)
    }
    if (start < text.length) partial += text.slice(start)
    if (partial.length > LONGEST) {
      take(partial)
      partial = ""
    }
  }

  const drain = (): ReadonlyArray<Frame> => {
    const drained = frames ?? NONE
    frames = undefined
    return drained
  }

  return {
    push: (chunk) => {
      split(decoder.decode(chunk, { stream: true }))
      return drain()
    },
    end: () => {
      split(decoder.decode())
      if (partial !== "") take(partial)
      partial = ""
      dispatch()
      if (foreign !== undefined && /\S/.test(foreign)) give({ _tag: "Foreign", text: foreign })
      foreign = undefined
      return drain()
    }
  }
}

const NONE: ReadonlyArray<Frame> = []

/** The standard's fields; a comment is a field without a name. */
const FIELDS = new Set(["", "data", "event", "id", "retry"])

/** How JSON and HTML begin, and no field that anyone may invent. */
const NO_FIELD = /^\s*[{}[\]<"]/

/** The same as below for a text without carriage returns. */
const endOfFedLine = (text: string, start: number): number => text.indexOf("\n", start)

/** Where the line that begins at `start` ends: at a line feed or a carriage return; -1 when it does not. */
const endOfLine = (text: string, start: number): number => {
  const feed = text.indexOf("\n", start)
  const upTo = feed < 0 ? text.length : feed
  const back = text.slice(start, upTo).indexOf("\r")
  return back < 0 ? feed : start + back
}
