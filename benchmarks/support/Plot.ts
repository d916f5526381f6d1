/** Draws results as SVG: horizontal bars with their spread, readable on light and dark pages alike. */
import type { Chart } from "./Benchmark.ts"
import { figure, ratioOf } from "./Report.ts"
import type { CaseResult, Result, Spread } from "./Statistics.ts"

const WIDTH = 900
const VALUES = 130
const BAR = 16
const STEP = 26
/** Between groups of cases that are compared, and between charts. */
const GROUP_GAP = 12
const CHART_GAP = 22
const TOP = 56
/** Of a character of the labels, about. */
const CHARACTER = 7.3

/** Mid tones: they stand out from white as from black. */
const INK = "#7d8590"
const OURS = "#2f81f7"
const BASELINE = "#9198a1"
const LIMIT = "#d1742f"

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (it) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[it] ?? it)

const text = (x: number, y: number, content: string, more = `fill="${INK}"`): string =>
  `<text x="${x.toFixed(1)}" y="${y}" ${more}>${escaped(content)}</text>`

const valueOf = (one: CaseResult, of: Chart["of"]): Spread | undefined => {
  if (of === "perSecond") return one.perSecond
  if (of === "millis") return one.millisPerOperation
  if (of === "cpuMicros") return one.cpuMicrosPerOperation
  if (of === "peakRssMb") return one.peakRssMb
  return one.figures[of]
}

interface Row {
  readonly one: CaseResult
  readonly value: Spread
}

/** How many times the baseline of its group, where there is one. */
const times = ({ one, value }: Row, rows: ReadonlyArray<Row>, chart: Chart): string => {
  const baseline = rows.find(({ one: other }) => other.isBaseline && other.group === one.group)
  if (one.isBaseline || baseline === undefined) return ""
  // What the machine does meanwhile changes rates from round to round: it is the median of the rounds' ratios.
  if (chart.of === "perSecond") return ` (${ratioOf(one, "rate")} x)`
  if (chart.of === "millis") return ` (${ratioOf(one, "time")} x)`
  return ` (${figure(value.median / baseline.value.median)} x)`
}

/** Title, bars, and the line of the limit; and the height of it all. */
const chartAt = (top: number, chart: Chart, cases: ReadonlyArray<CaseResult>) => {
  const rows = cases.flatMap((one): ReadonlyArray<Row> => {
    const value = chart.except?.includes(one.name) === true ? undefined : valueOf(one, chart.of)
    return value === undefined ? [] : [{ one, value }]
  })
  const labels = 24 + CHARACTER * Math.max(0, ...rows.map(({ one }) => one.name.length))
  const width = WIDTH - labels - VALUES
  const longest = Math.max(chart.limit ?? 0, ...rows.map(({ value }) => value.max), Number.MIN_VALUE)
  const length = (value: number): number => Math.max(0, (value / longest) * width)
  const x = (value: number): string => (labels + length(value)).toFixed(1)
  const drawn: Array<string> = [text(12, top + 14, chart.title, `fill="${INK}" font-weight="600"`)]
  let y = top + 28
  let group = rows[0]?.one.group
  for (const row of rows) {
    const { one, value } = row
    if (one.group !== group) y += GROUP_GAP
    group = one.group
    const middle = y + BAR / 2
    const [median, min, max] = [x(value.median), x(value.min), x(value.max)]
    drawn.push(
      text(labels - 10, middle + 4, one.name, `fill="${INK}" text-anchor="end"`),
      `<rect x="${labels.toFixed(1)}" y="${y}" width="${length(value.median).toFixed(1)}" height="${BAR}" rx="2" fill="${one.isBaseline ? BASELINE : OURS}"/>`,
      text(Math.max(Number(median), Number(max)) + 8, middle + 4, `${figure(value.median)}${times(row, rows, chart)}`)
    )
    if (min !== max) {
      drawn.push(
        `<path d="M${min} ${middle}H${max}M${min} ${middle - 4}v8M${max} ${middle - 4}v8" stroke="${INK}" stroke-width="1.5" fill="none"/>`
      )
    }
    y += STEP
  }
  if (chart.limit !== undefined) {
    const at = x(chart.limit)
    drawn.push(
      `<path d="M${at} ${top + 20}V${y}" stroke="${LIMIT}" stroke-width="1.5" stroke-dasharray="4 3"/>`,
      text(Number(at), top + 14, figure(chart.limit), `fill="${LIMIT}" text-anchor="middle"`)
    )
  }
  return { drawn, bottom: y }
}

/** One picture: for each chart a bar for each case, as long as its median, and a line from the least to the most. */
export const plot = ({ cases, charts, name, repeats }: Result): string => {
  const drawn: Array<string> = []
  let y = TOP
  for (const chart of charts) {
    const one = chartAt(y, chart, cases)
    drawn.push(...one.drawn)
    y = one.bottom + CHART_GAP
  }
  const notes = [
    repeats > 1 ? `medians of ${repeats}, lines from the least to the most` : "one run",
    cases.some(({ isBaseline }) => isBaseline) ? "grey: the baseline; in brackets: times the baseline" : [],
    charts.some(({ limit }) => limit !== undefined) ? "dashed: the limit" : []
  ]
  const height = y - CHART_GAP + 10
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escaped(name)}">`,
    text(12, 24, name, `fill="${INK}" font-size="17" font-weight="600"`),
    text(12, 44, notes.flat().join("; ")),
    ...drawn,
    "</svg>",
    ""
  ].join("\n")
}
