/** Counts the requests to the service, for its metrics. Labels are bounded: what clients send never becomes one. */
import type { RequestRecord, RouteName } from "../server/RequestRecord.ts"
import { BucketCounter } from "./Buckets.ts"
import type { PrometheusText, Sample } from "./PrometheusText.ts"

/**
 * Most series of keys and models. Both are names of the configuration, but where an endpoint takes any model there may be
 * more of them; those are counted together, as `other`.
 */
const MOST_CLIENTS = 1_000

const OTHER = "other"

/** The requests of one route. Mutable: it is counted on the path of every request. */
class RouteCounts {
  inFlight = 0
  aborted = 0
  readonly statuses = new Map<number, number>()
  readonly duration = new BucketCounter()
  readonly firstByte = new BucketCounter()
}

/** What one key asked of one model. */
class ClientCounts {
  readonly key: string | undefined
  readonly model: string | undefined
  succeeded = 0
  failed = 0
  inputTokens = 0
  outputTokens = 0

  constructor(key: string | undefined, model: string | undefined) {
    this.key = key
    this.model = model
  }
}

export class RequestCounts {
  private readonly routes = new Map<RouteName, RouteCounts>()
  private readonly clients = new Map<string | undefined, Map<string | undefined, ClientCounts>>()
  private clientCount = 0

  /** Requests that have begun and not ended. */
  get inFlight(): number {
    let inFlight = 0
    for (const route of this.routes.values()) inFlight += route.inFlight
    return inFlight
  }

  begun(record: RequestRecord): void {
    this.routeOf(record).inFlight++
  }

  ended(record: RequestRecord): void {
    const route = this.routeOf(record)
    route.inFlight--
    route.statuses.set(record.status, (route.statuses.get(record.status) ?? 0) + 1)
    route.duration.record(record.durationMs)
    if (record.firstByteMs !== undefined) route.firstByte.record(record.firstByteMs)
    if (record.isAborted) route.aborted++
    if (record.model === undefined) return
    const client = this.clientOf(record.key, record.model)
    if (record.status < 400 && !record.isAborted && record.problem === undefined) client.succeeded++
    else client.failed++
    client.inputTokens += record.inputTokens ?? 0
    client.outputTokens += record.outputTokens ?? 0
  }

  /** Adds the families to a text. */
  write(text: PrometheusText): void {
    const routes = [...this.routes]
    text.counter(
      "genai_dispatcher_http_requests_total",
      "Requests that have ended, by route and status of the answer; 499 when the client was gone before there was one.",
      routes.flatMap(([route, { statuses }]) =>
        [...statuses].map(([status, count]): Sample => [{ route, status: String(status) }, count])
      )
    )
    text.gauge(
      "genai_dispatcher_http_requests_in_flight",
      "Requests that have begun and not ended.",
      routes.map(([route, { inFlight }]): Sample => [{ route }, inFlight])
    )
    text.counter(
      "genai_dispatcher_http_requests_aborted_total",
      "Requests whose client was gone before the answer was whole.",
      routes.map(([route, { aborted }]): Sample => [{ route }, aborted])
    )
    text.histogram(
      "genai_dispatcher_http_request_duration_seconds",
      "From the head of the request to the end of the answer.",
      routes.map(([route, { duration }]) => [{ route }, duration.buckets] as const)
    )
    text.histogram(
      "genai_dispatcher_http_time_to_first_byte_seconds",
      "From the head of the request to the first byte of the answer.",
      routes.map(([route, { firstByte }]) => [{ route }, firstByte.buckets] as const)
    )
    this.writeClients(text)
  }

  private writeClients(text: PrometheusText): void {
    const clients = [...this.clients.values()].flatMap((models) => [...models.values()])
    text.counter(
      "genai_dispatcher_client_requests_total",
      "Requests for a model, by API key, model and whether there was a whole answer.",
      clients.flatMap(
        ({ key, model, succeeded, failed }): ReadonlyArray<Sample> => [
          [{ key, model, outcome: "success" }, succeeded],
          [{ key, model, outcome: "failure" }, failed]
        ]
      )
    )
    text.counter(
      "genai_dispatcher_client_tokens_total",
      "Tokens of the answers that were given, by API key and model, as reported by the endpoints.",
      clients.flatMap(
        ({ key, model, inputTokens, outputTokens }): ReadonlyArray<Sample> => [
          [{ key, model, type: "input" }, inputTokens],
          [{ key, model, type: "output" }, outputTokens]
        ]
      )
    )
  }

  private routeOf({ route }: RequestRecord): RouteCounts {
    let counts = this.routes.get(route)
    if (counts === undefined) {
      counts = new RouteCounts()
      this.routes.set(route, counts)
    }
    return counts
  }

  private clientOf(key: string | undefined, model: string): ClientCounts {
    const known = this.clients.get(key)?.get(model)
    if (known !== undefined) return known
    // Beyond the bound there is one more for each key.
    if (this.clientCount >= MOST_CLIENTS && model !== OTHER) return this.clientOf(key, OTHER)
    this.clientCount++
    const client = new ClientCounts(key, model)
    const models = this.clients.get(key)
    if (models === undefined) this.clients.set(key, new Map([[model, client]]))
    else models.set(model, client)
    return client
  }
}
