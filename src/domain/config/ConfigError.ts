/** What is wrong with a configuration: all of it at once, each with a way out, and never with a secret in it. */
import * as Schema from "effect/Schema"
import { printableName } from "./Secrets.ts"

/** One thing to mend. */
export const ConfigProblem = Schema.Struct({
  /** Where: `endpoints[1].weight`, `--deadline`, the name of an environment variable; empty for the whole file. */
  path: Schema.String,
  /** What is wrong, and the way out. */
  message: Schema.String
})
export type ConfigProblem = typeof ConfigProblem.Type

const printProblem = (problem: ConfigProblem): string =>
  problem.path === "" ? problem.message : `${problem.path}: ${problem.message}`

/** The configuration cannot be used; nothing was sent. `message` has one line for each problem. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  /** The path of the file, or `flags` when no file is involved. */
  source: Schema.String,
  /** At least one. */
  problems: Schema.Array(ConfigProblem)
}) {
  override get message(): string {
    const lines = this.problems.map(printProblem)
    if (lines.length === 1) return this.source === "flags" ? lines[0]! : `${this.source}: ${lines[0]}`
    const heading = this.source === "flags" ? "The flags have" : `${this.source} has`
    return [`${heading} ${lines.length} problems:`, ...lines.map((line) => `  ${line}`)].join("\n")
  }
}

/** A path in the form that messages show it: `endpoints[1].limits.requestsPerSecond`. */
export const printPath = (base: string, keys: ReadonlyArray<PropertyKey>): string =>
  keys.reduce<string>((path, key) => {
    if (typeof key === "number") return `${path}[${key}]`
    const name = printableName(String(key))
    if (name === undefined) return `${path}["..."]`
    if (!/^[\w-]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`
    return path === "" ? name : `${path}.${name}`
  }, base)
