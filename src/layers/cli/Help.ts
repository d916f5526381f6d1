/** `--help` as people read it: flags in groups, descriptions that wrap, defaults in them. */

import * as Context from "effect/Context"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Option from "effect/Option"
import type { Line } from "../../domain/report/Line.ts"
import { span } from "../../domain/report/Line.ts"
import * as Text from "../../domain/report/Text.ts"

/** Headings for a command's flags and the names under them; a flag without one stands under `Flags`. */
export const FlagGroups = Context.Reference<Readonly<Record<string, ReadonlyArray<string>>>>(
  "genai-dispatcher/layers/cli/FlagGroups",
  { defaultValue: () => ({}) }
)

/** Cells of the column with the names. */
const NAMES = 31

export const help = (doc: HelpDoc.HelpDoc, width: number): ReadonlyArray<Line> =>
  [
    Text.wrap(doc.description, width).map((part): Line => [span(part)]),
    section("Usage", [[span(`  ${doc.usage.replaceAll(/\[<(.+?)>\]/g, "[$1]")}`, "cyan")]]),
    section(
      "Arguments",
      (doc.args ?? []).flatMap((arg) => entry(arg.name, arg.description, width))
    ),
    ...groups(doc).map(([heading, flags]) =>
      section(
        heading,
        flags.flatMap((flag) => entry(flagNames(flag), flag.description, width))
      )
    ),
    section(
      "Commands",
      (doc.subcommands ?? []).flatMap(({ commands }) =>
        commands.flatMap((command) =>
          entry(command.name, Option.some(command.shortDescription ?? command.description), width)
        )
      )
    ),
    section("Examples", (doc.examples ?? []).flatMap(example))
  ]
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index === 0 ? block : [[], ...block]))

const section = (heading: string, lines: ReadonlyArray<Line>): ReadonlyArray<Line> =>
  lines.length === 0 ? [] : [[span(heading, "bold")], ...lines]

const groups = (doc: HelpDoc.HelpDoc): ReadonlyArray<readonly [string, ReadonlyArray<HelpDoc.FlagDoc>]> => {
  const named = Object.entries(Context.get(doc.annotations, FlagGroups))
  const grouped = new Set(named.flatMap(([, names]) => names))
  const rest = [...doc.flags, ...(doc.globalFlags ?? [])].filter((flag) => !grouped.has(flag.name))
  return [
    ...named.map(([heading, names]) => [heading, doc.flags.filter((flag) => names.includes(flag.name))] as const),
    [named.length === 0 ? "Flags" : "Other", rest] as const
  ]
}

/** `--max-attempts N`; the spelling with underscores goes without saying it each time. */
const flagNames = (flag: HelpDoc.FlagDoc): string => {
  const names = [...flag.aliases.filter((alias) => !alias.startsWith("--")), `--${flag.name}`].join(", ")
  return flag.type === "boolean" ? names : `${names} ${flag.type}`
}

const entry = (names: string, description: Option.Option<string>, width: number): ReadonlyArray<Line> => {
  const parts = Text.wrap(
    Option.getOrElse(description, () => ""),
    Math.max(30, width - NAMES)
  )
  const left = `  ${names}`
  const ownLine = Text.width(left) > NAMES - 1
  const rows = ownLine ? ["", ...parts] : parts
  return rows.map(
    (part, index): Line => [
      span(index === 0 ? (ownLine ? left : Text.padEnd(left, NAMES)) : " ".repeat(NAMES), "green"),
      span(part)
    ]
  )
}

const example = (doc: HelpDoc.ExampleDoc, index: number): ReadonlyArray<Line> => [
  ...(doc.description === undefined ? [] : [...(index === 0 ? [] : [[]]), [span(`  # ${doc.description}`, "dim")]]),
  [span(`  ${doc.command}`, "cyan")]
]
