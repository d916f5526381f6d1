/** What a dry run found: the settings, the files, the rows, and where they would go. */
import * as Format from "./Format.ts"
import type { Line } from "./Line.ts"
import { span } from "./Line.ts"
import { shares } from "./Shares.ts"
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
  readonly endpoints: ReadonlyArray<{ readonly name: string; readonly weight: number }>
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
    ...(dryRun.exactShares ? [] : [[span("by weight; the real shares follow the load as well", "dim")]])
  ]
}

const INDENT = "        "

const hanging = (setting: string, width: number): ReadonlyArray<Line> => {
  const inner = setting.startsWith(" ") ? `${INDENT}  ` : INDENT
  return Text.wrap(setting, Math.max(30, width - inner.length - 2)).map(
    (part, index): Line => [span(`${inner}${index === 0 ? "" : "  "}${part}`)]
  )
}

const shareTable = (dryRun: DryRun): ReadonlyArray<Line> => {
  const weights = dryRun.endpoints.map(({ weight }) => weight)
  const rows = shares(dryRun.valid, weights)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  return table(
    [
      { title: "endpoint", align: "left" },
      { title: "weight", align: "right" },
      { title: "share", align: "right" },
      { title: "rows", align: "right" }
    ],
    dryRun.endpoints.map(({ name, weight }, index) => [
      span(Text.truncate(Text.oneLine(name), 24), "bold"),
      span(String(weight)),
      span(Format.percent(weight / sum)),
      span(Format.count(rows[index] ?? 0))
    ])
  )
}
