/** Names of models as clients may write them. */

const LONGEST = 512

/**
 * Whether it is a model's name. It may become part of a path that is asked for with the service's own credential, so there
 * must be no way out of that path in it: no empty segments, `.` or `..` (RFC 3986, 5.2.4), nothing that ends a path, hides
 * in an escape or is taken for a slash. Text with half of a surrogate pair has no UTF-8 form.
 */
export const isModelName = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length <= LONGEST &&
  value.isWellFormed() &&
  !UNSAFE.test(value) &&
  !WAY_OUT.test(value)

const UNSAFE = /[\\?#%\p{Cc}]/u
const WAY_OUT = /(?:^|\/)\.{0,2}(?:\/|$)/
