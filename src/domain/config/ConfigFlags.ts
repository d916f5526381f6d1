/** The configuration that comes with the command line, and the grammar of `--endpoint`. */
import { nearest } from "../Suggestion.ts"
import type { ConfigProblem } from "./ConfigError.ts"
import { isSecretNameOfEndpoint, printableName, quote } from "./Secrets.ts"

/** Flags as given; absent or `undefined` means not given. They override the file. */
export interface ConfigFlags {
  /** Path of the config file. */
  readonly config?: string | undefined
  /**
   * Each `[name=]URL[,option=value]...`, such as `east=https://host/v1,model=x,apiKeyEnv=EAST_KEY,weight=3`. When there is one, the file's
   * endpoints do not count.
   */
  readonly endpoints: ReadonlyArray<string>
  /** For every endpoint that has none of its own in its `--endpoint`. */
  readonly model?: string | undefined
  /** Most requests in flight per endpoint; for every endpoint that has none of its own in its `--endpoint`. */
  readonly concurrency?: number | "auto" | undefined
  /** Over all endpoints; every send counts, retries too. */
  readonly maxRequestsPerSecond?: number | undefined
  /** Sends per request, over all endpoints. */
  readonly maxAttempts?: number | undefined
  /** One of `Policy`. */
  readonly policy?: string | undefined
  /** Per request, from call to answer: a duration such as `10m`. */
  readonly deadline?: string | undefined
  /** Name of the variable with the key; for every endpoint that has none of its own in its `--endpoint`. */
  readonly apiKeyEnv?: string | undefined
}

/** The flag of a field: `maxAttempts` is `--max-attempts`. */
export const flagName = (field: string): string =>
  `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

const textOptions = ["kind", "model", "apiKeyEnv", "deployment", "apiVersion"] as const
const limitOptions = [
  "requestsPerSecond",
  "requestsPerMinute",
  "tokensPerMinute",
  "inputTokensPerMinute",
  "outputTokensPerMinute"
] as const
/** The options of `--endpoint`, in the names of the config file except for the prices. */
export const options = [
  ...textOptions,
  "weight",
  "priority",
  "concurrency",
  "queueCapacity",
  ...limitOptions,
  "inputPrice",
  "outputPrice",
  "cachedInputPrice"
] as const
type Option = (typeof options)[number]

const isOption = (text: string): text is Option => options.some((option) => option === text)

/** One `--endpoint`, taken apart. */
export interface EndpointFlag {
  readonly name?: string
  readonly baseUrl: string
  /** Options as written, by name. */
  readonly options: Readonly<Partial<Record<Option, string>>>
  readonly problems: ReadonlyArray<ConfigProblem>
}

/** Text that is no number stays text, for the schema to say so. */
export const numberOrText = (text: string): number | string =>
  text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text

const isUrl = (text: string): boolean => /^[a-z][a-z0-9+.-]*:\/\//i.test(text)

/** `name=URL` or `URL`. A URL may hold `=`, a name holds neither `:` nor `/`. */
const splitName = (head: string): { readonly name?: string; readonly baseUrl: string } => {
  const at = head.indexOf("=")
  const name = head.slice(0, at)
  return at > 0 && !isUrl(head) && !/[:/]/.test(name) ? { name, baseUrl: head.slice(at + 1) } : { baseUrl: head }
}

/**
 * An endpoint from `[name=]URL[,option=value]...`, such as
 * `east=https://host/v1,weight=3,model=x,apiKeyEnv=EAST_KEY,concurrency=64,requestsPerSecond=100`.
 *
 * Options: those in `options`; kind is `openai` by default, and prices are per 1,000,000 tokens. The comma is there because shells leave it alone; a URL with a comma in it is written with `%2C`, or
 * goes into a config file. Values are checked later, together with those of files.
 */
export const parseEndpointFlag = (text: string, path: string): EndpointFlag => {
  const [head = "", ...rest] = text.split(",").map((part) => part.trim())
  const given: Partial<Record<Option, string>> = {}
  const problems: Array<ConfigProblem> = []
  for (const part of rest) {
    const at = part.indexOf("=")
    const option = at === -1 ? part : part.slice(0, at)
    if (!isOption(option)) problems.push({ path, message: unknownOption(option) })
    else if (at === -1 || at === part.length - 1) {
      problems.push({ path, message: `${option} has no value; write ${option}=...` })
    } else if (given[option] !== undefined) problems.push({ path, message: `${option} is there twice` })
    else given[option] = part.slice(at + 1)
  }
  return { ...splitName(head), options: given, problems }
}

/** The same endpoint as a file would have it. */
export const asWritten = ({ baseUrl, options }: EndpointFlag, name: string): Readonly<Record<string, unknown>> => {
  const { cachedInputPrice, inputPrice, outputPrice, ...others } = options
  const fields = fieldsOf(others)
  const limits = Object.entries(fields).filter(([option]) => isOneOf(limitOptions, option))
  const own = Object.entries(fields).filter(([option]) => !isOneOf(limitOptions, option))
  const prices = fieldsOf({ input: inputPrice, output: outputPrice, cachedInput: cachedInputPrice })
  return {
    name,
    kind: "openai",
    baseUrl,
    ...Object.fromEntries(own),
    limits: Object.fromEntries(limits),
    ...(Object.keys(prices).length === 0 ? {} : { prices })
  }
}

const isOneOf = (names: ReadonlyArray<string>, name: string): boolean => names.includes(name)

const fieldsOf = (texts: Readonly<Record<string, string | undefined>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(texts).flatMap(([option, text]) => {
      if (text === undefined) return []
      return [[option, isOneOf(textOptions, option) ? text : numberOrText(text)]]
    })
  )

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
