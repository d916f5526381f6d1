/** What a request says that has no neutral words: whether it may be sent to those who would not be told of it. */

/** What may be left out: a model that is not told of it still answers what was asked. By the names of fields. */
export interface Dispensable {
  readonly hints: ReadonlySet<string>
  /** Whether a value asks for what comes anyway. */
  readonly defaults: ReadonlyMap<string, (value: unknown) => boolean>
}

/** Those of the names that must not be left out. */
export const needed = (
  unsaid: ReadonlyArray<string>,
  { defaults, hints }: Dispensable,
  valueOf: (name: string) => unknown
): ReadonlyArray<string> =>
  unsaid.length === 0
    ? unsaid
    : unsaid.filter((name) => !hints.has(name) && !(defaults.get(name)?.(valueOf(name)) ?? false))

export const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0
