/** What the readers of requests share. */
import * as Result from "effect/Result"
import type { Refusal } from "../Dialect.ts"

export type Invalid = Extract<Refusal, { readonly kind: "invalid" }>
export type Fields = Readonly<Record<string, unknown>>

export const isGiven = (value: unknown): boolean => value !== undefined && value !== null

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const invalid = (message: string, param?: string, code?: string): Result.Result<never, Invalid> =>
  Result.fail({
    kind: "invalid",
    message,
    ...(param === undefined ? undefined : { param }),
    ...(code === undefined ? undefined : { code })
  })

/** A part of a path as it was meant; as it is written where that is no valid encoding. */
export function decodeSegment(segment: string): string {
  if (!segment.includes("%")) return segment
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** The value of a JSON text, or `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
