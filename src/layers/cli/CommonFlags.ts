/** What flags of several commands share: how they are written, and the flags that say where requests are sent. */
import type * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { type ConfigFlags, options } from "../../domain/config/ConfigFlags.ts"
import { parseDuration } from "../../domain/config/DurationText.ts"
import { Policy } from "../../domain/dispatch/Policy.ts"

/** Every flag may be written with underscores too, as in the tool that this one replaces. */
export const underscored = <A>(name: string, flag: Flag.Flag<A>): Flag.Flag<A> =>
  name.includes("-") ? Flag.withAlias(flag, name.replaceAll("-", "_")) : flag

export const text = (name: string, metavar: string, description: string) =>
  underscored(name, Flag.String(name)).pipe(Flag.withMetavar(metavar), Flag.withDescription(description), Flag.optional)

export const atLeastOne = (name: string, description: string) =>
  underscored(name, Flag.Int(name)).pipe(
    Flag.filter(
      (n) => n >= 1,
      () => "a whole number from 1 up"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription(description),
    Flag.optional
  )

export const toggle = (name: string, description: string) =>
  underscored(name, Flag.Boolean(name)).pipe(
    Flag.withoutNegation,
    Flag.withDescription(description),
    Flag.withDefault(false)
  )

const readConcurrency = (written: string): Option.Option<number | "auto"> => {
  if (written === "auto") return Option.some("auto")
  const n = Number(written)
  return Number.isSafeInteger(n) && n >= 1 ? Option.some(n) : Option.none()
}

/** A time as it was written, and in milliseconds. */
export const graceFlag = (description: string) =>
  Flag.String("grace").pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(
      (written) => Option.map(Result.getSuccess(parseDuration(written)), (ms) => ({ written, ms })),
      () => "a number with a unit, such as 500ms, 30s or 2m"
    ),
    Flag.withDescription(`${description}. Default: 30s`)
  )

/** Where requests are sent, and how. */
export const dispatcherFlags = {
  config: text(
    "config",
    "FILE",
    "Endpoints and settings, YAML or JSON; flags override it. Default: dispatcher.yaml, .yml or .json in this directory"
  ),
  endpoint: underscored("endpoint", Flag.String("endpoint")).pipe(
    Flag.withMetavar("ENDPOINT"),
    Flag.withDescription(
      "An endpoint as [NAME=]URL[,OPTION=VALUE]..., instead of those of the config; may be repeated. Options: " +
        `${options.join(", ")} (prices per 1,000,000 tokens)`
    ),
    Flag.atLeast(0)
  ),
  model: text("model", "NAME", "The model of all endpoints. Default: that of the config"),
  apiKeyEnv: text("api-key-env", "NAME", "The environment variable that holds the key of the endpoints. Default: none"),
  concurrency: Flag.String("concurrency").pipe(
    Flag.withMetavar("N|auto"),
    Flag.filterMap(readConcurrency, () => "a whole number from 1 up, or auto"),
    Flag.withDescription(
      "Most requests in flight per endpoint; auto finds as many as do best. Default: auto in run, 256 in serve"
    ),
    Flag.optional
  ),
  maxRequestsPerSecond: underscored("max-requests-per-second", Flag.Finite("max-requests-per-second")).pipe(
    Flag.filter(
      (n) => n > 0,
      () => "a number above 0"
    ),
    Flag.withMetavar("N"),
    Flag.withDescription("Most requests sent per second, retries too, over all endpoints. Default: no limit"),
    Flag.optional
  ),
  maxAttempts: atLeastOne("max-attempts", "Most times that one request is sent. Default: 5"),
  policy: text("policy", "NAME", `How requests are shared: ${Policy.literals.join(", ")}. Default: least-loaded`),
  deadline: text("deadline", "TIME", "Most time for one request, retries and waiting included. Default: 10m")
}
type DispatcherInput = Command.Command.Config.Infer<typeof dispatcherFlags>

/** What the flags say of the configuration. */
export const configFlags = (flags: DispatcherInput): ConfigFlags => ({
  config: Option.getOrUndefined(flags.config),
  endpoints: flags.endpoint,
  model: Option.getOrUndefined(flags.model),
  concurrency: Option.getOrUndefined(flags.concurrency),
  maxRequestsPerSecond: Option.getOrUndefined(flags.maxRequestsPerSecond),
  maxAttempts: Option.getOrUndefined(flags.maxAttempts),
  policy: Option.getOrUndefined(flags.policy),
  deadline: Option.getOrUndefined(flags.deadline),
  apiKeyEnv: Option.getOrUndefined(flags.apiKeyEnv)
})
