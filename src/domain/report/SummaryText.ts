/** The summary that people read at the end of a run. */

import { type Cost, totalOf } from "../genai/Prices.ts"
import * as Format from "./Format.ts"
import type { Line, Span } from "./Line.ts"
import { span } from "./Line.ts"
import type { EndpointSummary, Summary } from "./Summary.ts"
import type { Column } from "./Table.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/** The lines of the summary; sentences break at `width` cells, paths and commands are never cut. */
export const lines = (summary: Summary, width: number): ReadonlyArray<Line> =>
  [
    headline(summary, width),
    [...endpointTable(summary), ...costs(summary, width)],
    endpointErrors(summary, width),
    failedRows(summary, width),
    files(summary),
    commands(summary)
  ]
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index === 0 ? block : [[], ...block]))

const headline = (summary: Summary, width: number): ReadonlyArray<Line> => {
  const { rows } = summary
  const total = rows.total ?? rows.saved + rows.failed
  const all = rows.saved === total && summary.outcome === "completed"
  const facts = [
    `${Format.duration(summary.elapsedMs)}, ${Format.rate(summary.rowsPerSecond)} rows/s`,
    ...(summary.retried > 0 ? [Format.plural(summary.retried, "retry", "retries")] : []),
    ...(rows.resumed > 0 ? [`${Format.plural(rows.resumed, "row")} from earlier runs`] : [])
  ].join(", ")
  const line: Line = [
    summary.outcome === "interrupted" ? span(interruption(summary), "yellow") : span(""),
    all && total !== 1
      ? span(`all ${Format.plural(total, "row")} saved`.replace(/^a/, "A"), "green")
      : span(
          rows.total === undefined
            ? `${Format.plural(rows.saved, "row")} saved`
            : `${Format.count(rows.saved)} of ${Format.plural(total, "row")} saved`,
          rows.saved > 0 ? "green" : "plain"
        ),
    ...(rows.failed > 0 ? [span(", "), span(`${Format.count(rows.failed)} failed`, "red")] : []),
    ...(summary.outcome === "interrupted" && summary.left !== undefined
      ? [span(", "), span(`${Format.count(summary.left)} left`, "yellow")]
      : [])
  ]
  const cells = line.reduce((sum, part) => sum + Text.width(part.text), 0)
  return cells + facts.length + 4 <= width ? [[...line, span(`  (${facts})`, "dim")]] : [line, [span(facts, "dim")]]
}

const interruption = ({ stoppedBy }: Summary): string =>
  stoppedBy === undefined ? "Interrupted: " : `Stopped by ${stoppedBy}: `

const baseColumns: ReadonlyArray<Column> = [
  { title: "endpoint", align: "left" },
  { title: "sent", align: "right" },
  { title: "share", align: "right" },
  { title: "ok", align: "right" },
  { title: "errors", align: "right" },
  { title: "p50", align: "right" },
  { title: "p95", align: "right" },
  { title: "p99", align: "right" },
  { title: "tok in", align: "right" },
  { title: "tok out", align: "right" }
]

const endpointTable = (summary: Summary): ReadonlyArray<Line> => {
  const { cost, endpoints } = summary
  const columns = cost === undefined ? baseColumns : [...baseColumns, costColumn]
  const total = (figure: (endpoint: EndpointSummary) => number): number =>
    endpoints.reduce((sum, endpoint) => sum + figure(endpoint), 0)
  const totals =
    endpoints.length < 2
      ? []
      : [
          [
            span("total", "bold"),
            ...counts(
              total((endpoint) => endpoint.sent),
              total((endpoint) => endpoint.share),
              total((endpoint) => endpoint.ok),
              total((endpoint) => endpoint.errorCount)
            ),
            span(""),
            span(""),
            span(""),
            span(Format.compact(total((endpoint) => endpoint.inputTokens))),
            span(Format.compact(total((endpoint) => endpoint.outputTokens))),
            moneySpan(cost)
          ]
        ]
  return table(columns, [...endpoints.map(endpointRow), ...totals])
}

const endpointRow = (endpoint: EndpointSummary): ReadonlyArray<Span> => [
  span(Text.truncate(Text.oneLine(endpoint.name), 24), "bold"),
  ...counts(endpoint.sent, endpoint.share, endpoint.ok, endpoint.errorCount),
  span(Format.latency(endpoint.p50Ms)),
  span(Format.latency(endpoint.p95Ms)),
  span(Format.latency(endpoint.p99Ms)),
  span(Format.compact(endpoint.inputTokens)),
  span(Format.compact(endpoint.outputTokens)),
  moneySpan(endpoint.cost)
]

const costColumn: Column = { title: "cost", align: "right" }

const moneySpan = (cost: Cost | undefined): Span =>
  span(cost === undefined ? Format.unknown : Format.money(totalOf(cost)))

/** What the cost is made of, and what is missing in it. */
const costs = (summary: Summary, width: number): ReadonlyArray<Line> => {
  const { cost, endpoints } = summary
  if (cost === undefined) return []
  const parts = [
    `input ${Format.money(cost.input)}`,
    ...(cost.cachedInput > 0 ? [`cached input ${Format.money(cost.cachedInput)}`] : []),
    `output ${Format.money(cost.output)}`
  ]
  const unpriced = endpoints.filter((endpoint) => endpoint.cost === undefined && endpoint.ok > 0)
  const unmetered = endpoints.reduce((sum, endpoint) => sum + (endpoint.cost === undefined ? 0 : endpoint.unmetered), 0)
  const missing = [
    ...unpriced.map(({ name }) => `${Text.truncate(Text.oneLine(name), 24)} (no prices)`),
    ...(unmetered > 0 ? [`${Format.plural(unmetered, "answer")} without reported usage`] : [])
  ]
  return [
    `cost ${Format.money(totalOf(cost))} by reported usage: ${parts.join(", ")}`,
    ...(missing.length === 0 ? [] : [`not in it: ${missing.join(", ")}`])
  ].flatMap((sentence) => Text.wrap(sentence, width).map((part): Line => [span(part, "dim")]))
}

const counts = (sent: number, share: number, ok: number, errors: number): ReadonlyArray<Span> => [
  span(Format.count(sent)),
  span(Format.percent(share)),
  span(Format.count(ok), ok > 0 ? "green" : "plain"),
  span(Format.count(errors), errors > 0 ? "red" : "plain")
]

/** Which errors the endpoints gave, one endpoint after the other. */
const endpointErrors = (summary: Summary, width: number): ReadonlyArray<Line> => {
  const noted = summary.endpoints
    .map((endpoint) => ({
      name: Text.truncate(Text.oneLine(endpoint.name), 24),
      errors: [
        Format.tally(endpoint.errors),
        ...(endpoint.aborted > 0 ? [`${Format.count(endpoint.aborted)} cut off`] : [])
      ]
        .filter((part) => part !== "")
        .join(", ")
    }))
    .filter(({ errors }) => errors !== "")
  const indent = Math.max(0, ...noted.map(({ name }) => Text.width(name))) + 4
  return noted.length === 0
    ? []
    : [
        [span("errors of endpoints", "dim")],
        ...noted.flatMap(({ errors, name }) =>
          Text.wrap(errors, Math.max(20, width - indent)).map(
            (part, index): Line => [
              span(Text.padEnd(index === 0 ? `  ${name}` : "", indent), "bold"),
              span(part, "plain")
            ]
          )
        )
      ]
}

const failedRows = (summary: Summary, width: number): ReadonlyArray<Line> => {
  const failed = Object.values(summary.failures).reduce((sum, n) => sum + n, 0)
  if (failed === 0) return []
  const digits = Math.max(...summary.samples.map(({ line }) => Format.count(line).length), 0)
  const reasons = Math.max(...summary.samples.map(({ reason }) => Text.width(reason)), 0)
  const more = failed - summary.samples.length
  return [
    [span("failed rows  ", "dim"), span(Format.tally(summary.failures), "red")],
    ...summary.samples.map(
      ({ error, line, reason }): Line => [
        span(`  line ${Format.count(line).padStart(digits)}  `),
        span(Text.padEnd(reason, reasons), "red"),
        span(`  ${Text.truncate(Text.oneLine(error), Math.max(20, width - digits - reasons - 11))}`)
      ]
    ),
    ...(more > 0 ? [[span(`  and ${Format.count(more)} more`, "dim")]] : [])
  ]
}

const files = (summary: Summary): ReadonlyArray<Line> => [
  [span("saved   ", "dim"), span(summary.saveFile === "-" ? "standard output" : summary.saveFile)],
  ...(summary.rows.failed > 0 ? [[span("errors  ", "dim"), span(summary.errorsFile)]] : [])
]

const commands = (summary: Summary): ReadonlyArray<Line> => [
  ...(summary.resume === undefined ? [] : [[span("go on with          ", "dim"), span(summary.resume, "cyan")]]),
  ...(summary.rerun === undefined ? [] : [[span("send errors again   ", "dim"), span(summary.rerun, "cyan")]])
]
