/** What may be told of a defect: where it is, and nothing that somebody has sent. */
import * as Cause from "effect/Cause"

export type Broken = { readonly _tag: "Interrupted" } | { readonly _tag: "Defect"; readonly where: string }

/** Messages of errors may quote what they were made of, such as a prompt; names and places do not. */
export const causeOf = (cause: Cause.Cause<unknown>): Broken =>
  Cause.hasInterruptsOnly(cause) ? { _tag: "Interrupted" } : { _tag: "Defect", where: whereOf(Cause.squash(cause)) }

export const whereOf = (defect: unknown): string => {
  if (!(defect instanceof Error)) return `a value of type ${typeof defect} was thrown`
  const places = (defect.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))
  return [defect.name, ...places].join("\n")
}
