/** Names for credentials that can be shown: the key itself never leaves this module. */
import { createHash } from "node:crypto"

/** Enough for any test, little enough that a client that makes up keys cannot fill the memory. */
const REMEMBERED = 1000

/** A function from key to label: `sha256:` and 12 hex digits, `none` for no key. It remembers, as hashing is dear. */
export function makeKeyLabels(): (key: string | undefined) => string {
  const labels = new Map<string, string>()
  return (key) => {
    if (key === undefined) return "none"
    const known = labels.get(key)
    if (known !== undefined) return known
    const label = `sha256:${createHash("sha256").update(key).digest("hex").slice(0, 12)}`
    if (labels.size < REMEMBERED) labels.set(key, label)
    return label
  }
}
