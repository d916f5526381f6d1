/** Draws results as SVG: horizontal bars with their spread, readable on light and dark pages alike. */
import { figure, ratioOf } from "./Report.ts"
import type { CaseResult, Result } from "./Statistics.ts"

const WIDTH = 860
const LABELS = 250
const VALUES = 190
const BAR = 18
const STEP = 34
const TOP = 74
const BARS = WIDTH - LABELS - VALUES

/** Mid tones: they stand out from white as from black. */
const INK = "#7d8590"
const OURS = "#2f81f7"
const BASELINE = "#9198a1"

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (it) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[it] ?? it)

const text = (x: number, y: number, content: string, more = ""): string =>
  `<text x="${x}" y="${y}" fill="${INK}" ${more}>${escaped(content)}</text>`

/** One picture: a bar for each case, as long as its median; a line from the least to the most. */
export const plot = (result: Result): string => {
  const { cases, measure, operation } = result
  const spreadOf = (one: CaseResult) => (measure === "rate" ? one.perSecond : one.millisPerOperation)
  const longest = Math.max(...cases.map((one) => spreadOf(one).max), Number.MIN_VALUE)
  const x = (value: number): string => (LABELS + (value / longest) * BARS).toFixed(1)
  const bars = cases.map((one, row) => {
    const { max, median, min } = spreadOf(one)
    const y = TOP + row * STEP
    const middle = y + BAR / 2
    const ratio = ratioOf(one, measure)
    const value = `${figure(median)}${one.isBaseline || ratio === "" ? "" : `  (${ratio} x)`}`
    const length = ((median / longest) * BARS).toFixed(1)
    return [
      text(LABELS - 10, middle + 4, one.name, 'text-anchor="end"'),
      `<rect x="${LABELS}" y="${y}" width="${length}" height="${BAR}" rx="2" fill="${one.isBaseline ? BASELINE : OURS}"/>`,
      `<path d="M${x(min)} ${middle}H${x(max)}M${x(min)} ${middle - 5}v10M${x(max)} ${middle - 5}v10" stroke="${INK}" stroke-width="1.5" fill="none"/>`,
      text(WIDTH - VALUES + 12, middle + 4, value)
    ].join("\n")
  })
  const unit =
    measure === "rate" ? `${operation}s per second: longer is better` : `ms per ${operation}: shorter is better`
  const height = TOP + cases.length * STEP + 12
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="${escaped(result.name)}">`,
    text(12, 24, result.name, 'font-size="17" font-weight="600"'),
    text(
      12,
      46,
      `${unit}; medians of ${result.repeats}, lines from the least to the most; in brackets: times the baseline (grey)`
    ),
    ...bars,
    "</svg>",
    ""
  ].join("\n")
}
