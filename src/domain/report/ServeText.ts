/** What the HTTP service says of itself when it starts and when it has stopped. */
import type { JobStatus } from "../jobs/Job.ts"
import * as Format from "./Format.ts"
import type { Line } from "./Line.ts"
import { span } from "./Line.ts"
import * as Text from "./Text.ts"

export interface Screen {
  readonly version: string
  readonly url: string
  /** Where the settings come from, in a few words. */
  readonly source: string
  readonly access: Access
  /** Models by the name that clients use, with the endpoints that serve them. */
  readonly models: ReadonlyArray<{ readonly name: string; readonly endpoints: ReadonlyArray<string> }>
  /** Whether names that are not among the models are served too. */
  readonly takesAnyModel: boolean
  readonly endpoints: ReadonlyArray<{ readonly name: string; readonly kind: string; readonly host: string }>
  readonly jobs: JobsPlace
  /** Default: 1, and nothing is said of it. */
  readonly processes?: number | undefined
}

/** Who is let in: those with a key, everybody on this machine, or everybody who reaches it. */
export type Access =
  | { readonly _tag: "Keys"; readonly names: ReadonlyArray<string> }
  | { readonly _tag: "ThisMachine" }
  | { readonly _tag: "Anybody" }

/** Where jobs are kept. */
export interface JobsPlace {
  /** Such as `genai-dispatcher.db`; `undefined` when they are gone with the process. */
  readonly durable: string | undefined
  readonly ttl: string
}

/** Lists are cut after so many. */
const MOST_LISTED = 8

const LABEL = 13

export const screen = (facts: Screen, width: number): ReadonlyArray<Line> => [
  [
    span(`genai-dispatcher ${facts.version}`, "bold"),
    span(" serves on "),
    span(facts.url, "cyan"),
    span(facts.access._tag === "Keys" ? ", with API keys" : ", open, without API keys")
  ],
  [],
  ...entry("docs", [`${facts.url}/docs`], width),
  ...entry("metrics", [`${facts.url}/metrics`], width),
  ...entry("config", [facts.source], width),
  ...entry("keys", [keysText(facts.access)], width),
  ...entry("models", modelTexts(facts), width),
  ...entry("endpoints", list(facts.endpoints.map(({ host, kind, name }) => `${name}: ${kind} at ${host}`)), width),
  ...entry("jobs", [jobsText(facts.jobs)], width),
  ...((facts.processes ?? 1) === 1 ? [] : entry("processes", [`${facts.processes}, which share all limits`], width)),
  ...entry("try it", [tryIt(facts)], Number.POSITIVE_INFINITY),
  [],
  [span("Ctrl-C stops it: what runs may end first.", "dim")]
]

const entry = (label: string, texts: ReadonlyArray<string>, width: number): ReadonlyArray<Line> =>
  texts
    .flatMap((text) => Text.wrap(text, Math.max(30, width - LABEL)))
    .map((part, index): Line => [span(`  ${(index === 0 ? label : "").padEnd(LABEL - 2)}`, "dim"), span(part)])

const list = (texts: ReadonlyArray<string>): ReadonlyArray<string> =>
  texts.length <= MOST_LISTED
    ? texts
    : [...texts.slice(0, MOST_LISTED - 1), `and ${Format.count(texts.length - MOST_LISTED + 1)} more`]

const keysText = (access: Access): string => {
  switch (access._tag) {
    case "Keys":
      return `${Format.plural(access.names.length, "key")}: ${list(access.names).join(", ")}`
    case "ThisMachine":
      return "none, so that every program on this machine may use it"
    case "Anybody":
      return "none (--no-auth), so that everybody who reaches this address may use it"
  }
}

const modelTexts = ({ models, takesAnyModel }: Screen): ReadonlyArray<string> => [
  ...list(models.map(({ endpoints, name }) => `${name} -> ${list(endpoints).join(", ")}`)),
  ...(takesAnyModel ? [models.length === 0 ? "any" : "any other"] : [])
]

const jobsText = ({ durable, ttl }: JobsPlace): string =>
  durable === undefined
    ? `in memory, gone when it stops; answers are kept for ${ttl}`
    : `in ${durable}; answers are kept for ${ttl}`

/** Without a key in it: it may be copied and shown. */
const tryIt = ({ access, models, url }: Screen): string => {
  const key = access._tag === "Keys" ? " -H 'authorization: Bearer KEY'" : ""
  const body = JSON.stringify({ model: models[0]?.name ?? "MODEL", messages: [{ role: "user", content: "Hello" }] })
  return `curl ${url}/v1/chat/completions${key} -H 'content-type: application/json' -d '${body.replaceAll("'", "'\\''")}'`
}

/** What was done, counted in sends to endpoints, and the jobs as they are kept; none when the store could not be asked. */
export interface Accounts {
  readonly sent: number
  readonly succeeded: number
  readonly failed: number
  readonly jobs: Readonly<Record<JobStatus, number>> | undefined
}

/** Something was cut off; at the next start, or never again. */
export const stoppedAtOnce = ({ durable }: JobsPlace): string =>
  durable === undefined
    ? "Stopped at once: what was in flight is cut off."
    : "Stopped at once: what was in flight is cut off; jobs among it are run again at the next start."

/** For those who stop it while it starts. */
export const neverServed: Line = [span("Stopped", "bold"), span(" before it served")]

export const summary = ({ failed, jobs, sent, succeeded }: Accounts, { durable }: JobsPlace): Line => {
  const left = jobs === undefined ? 0 : jobs.Pending + jobs.Running
  const where = durable === undefined ? " not run" : ` left in ${durable} for the next start`
  return [
    span("Stopped", "bold"),
    span(`: ${Format.plural(sent, "request")} sent to endpoints, ${Format.count(succeeded)} answered`),
    ...(failed === 0 ? [] : [span(`, ${Format.count(failed)} failed`)]),
    ...(left === 0 ? [] : [span(`; ${Format.plural(left, "job")}${where}`, "yellow")])
  ]
}
