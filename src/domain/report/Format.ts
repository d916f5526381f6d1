/** Figures as people read them: `1,234`, `51.2K`, `1m 02s`, `182ms`, `61.7%`. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const tenth = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 })
const cents = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const tiny = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2, maximumFractionDigits: 20 })
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })

/** What stands for a figure that is not known. */
export const unknown = "-"

/** `1,234`. */
export const count = (n: number): string => whole.format(n)

/** `51.2K`, `1.3M`. */
export const compact = (n: number): string => short.format(n)

/** A rate per second: `9.8`, `412`, `10,000`. */
export const rate = (n: number | undefined): string =>
  n === undefined ? unknown : n < 99.95 ? tenth.format(n) : whole.format(n)

/** A share from 0 to 1: `61.7%`. */
export const percent = (share: number): string => (share >= 1 ? "100%" : `${tenth.format(share * 100)}%`)

/** How far something is, from 0 to 1: as `percent`, but never rounded up, so that `100%` means done. */
export const progress = (share: number): string => percent(share >= 1 ? 1 : Math.floor(share * 1000 + 1e-9) / 1000)

/** Money, without a currency: `0`, `0.00042`, `0.1234`, `1.50`, `1,234.56`. */
export const money = (n: number): string => {
  if (n === 0) return "0"
  if (n >= 0.99995) return cents.format(n)
  return n >= 0.01 ? n.toFixed(4) : tiny.format(n)
}

/** How long something took: `0.4s`, `12.3s`, `1m 02s`, `2h 05m`. */
export const duration = (ms: number): string => {
  if (ms < 59_950) return `${tenth.format(ms / 1000)}s`
  const seconds = Math.round(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`
  return `${whole.format(Math.floor(minutes / 60))}h ${two(minutes % 60)}m`
}

/** A time to come: `0:12`, `12:05`, `1:02:05`. */
export const clock = (ms: number): string => {
  const seconds = Math.ceil(ms / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  return hours === 0 ? `${minutes}:${two(seconds % 60)}` : `${hours}:${two(minutes % 60)}:${two(seconds % 60)}`
}

/** A latency: `182ms`, `1.20s`, `12.3s`, `2m 05s`. */
export const latency = (ms: number | undefined): string => {
  if (ms === undefined) return unknown
  if (ms < 999.5) return `${whole.format(ms)}ms`
  if (ms < 9_995) return `${(ms / 1000).toFixed(2)}s`
  return duration(ms)
}

/** `1 row`, `2 rows`, `2 retries`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`

/** Counts by name, the largest first: `20 RateLimited, 4 TimedOut`. */
export const tally = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, n]) => n > 0)
    .sort(([a, n], [b, m]) => m - n || a.localeCompare(b))
    .map(([name, n]) => `${count(n)} ${name}`)
    .join(", ")

const two = (n: number): string => String(n).padStart(2, "0")
