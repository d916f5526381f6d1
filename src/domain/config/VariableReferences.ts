/** Environment variables that a configuration names, and what is wrong with their values. */
import * as Redacted from "effect/Redacted"
import type { ConfigProblem } from "./ConfigError.ts"

/** An environment variable that is wanted, and where it was named. */
export interface Reference {
  readonly variable: string
  readonly path: string
  /** Which values can be used. */
  readonly allowed: (value: string) => boolean
  /** What is wrong with the others, following "the value of NAME". Default: that no header can carry them. */
  readonly complaint?: string
}

/** The environment, as far as it was asked for; absent when a variable is unset or empty. */
export type Variables = ReadonlyMap<string, Redacted.Redacted<string>>

const unsendable = "has letters that no header can carry (a line break, a space?); export it anew"

/** Names without small letters are surely no keys pasted in place of a name. */
const isPrintable = (variable: string): boolean => !/[a-z]/.test(variable) || variable.length <= 16

const unset = (variable: string): string =>
  isPrintable(variable)
    ? `the environment variable ${variable} is not set or empty; set it first: export ${variable}=...`
    : "names an environment variable that is not set; is it the key itself? Put the key in a variable and write that one's name"

/** Variables that are missing, or hold what cannot be used. */
export const referenceProblems = (
  references: ReadonlyArray<Reference>,
  variables: Variables
): ReadonlyArray<ConfigProblem> =>
  references.flatMap(({ allowed, complaint = unsendable, path, variable }) => {
    const value = variables.get(variable)
    if (value === undefined) return [{ path, message: unset(variable) }]
    if (allowed(Redacted.value(value))) return []
    return [
      { path, message: `${isPrintable(variable) ? `the value of ${variable}` : "the variable's value"} ${complaint}` }
    ]
  })
