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

/** Collects families; each name may be given once, and a family without samples is left out. */
export class PrometheusText {
  private readonly lines: Array<string> = []

  /** The name ends in `_total`. */
  counter(name: string, help: string, samples: Iterable<Sample>): void {
    this.family(name, "counter", help, samples)
  }

  gauge(name: string, help: string, samples: Iterable<Sample>): void {
    this.family(name, "gauge", help, samples)
  }

  /** Values in milliseconds are told in seconds: the name ends in `_seconds`. */
  histogram(name: string, help: string, series: Iterable<readonly [labels: Labels, buckets: Buckets]>): void {
    let isFirst = true
    for (const [labels, buckets] of series) {
      if (isFirst) this.head(name, "histogram", help)
      isFirst = false
      for (let i = 0; i < buckets.boundsMs.length; i++) {
        const le = String(buckets.boundsMs[i]! / 1_000)
        this.sample(`${name}_bucket`, { ...labels, le }, buckets.cumulative[i]!)
      }
      this.sample(`${name}_bucket`, { ...labels, le: "+Inf" }, buckets.count)
      this.sample(`${name}_sum`, labels, buckets.sumMs / 1_000)
      this.sample(`${name}_count`, labels, buckets.count)
    }
  }

  toString(): string {
    return this.lines.join("")
  }

  private family(name: string, type: string, help: string, samples: Iterable<Sample>): void {
    let isFirst = true
    for (const [labels, value] of samples) {
      if (isFirst) this.head(name, type, help)
      isFirst = false
      this.sample(name, labels, value)
    }
  }

  private head(name: string, type: string, help: string): void {
    this.lines.push(`# HELP ${name} ${help.replace(/[\\\n]/g, escaped)}\n# TYPE ${name} ${type}\n`)
  }

  private sample(name: string, labels: Labels, value: number): void {
    const pairs: Array<string> = []
    for (const [label, text] of Object.entries(labels)) {
      if (text !== undefined) pairs.push(`${label}="${text.replace(/[\\\n"]/g, escaped)}"`)
    }
    this.lines.push(`${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numeral(value)}\n`)
  }
}

const escaped = (character: string): string => (character === "\n" ? "\\n" : `\\${character}`)

const numeral = (value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return "+Inf"
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value)
}
