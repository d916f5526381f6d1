/** What the process that supervises a service and those that serve tell each other. */
import type { SentConfig } from "../../../domain/config/SentConfig.ts"
import type { ProcessFigures } from "../../../domain/telemetry/ProcessFigures.ts"
import type { SentServer } from "./SentServer.ts"

/** The first argument of a process that serves for another one; nothing that users type. */
export const CHILD_ARGUMENT = "--serve-for-parent"

/** First of all: what to serve, as the parent read it. */
export interface Begin {
  readonly _tag: "Begin"
  /** Which of the processes this is, from 0. */
  readonly index: number
  readonly processes: number
  /** Of the whole service: the process takes its share. */
  readonly config: SentConfig
  readonly server: SentServer
}

export type ParentMessage =
  | Begin
  /** Whether each of the requests that were asked for may be made: `ADMITTED`, or the milliseconds until it may come again. */
  | { readonly _tag: "Admitted"; readonly id: number; readonly answers: ReadonlyArray<number> }
  /** The figures of all processes, those that have ended included. */
  | { readonly _tag: "Gathered"; readonly id: number; readonly figures: ReadonlyArray<ProcessFigures> }
  /** Asks for the figures of this process; those "since the last scrape" begin anew when this is one. */
  | { readonly _tag: "Ask"; readonly id: number; readonly isScrape: boolean }
  /** Take nothing new, let what runs end within the time, and end. */
  | { readonly _tag: "Drain"; readonly graceMs: number }
  /** Give up what runs, and end. */
  | { readonly _tag: "Interrupt" }

export const ADMITTED = -1

export type ChildMessage =
  /** Messages are heard from now on. */
  | { readonly _tag: "Hello" }
  | { readonly _tag: "Listening"; readonly url: string; readonly port: number }
  /** It cannot serve; it ends. */
  | { readonly _tag: "Failed"; readonly message: string }
  /** Asks for a request of each of these API keys, all of which have a limit; a key may be there several times. */
  | { readonly _tag: "Admit"; readonly id: number; readonly keys: ReadonlyArray<string> }
  /** Asks for the figures of all processes. */
  | { readonly _tag: "Gather"; readonly id: number; readonly isScrape: boolean }
  | { readonly _tag: "Figures"; readonly id: number; readonly figures: ProcessFigures }
  /** It has drained, and ends with these. */
  | { readonly _tag: "Drained"; readonly figures: ProcessFigures }

const CHILD_TAGS: ReadonlySet<unknown> = new Set<ChildMessage["_tag"]>([
  "Hello",
  "Listening",
  "Failed",
  "Admit",
  "Gather",
  "Figures",
  "Drained"
])

const PARENT_TAGS: ReadonlySet<unknown> = new Set<ParentMessage["_tag"]>([
  "Begin",
  "Admitted",
  "Gathered",
  "Ask",
  "Drain",
  "Interrupt"
])

const tagOf = (message: unknown): unknown =>
  typeof message === "object" && message !== null && "_tag" in message ? message._tag : undefined

/** By its tag alone: at the other end is this very program, and nobody else has the channel. */
export const isChildMessage = (message: unknown): message is ChildMessage => CHILD_TAGS.has(tagOf(message))
export const isParentMessage = (message: unknown): message is ParentMessage => PARENT_TAGS.has(tagOf(message))
