/** Reads a streamed answer that comes as server-sent events with JSON in them: what all dialects have in common. */
import * as Result from "effect/Result"
import type { Family } from "../genai/GenAiRequest.ts"
import type { Usage } from "../genai/GenAiResponse.ts"
import * as EventStream from "./EventStream.ts"
import type { Complaint, Failures } from "./Failures.ts"
import * as Json from "./Json.ts"
import type { Provider, ProviderFailure } from "./Provider.ts"
import type { StreamItem } from "./StreamDecoder.ts"
import { TextTemplate } from "./TextTemplate.ts"
import type { WireResponse } from "./Wire.ts"

/** What is known of the answer so far, and how a dialect adds to it. Absent values change nothing. */
export interface Progress {
  finishReason: string | undefined
  model: string | undefined
  /** The last report. */
  readonly usage: Usage | undefined
  readonly text: (delta: string | undefined) => void
  readonly report: (usage: Usage | undefined) => void
  /** The provider says that the answer is whole. */
  readonly finish: () => void
}

/** What a dialect makes of the events of a stream. */
export interface EventDialect {
  /** What an event tells of a failure; `undefined` when it tells of none. */
  readonly complaintIn: (document: unknown) => Complaint | undefined
  /**
   * Takes over what an event that tells of no failure says. `name` is empty for events without one. What a text is changes
   * nothing but that text: an event that differs in it alone is not read again.
   */
  readonly read: (document: unknown, name: string, progress: Progress) => void
  /** For dialects of a family: what makes its events useful to somebody who speaks it too. */
  readonly raw?: {
    readonly family: Family
    /** Whether an event that tells of no failure says nothing of the answer itself; see `RawEvent`. */
    readonly isOpening: (document: unknown, name: string) => boolean
  }
}

export interface EventDecoderOptions {
  readonly dialect: EventDialect
  readonly failures: Failures
  /** The dialect's reading of an answer that is not streamed. */
  readonly decode: Provider["decode"]
}

/**
 * Makes the decoder of one answer.
 *
 * The answer is whole when the dialect says so, at `data: [DONE]`, and at the end of the body when a finish reason has come
 * by then. A body that is no event stream is read like an answer that is not streamed: some servers do not stream whatever
 * they are asked, and some send errors with a success status.
 *
 * With `keepRaw`, each event that tells of no failure is handed on as it came, before what was read from it; `[DONE]` is
 * said by `Finish` alone.
 */
export const make =
  ({ dialect, failures, decode }: EventDecoderOptions): Provider["stream"] =>
  (credential, nowMs, keepRaw) => {
    const splitter = EventStream.make()
    const raw = keepRaw === true ? dialect.raw : undefined
    const template = new TextTemplate()
    let items: Array<StreamItem> = []
    let hasEvents = false
    let isOpening = true
    let isOver = false

    const fail = (failure: ProviderFailure) => {
      isOver = true
      items.push({ _tag: "StreamFailed", failure })
    }
    const broken = (problem: string, body: string) => fail(failures.invalidAnswer(answerOf(body), problem, credential))

    let usage: Usage | undefined
    const progress: Progress = {
      finishReason: undefined,
      model: undefined,
      get usage() {
        return usage
      },
      text: (text) => {
        if (text !== undefined && text !== "") items.push({ _tag: "TextDelta", text })
      },
      report: (report) => {
        if (report === undefined) return
        usage = report
        items.push({ _tag: "UsageReport", usage: report })
      },
      finish: () => {
        if (isOver) return
        isOver = true
        items.push({ _tag: "Finish", finishReason: progress.finishReason, model: progress.model })
      }
    }

    /** The text of an event that says nothing else, nor anything that is not known yet. */
    const onlyText = (document: unknown, name: string): string | undefined => {
      const texts: Array<string | undefined> = []
      let saysMore = false
      const { finishReason, model } = progress
      const probe: Progress = {
        finishReason,
        model,
        usage,
        text: (text) => texts.push(text),
        report: (report) => {
          saysMore ||= report !== undefined
        },
        finish: () => {
          saysMore = true
        }
      }
      dialect.read(document, name, probe)
      saysMore ||= probe.finishReason !== finishReason || probe.model !== model
      return saysMore || texts.length !== 1 ? undefined : texts[0]
    }

    const takeEvent = (event: EventStream.StreamEvent) => {
      const { name, data } = event
      const known = template.textOf(event)
      if (known !== undefined) {
        if (raw !== undefined) items.push({ _tag: "RawEvent", family: raw.family, name, data, isOpening: false })
        items.push({ _tag: "TextDelta", text: known })
        return
      }
      if (data.trim() === "[DONE]") {
        return hasEvents ? progress.finish() : broken("the stream ends before it has begun", data)
      }
      if (data === "") return
      hasEvents = true
      const document = Json.parse(data)
      if (document === undefined) return broken("an event of the stream is not JSON, or not whole", data)
      const complaint = dialect.complaintIn(document)
      if (complaint !== undefined) return fail(failures.answered(answerOf(data), complaint, credential, nowMs))
      if (raw !== undefined) {
        isOpening &&= raw.isOpening(document, name)
        items.push({ _tag: "RawEvent", family: raw.family, name, data, isOpening })
      }
      const count = items.length
      dialect.read(document, name, progress)
      const item = items[count]
      // Once the answer has begun no event opens it, so that what is left to know of an event is its text.
      if (item?._tag !== "TextDelta" || items.length > count + 1 || (raw !== undefined && isOpening)) return
      template.learn(event, item.text, (document) =>
        dialect.complaintIn(document) === undefined ? onlyText(document, name) : undefined
      )
    }

    const takeForeign = (text: string) => {
      const whole = decode(answerOf(text), credential, nowMs)
      if (Result.isFailure(whole)) return fail(whole.failure)
      if (hasEvents) return broken("the stream goes on with something that is no event", text)
      progress.finishReason = whole.success.finishReason
      progress.model = whole.success.model
      progress.text(whole.success.text)
      progress.report(whole.success.usage)
      progress.finish()
    }

    const take = (frames: ReadonlyArray<EventStream.Frame>) => {
      for (const frame of frames) {
        if (isOver) return
        if (frame._tag === "Event") takeEvent(frame)
        else takeForeign(frame.text)
      }
    }

    const drain = (): ReadonlyArray<StreamItem> => {
      const drained = items
      if (drained.length > 0) items = []
      return drained
    }

    return {
      push: (chunk) => {
        if (!isOver) take(splitter.push(chunk))
        return drain()
      },
      end: () => {
        if (!isOver) take(splitter.end())
        if (!isOver && progress.finishReason !== undefined) progress.finish()
        if (!isOver) broken(hasEvents ? "the stream broke off before the answer was whole" : "the answer is empty", "")
        return drain()
      }
    }
  }

/** What came, in the form of an answer that is not streamed: streams are read only when the status is a success. */
const answerOf = (body: string): WireResponse => ({ status: 200, headers: {}, body })
