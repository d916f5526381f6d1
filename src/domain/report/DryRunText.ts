/** What a dry run found: the settings, the files, the rows, and where they would go. */
import { ASSUMED_ANSWER, BYTES_PER_TOKEN, type EstimatedEndpoint } from "./Estimate.ts"
import * as Format from "./Format.ts"
import type { Line } from "./Line.ts"
import { span } from "./Line.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

export interface DryRun {
  /** Where the settings come from, in a few words. */
  readonly source: string
  /** The settings, without secrets, a line each. */
  readonly settings: ReadonlyArray<string>
  readonly input: string
  readonly saveFile: string
  readonly errorsFile: string
  readonly valid: number
  readonly invalid: number
  /** Done by earlier runs. */
  readonly resumed: number
  /** The first invalid rows. */
  readonly samples: ReadonlyArray<{ readonly line: number; readonly error: string }>
  readonly endpoints: ReadonlyArray<EstimatedEndpoint>
  /** The budget of the run, if any. */
  readonly maxCost: number | undefined
  /** Whether shares follow weights exactly, or only as far as load allows. */
  readonly exactShares: boolean
}

export const lines = (dryRun: DryRun, width: number): ReadonlyArray<Line> => {
  const digits = Math.max(0, ...dryRun.samples.map(({ line }) => Format.count(line).length))
  const more = dryRun.invalid - dryRun.samples.length
  return [
    [span("Dry run: nothing is sent and nothing is written.", "bold")],
    [],
    [span("config  ", "dim"), span(dryRun.source)],
    ...dryRun.settings.flatMap((setting) => hanging(setting, width)),
    [span("input   ", "dim"), span(dryRun.input === "-" ? "standard input" : dryRun.input)],
    [span("saved   ", "dim"), span(dryRun.saveFile === "-" ? "standard output" : dryRun.saveFile)],
    [span("errors  ", "dim"), span(dryRun.errorsFile)],
    [],
    [
      span("rows    ", "dim"),
      span(`${Format.count(dryRun.valid)} valid`, "green"),
      span(", "),
      span(`${Format.count(dryRun.invalid)} invalid`, dryRun.invalid > 0 ? "red" : "plain"),
      ...(dryRun.resumed > 0 ? [span(`, ${Format.count(dryRun.resumed)} done by earlier runs`)] : [])
    ],
    ...dryRun.samples.map(
      ({ error, line }): Line => [
        span(`  line ${Format.count(line).padStart(digits)}  `),
        span(Text.truncate(Text.oneLine(error), Math.max(20, width - digits - 9)), "red")
      ]
    ),
    ...(more > 0 ? [[span(`  and ${Format.count(more)} more`, "dim")]] : []),
    [],
    ...shareTable(dryRun),
    ...(dryRun.exactShares ? [] : [[span("by weight; the real shares follow the load as well", "dim")]]),
    ...Text.wrap(ASSUMPTIONS, width).map((part): Line => [span(part, "dim")]),
    ...overBudget(dryRun)
  ]
}

const INDENT = "        "

const hanging = (setting: string, width: number): ReadonlyArray<Line> => {
  const inner = setting.startsWith(" ") ? `${INDENT}  ` : INDENT
  return Text.wrap(setting, Math.max(30, width - inner.length - 2)).map(
    (part, index): Line => [span(`${inner}${index === 0 ? "" : "  "}${part}`)]
  )
}

const ASSUMPTIONS =
  `Tokens and cost are estimates: ${BYTES_PER_TOKEN} bytes of text a token, answers as long as max_tokens allows ` +
  `(${ASSUMED_ANSWER} tokens without one), no retries, nothing from caches.`

const overBudget = (dryRun: DryRun): ReadonlyArray<Line> => {
  const { endpoints, maxCost } = dryRun
  const cost = sumOf(endpoints.map((endpoint) => endpoint.cost))
  return maxCost === undefined || cost === undefined || cost < maxCost
    ? []
    : [[span(`more than --max-cost ${maxCost}: the run would stop on the way`, "yellow")]]
}

/** The sum of what is known; `undefined` when nothing is. */
const sumOf = (figures: ReadonlyArray<number | undefined>): number | undefined => {
  const known = figures.filter((figure) => figure !== undefined)
  return known.length === 0 ? undefined : known.reduce((sum, figure) => sum + figure, 0)
}

const shareTable = ({ endpoints }: DryRun): ReadonlyArray<Line> => {
  const weights = endpoints.reduce((total, { weight }) => total + weight, 0)
  const figures = ({ cost, inputTokens, outputTokens, rows }: Omit<EstimatedEndpoint, "name" | "weight">) => [
    span(Format.count(rows)),
    ...[inputTokens, outputTokens].map((n) => span(n === undefined ? Format.unknown : Format.compact(n))),
    span(cost === undefined ? Format.unknown : Format.money(cost))
  ]
  const total = {
    rows: endpoints.reduce((sum, { rows }) => sum + rows, 0),
    inputTokens: sumOf(endpoints.map(({ inputTokens }) => inputTokens)),
    outputTokens: sumOf(endpoints.map(({ outputTokens }) => outputTokens)),
    cost: sumOf(endpoints.map(({ cost }) => cost))
  }
  return table(
    [
      { title: "endpoint", align: "left" },
      { title: "weight", align: "right" },
      { title: "share", align: "right" },
      { title: "rows", align: "right" },
      { title: "tok in", align: "right" },
      { title: "tok out", align: "right" },
      ...(total.cost === undefined ? [] : [{ title: "cost", align: "right" } as const])
    ],
    [
      ...endpoints.map((endpoint) => [
        span(Text.truncate(Text.oneLine(endpoint.name), 24), "bold"),
        span(String(endpoint.weight)),
        span(Format.percent(endpoint.weight / weights)),
        ...figures(endpoint)
      ]),
      ...(endpoints.length < 2 ? [] : [[span("total", "bold"), span(""), span(""), ...figures(total)]])
    ]
  )
}
