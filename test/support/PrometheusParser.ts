/**
 * A strict reader of Prometheus' text format: it fails on all that `promtool check metrics` would call an error, and on
 * families that are told twice or are not described.
 */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: ReadonlyArray<PromSample>
}

export interface PromSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*/
const VALUE = /^(?:NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/

export const parse = (text: string): ReadonlyMap<string, Family> => {
  const families = new Map<string, { name: string; type: string; help: string; samples: Array<PromSample> }>()
  const seen = new Set<string>()
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  let current: { name: string; type: string; help: string; samples: Array<PromSample> } | undefined
  let help: { name: string; text: string } | undefined
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string]
      if (families.has(name)) throw new Error(`${name} is told twice`)
      if (kind === "HELP") help = { name, text: unescape(rest, /\\[\\n]/g) }
      else {
        if (help?.name !== name) throw new Error(`${name} has no HELP before its TYPE`)
        if (!/^(counter|gauge|histogram)$/.test(rest)) throw new Error(`${name}: no type: ${rest}`)
        if (rest === "counter" && !name.endsWith("_total")) throw new Error(`${name}: a counter ends in _total`)
        if (rest !== "counter" && name.endsWith("_total")) throw new Error(`${name}: only counters end in _total`)
        current = { name, type: rest, help: help.text, samples: [] }
        families.set(name, current)
      }
      continue
    }
    if (line.startsWith("#")) throw new Error(`no comment of ours: ${line}`)
    const sample = sampleOf(line)
    const base = current?.type === "histogram" ? sample.name.replace(/_(bucket|sum|count)$/, "") : sample.name
    if (current === undefined || base !== current.name) throw new Error(`${line}: it is not under its TYPE`)
    const id = `${sample.name}${JSON.stringify(Object.entries(sample.labels).toSorted())}`
    if (seen.has(id)) throw new Error(`${line}: told twice`)
    seen.add(id)
    if (current.type === "counter" && !(sample.value >= 0)) throw new Error(`${line}: a counter below 0`)
    current.samples.push(sample)
  }
  for (const family of families.values()) {
    if (family.samples.length === 0) throw new Error(`${family.name} has no samples`)
    if (family.type === "histogram") checkHistogram(family)
  }
  return families
}

const sampleOf = (line: string): PromSample => {
  const name = NAME.exec(line)?.[0]
  if (name === undefined) throw new Error(`no name: ${line}`)
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith("{")) {
    rest = rest.slice(1)
    for (;;) {
      const label = LABEL.exec(rest)?.[0]
      if (label === undefined || label in labels) throw new Error(`no label, or one twice: ${line}`)
      const value = /^="((?:[^"\\\n]|\\["\\n])*)"/.exec(rest.slice(label.length))
      if (value === null) throw new Error(`no label value: ${line}`)
      labels[label] = unescape(value[1]!, /\\["\\n]/g)
      rest = rest.slice(label.length + value[0].length)
      if (rest.startsWith("} ")) break
      if (!rest.startsWith(",")) throw new Error(`labels do not end: ${line}`)
      rest = rest.slice(1)
    }
    rest = rest.slice(1)
  }
  if (!rest.startsWith(" ") || !VALUE.test(rest.slice(1))) throw new Error(`no value: ${line}`)
  return { name, labels, value: Number(rest.slice(1).replace("Inf", "Infinity")) }
}

const unescape = (text: string, escapes: RegExp): string =>
  text.replace(escapes, (escape) => (escape === "\\n" ? "\n" : escape.slice(1)))

/** Bounds ascend, counts do not fall, the last bound is infinite and its count is the series' count. */
const checkHistogram = ({ name, samples }: Family): void => {
  const series = new Map<string, { buckets: Array<readonly [number, number]>; count?: number; sum?: number }>()
  for (const sample of samples) {
    const { le, ...labels } = sample.labels
    const id = JSON.stringify(Object.entries(labels).toSorted())
    const one = series.get(id) ?? { buckets: [] }
    series.set(id, one)
    if (sample.name === `${name}_bucket`) one.buckets.push([Number(le?.replace("+Inf", "Infinity")), sample.value])
    else if (sample.name === `${name}_count`) one.count = sample.value
    else if (sample.name === `${name}_sum`) one.sum = sample.value
    else throw new Error(`${sample.name} is no part of a histogram`)
  }
  for (const [id, { buckets, count, sum }] of series) {
    if (count === undefined || sum === undefined) throw new Error(`${name}${id}: count or sum is missing`)
    buckets.forEach(([bound, value], i) => {
      const [boundBefore, valueBefore] = buckets[i - 1] ?? [Number.NEGATIVE_INFINITY, 0]
      if (!(bound > boundBefore) || value < valueBefore) throw new Error(`${name}${id}: buckets out of order`)
    })
    const last = buckets.at(-1)
    if (last?.[0] !== Number.POSITIVE_INFINITY || last[1] !== count) throw new Error(`${name}${id}: no infinite bucket`)
  }
}

/** The value of one sample; `undefined` when it is not told. */
export const valueOf = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number | undefined => {
  const wanted = JSON.stringify(Object.entries(labels).toSorted())
  for (const { samples } of families.values()) {
    for (const sample of samples) {
      if (sample.name === name && JSON.stringify(Object.entries(sample.labels).toSorted()) === wanted) {
        return sample.value
      }
    }
  }
  return undefined
}
