/** Writing the JSON bodies of requests. */
import { isObject } from "effect/Predicate"
import * as Result from "effect/Result"
import * as Failures from "./Failures.ts"
import * as Json from "./Json.ts"
import type { ProviderFailure } from "./Provider.ts"

export type Members = Readonly<Record<string, unknown>>

/** The body as JSON. Fails for what JSON has no form for: functions, big integers, cycles. */
export const write = (body: unknown): Result.Result<string, ProviderFailure> => {
  const json = jsonOf(body)
  return json === undefined
    ? Result.fail(Failures.invalidRequest("the request's body cannot be written as JSON"))
    : Result.succeed(json)
}

const jsonOf = (body: unknown): string | undefined => {
  try {
    return JSON.stringify(body)
  } catch {
    return undefined
  }
}

/** A body with a request's `extra` on top, but for the members that are `fixed`: those are not a request's to say. */
export const writeWith = (
  body: Members,
  extra: Members | undefined,
  fixed: ReadonlyArray<string>
): Result.Result<string, ProviderFailure> => write(extra === undefined ? body : merge(body, without(extra, fixed)))

/** `writeWith` for a body that is JSON already. */
export const extend = (
  json: string,
  extra: Members,
  fixed: ReadonlyArray<string>
): Result.Result<string, ProviderFailure> => {
  const body = Json.parse(json)
  return writeWith(isMembers(body) ? body : {}, extra, fixed)
}

/** `over` on top of `base`, object by object; lists and all other values are replaced as a whole. */
export const merge = (base: Members, over: Members): Members => {
  const merged = new Map(Object.entries(base))
  for (const [name, value] of Object.entries(over)) {
    const below = merged.get(name)
    merged.set(name, isMembers(below) && isMembers(value) ? merge(below, value) : value)
  }
  return Object.fromEntries(merged)
}

/** The members of other names. */
export const without = (members: Members, names: ReadonlyArray<string>): Members =>
  Object.fromEntries(Object.entries(members).filter(([name]) => !names.includes(name)))

/** Whether a value is a JSON object. */
export const isMembers: (value: unknown) => value is Members = isObject
