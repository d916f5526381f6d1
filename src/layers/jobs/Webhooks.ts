/** Tells clients' own servers of the end of their jobs. */
import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from "node:dns"
import type { LookupFunction } from "node:net"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import { Agent } from "undici"
import type { WebhookConfig } from "../../domain/config/ServerConfig.ts"
import type { Job, JobId, JobWebhook } from "../../domain/jobs/Job.ts"
import { isPublicAddress } from "../../domain/jobs/PublicAddress.ts"
import { publicJob } from "../../domain/jobs/PublicJob.ts"
import { signatureHeaders } from "../../domain/jobs/WebhookSignature.ts"
import { privateAddress, webhookTarget } from "../../domain/jobs/WebhookTarget.ts"
import { JobStore, type JobStoreError } from "../../services/JobStore.ts"
import { Receivers } from "./Receivers.ts"

const POLL = "1 second"
const TIMEOUT_MS = 10_000
/** Most deliveries under way, and to one receiver. */
const MOST_AT_ONCE = 256
const MOST_TO_ONE = 8
/** Most that wait for their turn at one receiver. */
const MOST_WAITING = 1_000
/** Most taken out of the store at once: each may have a long answer. */
const MOST_TAKEN = 64
/** A delivery that this process does not live to see the end of is tried again after that. */
const CLAIM_MS = 60_000

const SECOND = 1_000
const MINUTE = 60 * SECOND
/** After the first try, the second, and so on; the last one goes on. */
const BACKOFF_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE]

/** `Gone`: the receiver wants no more. `Silent`: it has not answered in time. */
type Delivery = "Delivered" | "Gone" | "Failed" | "Silent"

/** How names are resolved; as `dns.lookup` with `all`. */
export type Resolve = (
  hostname: string,
  options: LookupOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: ReadonlyArray<LookupAddress>) => void
) => void

const resolveByDns: Resolve = (hostname, options, done) => dnsLookup(hostname, { ...options, all: true }, done)

/** Delivers as long as the scope. */
export const make = Effect.fnUntraced(function* (
  config: WebhookConfig,
  resolve: Resolve = resolveByDns
): Effect.fn.Return<void, never, JobStore | Scope.Scope> {
  const store = yield* JobStore
  const clock = yield* Clock.Clock
  const scope = yield* Scope.Scope
  const agent = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Agent({
          allowH2: false,
          connect: { timeout: TIMEOUT_MS, ...(config.allowPrivate ? {} : { lookup: publicOnly(resolve) }) }
        })
    ),
    (agent) => Effect.promise(() => agent.destroy())
  )
  const now = () => clock.currentTimeMillisUnsafe()

  const deliver = Effect.fnUntraced(function* (job: Job, webhook: JobWebhook) {
    const target = webhookTarget(webhook.url, config)
    const delivery =
      Result.isFailure(target) || config.secret === undefined
        ? "Gone"
        : yield* post(agent, target.success, bodyOf(job), Redacted.value(config.secret), job.id, now())
    yield* store.setWebhook(job.id, after(webhook, delivery, config.maxAttempts, now()))
    return delivery
  })

  const receivers = new Receivers({
    mostToOne: MOST_TO_ONE,
    most: MOST_AT_ONCE,
    mostWaiting: MOST_WAITING,
    patienceMs: CLAIM_MS - 2 * TIMEOUT_MS
  })
  /** At most one word that a delivery has ended. */
  const bell = yield* Queue.sliding<void>(1)

  /** Each on its own: a slow receiver keeps no other one waiting. */
  const begin = (origin: string, work: Effect.Effect<Delivery, JobStoreError>): Effect.Effect<unknown> =>
    work.pipe(
      Effect.catch((error) =>
        Effect.as(Effect.logWarning(`The delivery of a webhook cannot be kept: ${error.message}`), "Failed" as const)
      ),
      Effect.flatMap((delivery) => {
        const next = receivers.leave(origin, delivery === "Silent", now())
        Queue.offerUnsafe(bell, undefined)
        return Effect.forEach(next, (id) => begin(origin, deliverLater(id)), { discard: true })
      }),
      Effect.forkIn(scope, { startImmediately: true })
    )

  /** One that has waited for its turn. */
  const deliverLater = (id: JobId): Effect.Effect<Delivery, JobStoreError> =>
    Effect.flatMap(store.get(id), (found) =>
      Option.isSome(found) && found.value.webhook?.status === "pending"
        ? deliver(found.value, found.value.webhook)
        : Effect.succeed("Delivered")
    )

  const take = (job: Job): Effect.Effect<unknown> => {
    const { webhook } = job
    if (webhook === undefined) return Effect.void
    const origin = URL.parse(webhook.url)?.origin ?? webhook.url
    return receivers.take(origin, job.id, now()) ? begin(origin, deliver(job, webhook)) : Effect.void
  }

  /** Takes up what is due; whether there may be more. */
  const some: Effect.Effect<boolean, JobStoreError> = Effect.suspend(() => {
    if (receivers.isFull) return Effect.as(Queue.take(bell), true)
    return store.dueWebhooks({ nowMs: now(), limit: MOST_TAKEN, retryAtMs: now() + CLAIM_MS }).pipe(
      Effect.tap((jobs) => Effect.forEach(jobs, take, { discard: true })),
      Effect.map((jobs) => jobs.length === MOST_TAKEN)
    )
  })

  yield* some.pipe(
    Effect.catch((error) => Effect.as(Effect.logWarning(`Webhooks cannot be delivered: ${error.message}`), false)),
    Effect.flatMap((isMore) => (isMore ? Effect.yieldNow : Effect.sleep(POLL))),
    Effect.forever,
    Effect.forkScoped
  )
})

/** The same for every try. */
const bodyOf = (job: Job): string => {
  const { webhook: _webhook, ...told } = publicJob(job)
  return JSON.stringify(told)
}

/** How far the webhook has come after a try. */
const after = (webhook: JobWebhook, delivery: Delivery, maxAttempts: number, nowMs: number): JobWebhook => {
  const attempts = webhook.attempts + 1
  if (delivery === "Delivered") return { ...webhook, attempts, status: "delivered", nextAtMs: nowMs }
  if (delivery === "Gone" || attempts >= maxAttempts) return { ...webhook, attempts, status: "failed", nextAtMs: nowMs }
  return { ...webhook, attempts, nextAtMs: nowMs + (BACKOFF_MS[attempts - 1] ?? BACKOFF_MS.at(-1)!) }
}

/** Follows no redirects, and reads nothing of the answer but its status. */
const post = (
  agent: Agent,
  url: URL,
  body: string,
  secret: string,
  id: string,
  nowMs: number
): Effect.Effect<Delivery> =>
  Effect.tryPromise(async (signal) => {
    const answer = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "genai-dispatcher",
        ...signatureHeaders(secret, { id, nowMs, body })
      },
      body,
      signal,
      headersTimeout: TIMEOUT_MS
    })
    answer.body.on("error", () => {}).destroy()
    return answer.statusCode
  }).pipe(
    Effect.timeout(TIMEOUT_MS),
    Effect.map(
      (status): Delivery => (status === 410 ? "Gone" : status >= 200 && status < 300 ? "Delivered" : "Failed")
    ),
    Effect.catch((error) =>
      Effect.as(
        Effect.logDebug(`A webhook was not delivered: ${error.message}`),
        error._tag === "TimeoutError" ? ("Silent" as const) : ("Failed" as const)
      )
    )
  )

/**
 * Resolves names to public addresses only, at the moment of the connection: what the name was when the job was accepted
 * says nothing of what it is now.
 */
const publicOnly =
  (resolve: Resolve): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, options, (error, addresses) => {
      const open = addresses?.filter(({ address }) => isPublicAddress(address)) ?? []
      const first = open[0]
      if (error !== null) callback(error, "")
      else if (first === undefined) callback(new Error(`webhook: ${privateAddress}`), "")
      else if (options.all === true) callback(null, open)
      else callback(null, first.address, first.family)
    })
  }
