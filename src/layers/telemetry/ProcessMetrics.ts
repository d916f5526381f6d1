/** What this process uses, under the names that Prometheus' own clients give. */
import { readdir } from "node:fs/promises"
import { type EventLoopUtilization, monitorEventLoopDelay, performance } from "node:perf_hooks"
import { getHeapStatistics } from "node:v8"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Labels, PrometheusText } from "../../domain/telemetry/PrometheusText.ts"

/** The event loop is looked at so often; it can be late at each look. */
const RESOLUTION_MS = 20

export interface ProcessMetrics {
  /** Adds the families to a text. The event loop's figures are those since the last scrape, which this may be. */
  readonly write: (text: PrometheusText, isScrape: boolean) => Effect.Effect<void>
}

/** Watches the event loop until the scope closes. `labels` tell this process from others of the service. */
export const make = Effect.fnUntraced(function* (
  labels: Labels = {}
): Effect.fn.Return<ProcessMetrics, never, Scope.Scope> {
  const delay = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      histogram.enable()
      return histogram
    }),
    (histogram) => Effect.sync(() => histogram.disable())
  )
  let utilization: EventLoopUtilization = performance.eventLoopUtilization()

  /** What was measured holds the pause between two looks too. */
  const seconds = (nanos: number): number => Math.max(0, nanos / 1e9 - RESOLUTION_MS / 1e3)

  const writeLoop = (text: PrometheusText, isScrape: boolean): void => {
    const hasLooked = delay.count > 0
    text.gauge(
      "nodejs_eventloop_lag_p99_seconds",
      "How late the event loop was, 99th percentile since the last scrape.",
      [[labels, hasLooked ? seconds(delay.percentile(99)) : 0]]
    )
    text.gauge("nodejs_eventloop_lag_max_seconds", "How late the event loop was at most since the last scrape.", [
      [labels, hasLooked ? seconds(delay.max) : 0]
    ])
    const now = performance.eventLoopUtilization()
    const share = performance.eventLoopUtilization(now, utilization).utilization
    text.gauge("nodejs_eventloop_utilization_ratio", "The share of the time since the last scrape that it was busy.", [
      [labels, share]
    ])
    if (!isScrape) return
    delay.reset()
    utilization = now
  }

  const write = Effect.fnUntraced(function* (text: PrometheusText, isScrape: boolean) {
    const { user, system } = process.cpuUsage()
    text.counter("process_cpu_seconds_total", "User and system CPU time.", [[labels, (user + system) / 1e6]])
    text.gauge("process_resident_memory_bytes", "Resident memory.", [[labels, process.memoryUsage.rss()]])
    text.gauge("nodejs_heap_used_bytes", "Heap in use.", [[labels, getHeapStatistics().used_heap_size]])
    text.gauge("process_start_time_seconds", "Start of the process, Unix time.", [
      [labels, performance.timeOrigin / 1e3]
    ])
    writeLoop(text, isScrape)
    const files = yield* openFiles
    if (files !== undefined) text.gauge("process_open_fds", "Open files, connections included.", [[labels, files]])
  })
  return { write }
})

/** On Linux; other systems do not tell. */
const openFiles: Effect.Effect<number | undefined> = Effect.promise(() =>
  readdir("/proc/self/fd").then(
    (names) => names.length,
    () => undefined
  )
)
