/**
 * Writes metrics in Prometheus' text format, version 0.0.4.
 *
 * Effect's own writer prints its metric registry. What is told here stands in snapshots already (`EndpointStats`, the
 * jobs' counts) and would have to be counted a second time to stand there too.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import type { Buckets } from "./Buckets.ts"

export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

/** Names must be valid as they are; values may be any text. Labels without a value are left out. */
export type Labels = Readonly<Record<string, string | undefined>>

export type Sample = readonly [labels: Labels, value: number]

/** The samples of one name, as data. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly samples:
    | { readonly type: "counter" | "gauge"; readonly values: ReadonlyArray<Sample> }
    | { readonly type: "histogram"; readonly values: ReadonlyArray<readonly [labels: Labels, buckets: Buckets]> }
}

/** Collects families; each name may be given once, and a family without samples is left out. */
export class PrometheusText {
  /** What was collected. */
  readonly families: Array<Family> = []

  /** The name ends in `_total`. */
  counter(name: string, help: string, samples: Iterable<Sample>): void {
    this.add({ name, help, samples: { type: "counter", values: [...samples] } })
  }

  gauge(name: string, help: string, samples: Iterable<Sample>): void {
    this.add({ name, help, samples: { type: "gauge", values: [...samples] } })
  }

  /** Values in milliseconds are told in seconds: the name ends in `_seconds`. */
  histogram(name: string, help: string, series: Iterable<readonly [labels: Labels, buckets: Buckets]>): void {
    this.add({ name, help, samples: { type: "histogram", values: [...series] } })
  }

  add(family: Family): void {
    this.families.push(family)
  }

  toString(): string {
    const lines: Array<string> = []
    for (const family of this.families) print(lines, family)
    return lines.join("")
  }
}

const print = (lines: Array<string>, { help, name, samples }: Family): void => {
  if (samples.values.length === 0) return
  lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${samples.type}\n`)
  if (samples.type === "histogram") {
    for (const [labels, buckets] of samples.values) printBuckets(lines, name, labels, buckets)
  } else {
    for (const [labels, value] of samples.values) printSample(lines, name, labels, value)
  }
}

const printBuckets = (lines: Array<string>, name: string, labels: Labels, buckets: Buckets): void => {
  for (let i = 0; i < buckets.boundsMs.length; i++) {
    const le = String(buckets.boundsMs[i]! / 1_000)
    printSample(lines, `${name}_bucket`, { ...labels, le }, buckets.cumulative[i]!)
  }
  printSample(lines, `${name}_bucket`, { ...labels, le: "+Inf" }, buckets.count)
  printSample(lines, `${name}_sum`, labels, buckets.sumMs / 1_000)
  printSample(lines, `${name}_count`, labels, buckets.count)
}

const printSample = (lines: Array<string>, name: string, labels: Labels, value: number): void => {
  const pairs: Array<string> = []
  for (const [label, text] of Object.entries(labels)) {
    if (text !== undefined) pairs.push(`${label}="${text.replace(/[\\\n"]/g, escaped)}"`)
  }
  lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numeral(value)}\n`)
}

const escaped = (character: string): string => (character === "\n" ? "\\n" : `\\${character}`)

const numeral = (value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}
