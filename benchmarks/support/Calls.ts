/**
 * What a client's calls were like on the wire, as its own process saw them: how evenly they were sent, and how much later
 * their answers were there than they would have been without anything between.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Measurement } from "./Benchmark.ts"
import { withFolder } from "./Folder.ts"
import { measureProcess, type ProcessOptions } from "./Measure.ts"
import { fullest, leastWithin } from "./Windows.ts"

export interface Call {
  /** When its head was written to the socket, in milliseconds of the machine's monotonic clock. */
  readonly sentAt: number
  /** When its answer had been read whole. */
  readonly endedAt: number
  /** How long the endpoint itself took. */
  readonly tookMs: number
}

const HOOK = fileURLToPath(new URL("./calls-hook.mjs", import.meta.url))

/** Measures a process and observes its calls, and those of every process that it starts, which costs it some of its time. */
export const observed = (
  options: ProcessOptions
): Promise<{ readonly measurement: Measurement; readonly calls: ReadonlyArray<Call> }> =>
  withFolder(async (folder) => {
    const measurement = await measureProcess({
      ...options,
      imports: [HOOK],
      env: { ...options.env, BENCHMARK_CALLS: folder }
    })
    return { measurement, calls: await callsIn(folder) }
  })

const callsIn = async (folder: string): Promise<ReadonlyArray<Call>> => {
  const calls: Array<Call> = []
  for (const name of await readdir(folder)) {
    const bytes = await readFile(join(folder, name))
    const values = new Float64Array(new Uint8Array(bytes).buffer)
    for (let at = 0; at < values.length; at += 3) {
      calls.push({ sentAt: values[at]!, endedAt: values[at + 1]!, tookMs: values[at + 2]! })
    }
  }
  return calls.sort((one, other) => one.sentAt - other.sentAt)
}

/** The first seconds, in which connections are opened and a pacer goes more slowly, are no part of how late calls are. */
const UNSTEADY_MS = 2_000

const quantile = (sorted: ReadonlyArray<number>, q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN

/**
 * The calls against their limit. A call was due on an even spacing, at the rate at which calls were sent in truth, that
 * begins with the earliest: no call is early, and a pause of the client makes all calls late that it held up. What was
 * added to a call is all the time from when it was due until its answer was there, without what the endpoint took.
 */
export const pacing = (calls: ReadonlyArray<Call>, limitPerSecond: number): Readonly<Record<string, number>> => {
  const times = calls.map(({ sentAt }) => sentAt)
  const start = times[0] ?? Number.NaN
  const steady = calls.filter(({ sentAt }) => sentAt >= start + UNSTEADY_MS)
  const first = steady[0]?.sentAt ?? Number.NaN
  const spacing = ((steady.at(-1)?.sentAt ?? Number.NaN) - first) / (steady.length - 1)
  const offsets = steady.map(({ sentAt }, at) => sentAt - first - at * spacing)
  const earliest = offsets.reduce((least, offset) => Math.min(least, offset), 0)
  const late = offsets.map((offset) => offset - earliest)
  const added = steady.map(({ endedAt, sentAt, tookMs }, at) => late[at]! + endedAt - sentAt - tookMs)
  late.sort((a, b) => a - b)
  added.sort((a, b) => a - b)
  const { count, from } = fullest(times, 1_000)
  return {
    sent: calls.length,
    rateOfLimit: ((calls.length - 1) * 1_000) / (times.at(-1)! - start) / limitPerSecond,
    fullestSecondOfLimit: count / limitPerSecond,
    fullestSecondStartsAtMs: from - start,
    emptiestSecondOfLimit: leastWithin(times.slice(calls.length - steady.length), 1_000) / limitPerSecond,
    p99LateMs: quantile(late, 0.99),
    p50AddedMs: quantile(added, 0.5),
    p99AddedMs: quantile(added, 0.99),
    mostAddedMs: added.at(-1) ?? Number.NaN
  }
}
