/** The display that is redrawn on a terminal: a bar, the counts, a line per endpoint. */
import * as Format from "./Format.ts"
import type { Line, Span } from "./Line.ts"
import { span } from "./Line.ts"
import type { EndpointView, RunView } from "./RunView.ts"
import type { Column } from "./Table.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/** Cells and rows of the terminal. */
export interface Screen {
  readonly width: number
  readonly height: number
}

/** The lines of the display; never more than fit on the screen, else the terminal scrolls and redrawing goes astray. */
export const live = (view: RunView, screen: Screen): ReadonlyArray<Line> => {
  const head = [barLine(view, screen.width), countsLine(view), ratesLine(view)]
  const room = Math.max(0, screen.height - head.length - 3)
  const shown = view.endpoints.length > room ? view.endpoints.slice(0, Math.max(0, room - 1)) : view.endpoints
  const hidden = view.endpoints.length - shown.length
  return [
    ...head,
    ...(shown.length > 0 ? [[], ...table(columns, shown.map(endpointRow))] : []),
    ...(hidden > 0 ? [[span(`and ${Format.plural(hidden, "more endpoint")}`, "dim")]] : [])
  ]
}

const barLine = (view: RunView, width: number): Line => {
  const { total } = view.rows
  if (total === undefined)
    return [span(Text.oneLine(view.title), "bold"), span(`  ${Format.count(view.done)} rows done`)]
  const share = total === 0 ? 1 : view.done / total
  const figures = `${Format.count(view.done)}/${Format.count(total)}  ${Format.progress(share).padStart(5)}`
  const title = Text.truncate(Text.oneLine(view.title), Math.max(8, Math.floor(width / 3)))
  const cells = Math.min(MAX_BAR, width - Text.width(title) - Text.width(figures) - 4)
  return [
    span(title, "bold"),
    span("  "),
    ...(cells >= MIN_BAR ? [...bar(share, view.rows.failed / Math.max(1, total), cells), span("  ")] : []),
    span(figures)
  ]
}

const MIN_BAR = 8
const MAX_BAR = 60

/** What failed is the red end of what is done. */
const bar = (done: number, failed: number, cells: number): ReadonlyArray<Span> => {
  const full = Math.floor(Math.min(1, done) * cells)
  const red = failed > 0 ? Math.min(full, Math.max(1, Math.round(failed * cells))) : 0
  return [span("█".repeat(full - red), "green"), span("█".repeat(red), "red"), span("░".repeat(cells - full), "dim")]
}

const countsLine = (view: RunView): Line => [
  ...figure("ok", Format.count(view.rows.saved), "green"),
  ...figure("failed", Format.count(view.rows.failed), view.rows.failed > 0 ? "red" : "plain"),
  ...figure("retried", Format.count(view.retried), view.retried > 0 ? "yellow" : "plain"),
  ...figure("in flight", Format.count(view.inflight), "plain"),
  ...(view.rows.resumed > 0 ? figure("from earlier runs", Format.count(view.rows.resumed), "plain") : [])
]

const ratesLine = (view: RunView): Line => [
  ...figure("requests/s", Format.rate(view.requestsPerSecond), "plain"),
  ...figure("tokens/s", tokens(view.tokensPerSecond), "plain"),
  ...(view.cost === undefined ? [] : figure("cost", Format.money(view.cost), "plain")),
  ...figure("elapsed", Format.clock(Math.floor(view.elapsedMs / 1000) * 1000), "plain"),
  ...(view.stopping
    ? [span("stopping", "yellow")]
    : figure("ETA", view.etaMs === undefined ? Format.unknown : Format.clock(view.etaMs), "cyan"))
]

const figure = (label: string, value: string, style: Span["style"]): ReadonlyArray<Span> => [
  span(`${label} `, "dim"),
  span(value, style),
  span("   ")
]

const tokens = (perSecond: number | undefined): string =>
  perSecond === undefined ? Format.unknown : Format.compact(perSecond)

const columns: ReadonlyArray<Column> = [
  { title: "endpoint", align: "left" },
  { title: "share", align: "right" },
  { title: "in flight", align: "right" },
  { title: "queued", align: "right" },
  { title: "ok", align: "right" },
  { title: "errors", align: "right" },
  { title: "p50", align: "right" }
]

const endpointRow = (endpoint: EndpointView): ReadonlyArray<Span> => [
  span(Text.truncate(Text.oneLine(endpoint.name), 24), "bold"),
  span(Format.percent(endpoint.share)),
  span(Format.count(endpoint.inflight)),
  span(Format.count(endpoint.queued)),
  span(Format.count(endpoint.ok), endpoint.ok > 0 ? "green" : "plain"),
  span(Format.count(endpoint.errors), endpoint.errors > 0 ? "red" : "plain"),
  span(Format.latency(endpoint.p50Ms))
]
