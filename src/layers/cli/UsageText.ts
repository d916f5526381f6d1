/** One sentence for each way to get the command line wrong. */
import type * as CliError from "effect/cli/CliError"
import type * as HelpDoc from "effect/cli/HelpDoc"
import * as Text from "../../domain/report/Text.ts"
import { nearest } from "../../domain/Suggestion.ts"

/** The sentence for an error of the command line. `doc` is the help of the command that was meant. */
export const usageText = (error: CliError.NonShowHelpErrors, doc: HelpDoc.HelpDoc): string => {
  switch (error._tag) {
    case "UnrecognizedOption": {
      const name = error.option.replace(/^-+/, "")
      const near = nearest(
        name,
        [...doc.flags, ...(doc.globalFlags ?? [])].map((flag) => flag.name)
      )
      // Who writes underscores is answered with underscores.
      const meant = near !== undefined && name.includes("_") ? near.replaceAll("-", "_") : near
      return `There is no flag ${said(error.option)}${meant === undefined ? "." : `; did you mean --${meant}?`}`
    }
    case "UnknownSubcommand": {
      const commands = (doc.subcommands ?? []).flatMap((group) => group.commands.map((command) => command.name))
      const near = nearest(error.subcommand, commands)
      const meant =
        near !== undefined
          ? `did you mean ${near}?`
          : /[./\\]/.test(error.subcommand)
            ? `to send a file, write run ${said(error.subcommand)}.`
            : `there are ${commands.slice(0, -1).join(", ")} and ${commands.at(-1)}.`
      return `There is no command ${said(error.subcommand)}; ${meant}`
    }
    case "UnexpectedArgument":
      return `There is one word too many: ${error.arguments.map(said).join(" ")}.`
    case "MissingArgument":
      return `${error.argument} is missing.`
    case "MissingOption":
      return `--${error.option} is missing.`
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : error.option
      if (error.expected === "at most 1 value") return `${name} is given more than once.`
      const expected = inWords(error.expected)
      return error.value === ""
        ? `${name} has no value; write ${name} ${expected}.`
        : `${name} cannot be ${said(error.value)}; it must be ${expected}.`
    }
    default:
      return Text.oneLine(error.message)
  }
}

/** What the parser expects, as people would say it. */
const inWords = (expected: string): string =>
  expected
    .replace(/^Expected:? /, "")
    .replace("a string representing a finite number", "a number")
    .replaceAll('"', "")
    .replace(/ \| (?=[^|]*$)/, " or ")
    .replaceAll(" | ", ", ")

/** What the user wrote, short and on one line. */
const said = (text: string): string => Text.truncate(Text.oneLine(text), 60)
