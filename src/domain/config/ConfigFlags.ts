/** The configuration that comes with the command line, and the grammar of `--endpoint`. */
import { nearest } from "../Suggestion.ts"
import type { ConfigProblem } from "./ConfigError.ts"
import { isSecretNameOfEndpoint, printableName, quote } from "./Secrets.ts"

/** Flags as given; absent or `undefined` means not given. They override the file. */
export interface ConfigFlags {
  /** Path of the config file. */
  readonly config?: string | undefined
  /** Each in the grammar of `parseEndpointFlag`. When there is one, the file's endpoints do not count. */
  readonly endpoints: ReadonlyArray<string>
  /** For every endpoint that has none of its own in its `--endpoint`. */
  readonly model?: string | undefined
  /** Most requests in flight per endpoint; for every endpoint that has none of its own in its `--endpoint`. */
  readonly concurrency?: number | undefined
  readonly maxRequestsPerSecond?: number | undefined
  readonly maxAttempts?: number | undefined
  readonly policy?: string | undefined
  /** A duration such as `10m`. */
  readonly deadline?: string | undefined
  /** Name of the variable with the key; for every endpoint that has none of its own in its `--endpoint`. */
  readonly apiKeyEnv?: string | undefined
}

/** The flag of a field: `maxAttempts` is `--max-attempts`. */
export const flagName = (field: string): string =>
  `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const textOptions = ["kind", "model", "apiKeyEnv"] as const
const numberOptions = ["weight", "concurrency", "queueCapacity"] as const
const limitOptions = ["requestsPerSecond", "requestsPerMinute"] as const
const options: ReadonlyArray<string> = [...textOptions, ...numberOptions, ...limitOptions]

/** An endpoint in the shape of the file's, not yet checked. */
export interface RawEndpoint {
  readonly [field: string]: unknown
}

/** Text that is no number stays text, for the schema to say so. */
export const numberOrText = (text: string): number | string =>
  text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** `name=URL` or `URL`. A URL may hold `=`, a name holds neither `:` nor `/`. */
const splitName = (head: string): { readonly name: string | undefined; readonly baseUrl: string } => {
  const at = head.indexOf("=")
  const name = head.slice(0, at)
  return at > 0 && !isUrl(head) && !/[:/]/.test(name)
    ? { name, baseUrl: head.slice(at + 1) }
    : { name: undefined, baseUrl: head }
}

/**
 * An endpoint from `[name=]URL[,option=value]...`, such as
 * `east=https://host/v1,weight=3,model=x,apiKeyEnv=EAST_KEY,concurrency=64,requestsPerSecond=100`.
 *
 * Options: kind (default openai), model, apiKeyEnv, weight, concurrency, queueCapacity, requestsPerSecond,
 * requestsPerMinute. The comma is there because shells leave it alone; a URL with a comma in it is written with `%2C`, or
 * goes into a config file. Values are checked later, together with those of files.
 */
export const parseEndpointFlag = (
  text: string,
  path: string
): { readonly raw: RawEndpoint; readonly problems: ReadonlyArray<ConfigProblem> } => {
  const [head = "", ...rest] = text.split(",").map((part) => part.trim())
  const { name, baseUrl } = splitName(head)
  const raw: Record<string, unknown> = { kind: "openai", baseUrl }
  if (name !== undefined) raw["name"] = name
  const limits: Record<string, unknown> = {}
  const problems: Array<ConfigProblem> = []
  const seen = new Set<string>()
  for (const part of rest) {
    const at = part.indexOf("=")
    const option = at === -1 ? part : part.slice(0, at)
    const value = part.slice(at + 1)
    if (!options.includes(option)) problems.push({ path, message: unknownOption(option) })
    else if (at === -1 || value === "") problems.push({ path, message: `${option} has no value; write ${option}=...` })
    else if (seen.has(option)) problems.push({ path, message: `${option} is there twice` })
    else if (limitOptions.some((name) => name === option)) limits[option] = numberOrText(value)
    else raw[option] = numberOptions.some((name) => name === option) ? numberOrText(value) : value
    seen.add(option)
  }
  if (Object.keys(limits).length > 0) raw["limits"] = limits
  return { raw, problems }
}

const unknownOption = (option: string): string => {
  if (option === "") return "has an empty option; remove the surplus comma"
  if (isSecretNameOfEndpoint(option)) {
    return "credentials do not go on a command line; put this one in an environment variable and write its name: apiKeyEnv=NAME"
  }
  const near = nearest(option, options)
  const shown = printableName(option) === undefined ? "this text" : quote(option)
  return near === undefined
    ? `${shown} is no option; options are ${options.join(", ")}, and a comma inside the URL is written %2C`
    : `${shown} is no option; did you mean ${near}?`
}
