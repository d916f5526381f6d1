/** `GenAiClient` over a dispatcher with one worker per endpoint. */
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ConfigError } from "../../domain/config/ConfigError.ts"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { DispatchError, Draining, type InvalidOptions } from "../../domain/dispatch/DispatchError.ts"
import type { ChatEvent } from "../../domain/genai/ChatEvent.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import type { Dispatcher, SubmitOptions } from "../../services/Dispatcher.ts"
import { type DrainOptions, GenAiClient, type GenerateOptions } from "../../services/GenAiClient.ts"
import { Transport } from "../../services/Transport.ts"
import * as ConfigLoader from "../config/ConfigLoader.ts"
import * as EndpointCredentials from "../credentials/EndpointCredentials.ts"
import { make as makeDispatcher } from "../dispatch/Dispatcher.ts"
import { AttemptFailed, Call, type NotSent } from "./Attempt.ts"
import { backoff } from "./Backoff.ts"
import { Endpoint } from "./Endpoint.ts"
import { makeEndpointHandler } from "./EndpointHandler.ts"
import { EndpointRecorder } from "./EndpointRecorder.ts"
import { explain, rejected, tooLate } from "./Explain.ts"
import { HealthFleet } from "./HealthFleet.ts"
import { Hedge } from "./Hedge.ts"
import { RetryGate } from "./RetryGate.ts"
import type { Spending } from "./Spending.ts"
import type { StreamTurn } from "./StreamAttempt.ts"
import { StreamCall } from "./StreamCall.ts"
import { makeTokenLimits, type TokenLimits } from "./TokenLimits.ts"

export interface ClientOptions {
  /** Sends nothing more once this is spent: requests then fail with `Rejected`. Default: no limit. */
  readonly spending?: Spending | undefined
}

/** Makes a client that lives as long as the scope; its endpoints are reached through `Transport`. */
export const make = Effect.fnUntraced(function* (
  config: DispatcherConfig,
  options: ClientOptions = {}
): Effect.fn.Return<GenAiClient["Service"], InvalidOptions, Transport | Scope.Scope> {
  const transport = yield* Transport
  const clock = yield* Clock.Clock
  const recorders = config.endpoints.map((endpoint) => new EndpointRecorder(endpoint, options.spending))
  const fleet = new HealthFleet(config, clock)
  const credentials = yield* Effect.forEach(config.endpoints, EndpointCredentials.make)
  const endpoints = config.endpoints.map(
    (endpoint, index) =>
      new Endpoint({
        endpoint,
        credentials: credentials[index]!,
        transport,
        recorder: recorders[index]!,
        health: fleet.monitors[index]!,
        hasHope: (call) => fleet.isAvailableBefore(call.deadlineAt, call.exclude),
        clock,
        maxAttempts: config.maxAttempts
      })
  )
  const tokenLimits = config.endpoints.map(makeTokenLimits)
  const dispatcher = yield* makeDispatcher({
    policy: config.policy,
    limits: { requestsPerSecond: config.maxRequestsPerSecond },
    affinity: config.affinity && { ...config.affinity, ttl: config.affinity.ttlMs },
    workers: config.endpoints.map((endpoint, index) => ({
      name: endpoint.name,
      weight: endpoint.weight,
      concurrency: endpoint.concurrency,
      queueCapacity: endpoint.queueCapacity,
      priority: endpoint.priority,
      limits: endpoint.limits,
      unitLimits: tokenLimits[index]!.limits,
      handler: makeEndpointHandler(endpoints[index]!)
    }))
  })
  for (const monitor of fleet.monitors) {
    const control = dispatcher.control(monitor.name)!
    yield* Effect.forkScoped(monitor.watch(control), { startImmediately: true })
  }
  const streamers = new Map(
    endpoints.map((endpoint, index) => [endpoint.name, { endpoint, tokens: tokenLimits[index]! }])
  )
  const latencies = new Map(config.endpoints.map(({ name }, index) => [name, recorders[index]!.latency]))
  const hedge =
    config.hedge &&
    new Hedge({
      config: config.hedge,
      maxAttempts: config.maxAttempts,
      fleet,
      latencyOf: (endpoint) => latencies.get(endpoint)!
    })
  const calls = new Calls(config, dispatcher, streamers, fleet, hedge, clock)
  return GenAiClient.of({
    generate: (request, options) => calls.generate(request, options),
    stream: (request, options) => calls.stream(request, options),
    stats: Effect.map(dispatcher.metrics, (metrics) =>
      recorders.map((recorder, index) => recorder.stats(metrics.workers[index]!, fleet.monitors[index]!.state))
    ),
    drain: (options) => calls.drain(options)
  })
})

export const layer = (
  config: DispatcherConfig,
  options?: ClientOptions
): Layer.Layer<GenAiClient, InvalidOptions, Transport> => Layer.effect(GenAiClient, make(config, options))

/** The same with the configuration that `ConfigLoader` finds: a file, flags, the environment. */
export const layerConfig = (
  options: ConfigLoader.LoadOptions
): Layer.Layer<GenAiClient, ConfigError | InvalidOptions, Transport | FileSystem.FileSystem> =>
  Layer.unwrap(Effect.map(ConfigLoader.load(options), ({ config }) => layer(config)))

/** What streamed answers need of an endpoint. */
interface Streamer {
  readonly endpoint: Endpoint
  readonly tokens: TokenLimits
}

/** All calls under way: retries, deadlines and the end. */
class Calls {
  private readonly config: DispatcherConfig
  private readonly dispatcher: Dispatcher<Call, GenAiAnswer, AttemptFailed | NotSent>
  private readonly streamers: ReadonlyMap<string, Streamer>
  private readonly fleet: HealthFleet
  private readonly hedge: Hedge | undefined
  private readonly retries: RetryGate
  private readonly clock: Clock.Clock
  private readonly schedule: ReturnType<typeof backoff>
  private active = 0
  /** Done when requests that back off are to fail instead of being tried again. */
  private readonly discarded = Deferred.makeUnsafe<void>()
  /** Present once draining; done when no call is under way. */
  private idle: Deferred.Deferred<void> | undefined = undefined

  constructor(
    config: DispatcherConfig,
    dispatcher: Dispatcher<Call, GenAiAnswer, AttemptFailed | NotSent>,
    streamers: ReadonlyMap<string, Streamer>,
    fleet: HealthFleet,
    hedge: Hedge | undefined,
    clock: Clock.Clock
  ) {
    this.config = config
    this.dispatcher = dispatcher
    this.streamers = streamers
    this.fleet = fleet
    this.hedge = hedge
    this.retries = new RetryGate(config, clock)
    this.clock = clock
    this.schedule = backoff(config.retry)
  }

  generate(request: GenAiRequest, options: GenerateOptions | undefined): Effect.Effect<GenAiAnswer, GenAiError> {
    return Effect.suspend(() => {
      const call = this.call(request, options)
      if (this.idle !== undefined) return Effect.fail(rejected(call, "Draining"))
      this.active++
      this.retries.onRequest()
      const answer = this.attempts(call, (place) => this.attempt(call, place)).pipe(
        Effect.mapError((error) => explain(call, error)),
        Effect.timeoutOrElse({ duration: call.deadlineMs, orElse: () => Effect.fail(tooLate(call)) })
      )
      return Effect.onExitPrimitive(answer, () => this.end())
    })
  }

  stream(request: GenAiRequest, options: GenerateOptions | undefined): Stream.Stream<ChatEvent, GenAiError> {
    const events = Channel.fromTransform((_, scope) =>
      Effect.suspend(() => {
        const call = this.call(request, options)
        if (this.idle !== undefined) return Effect.fail(rejected(call, "Draining"))
        this.active++
        this.retries.onRequest()
        const stream = new StreamCall({
          call,
          clock: this.clock,
          attempts: (attempt) => this.attempts(call, (place) => attempt(this.turn(call, place))),
          onEnd: () => this.end()
        })
        return Effect.as(Scope.addFinalizer(scope, stream.close), stream.pull)
      })
    )
    return Stream.fromChannel(events)
  }

  drain(options: DrainOptions): Effect.Effect<boolean> {
    return Effect.gen({ self: this }, function* () {
      this.idle ??= Deferred.makeUnsafe<void>()
      if (options.queued === "discard") {
        yield* Deferred.succeed(this.discarded, undefined)
        yield* this.dispatcher.drain({ timeout: 0, queued: "discard" })
      }
      if (this.active === 0) return true
      return yield* Effect.timeoutOrElse(Effect.as(Deferred.await(this.idle), true), {
        duration: options.timeout,
        orElse: () => Effect.succeed(false)
      })
    })
  }

  private call(request: GenAiRequest, options: GenerateOptions | undefined): Call {
    const deadlineMs = options?.deadline === undefined ? this.config.deadlineMs : Duration.toMillis(options.deadline)
    const now = this.clock.currentTimeMillisUnsafe()
    return new Call(request, options?.session, now, deadlineMs, this.config.endpoints.length)
  }

  private attempt(
    call: Call,
    place: SubmitOptions
  ): Effect.Effect<GenAiAnswer, AttemptFailed | NotSent | DispatchError> {
    if (this.hedge === undefined) return this.dispatcher.submit(call, place)
    return this.hedge.run(call, place, (place) => this.dispatcher.submit(call, place))
  }

  /** A turn for a streamed answer, held until the scope closes. */
  private turn(call: Call, place: SubmitOptions): Effect.Effect<StreamTurn, DispatchError, Scope.Scope> {
    return Effect.map(this.dispatcher.lease(call, place), ({ worker, report }) => {
      const { endpoint, tokens } = this.streamers.get(worker)!
      return {
        endpoint,
        report: (usage) => report(usage === undefined ? tokens.limits.map(() => 0) : tokens.countsOf(call, usage))
      }
    })
  }

  /** The retry loop is entered on the first failure only: most requests never pay for it. */
  private attempts<A>(
    call: Call,
    attemptAt: (place: SubmitOptions) => Effect.Effect<A, AttemptFailed | NotSent | DispatchError>
  ): Effect.Effect<A, AttemptFailed | DispatchError> {
    const attempt = Effect.suspend(() => {
      const exclude = this.fleet.excluding(call.exclude)
      const lost = this.fleet.isAvailableBefore(call.deadlineAt, exclude) ? undefined : this.whyLost(call)
      if (lost !== undefined) return Effect.fail(lost)
      return attemptAt({ session: call.session, avoid: call.avoid, exclude })
    })
    return Effect.catch(attempt, (failure) => this.retry(attempt, failure))
  }

  /** No endpoint takes the call before its deadline: how it failed last, else how the endpoint did that has gone. */
  private whyLost(call: Call): AttemptFailed | undefined {
    if (call.lastFailure !== undefined) return call.lastFailure
    const failure = this.fleet.culprit?.failure
    return failure && new AttemptFailed({ ...failure, call, endpoint: this.fleet.culprit!.name, isRetryable: false })
  }

  private readonly retry = Effect.fnUntraced(function* <A>(
    this: Calls,
    attempt: Effect.Effect<A, AttemptFailed | NotSent | DispatchError>,
    first: AttemptFailed | NotSent | DispatchError
  ) {
    const backoff = yield* Schedule.toStepWithSleep(this.schedule)
    const shutDown = Effect.flatMap(Deferred.await(this.discarded), () =>
      Effect.fail(new DispatchError({ reason: new Draining({}) }))
    )
    let failure = first
    for (;;) {
      if (failure._tag === "DispatchError") return yield* failure
      if (failure._tag === "NotSent") yield* this.fleet.apply(failure.endpoint)
      else yield* Effect.raceFirst(this.turnToRetry(failure, backoff(failure)), shutDown)
      const result = yield* Effect.result(attempt)
      if (Result.isSuccess(result)) return result.success
      failure = result.failure
    }
  })

  /** What is wrong with one endpoint only costs no budget: healthy ones must not stay unused for it. */
  private turnToRetry<E>(
    failure: AttemptFailed,
    backoff: Pull.Pull<Duration.Duration, never, E>
  ): Effect.Effect<unknown, AttemptFailed> {
    const wait = Pull.catchDone(backoff, () => Effect.fail(failure))
    return failure.reason.retry === "elsewhere" ? wait : Effect.andThen(wait, this.retries.retry)
  }

  private end(): undefined {
    this.active--
    if (this.active === 0 && this.idle !== undefined) Deferred.doneUnsafe(this.idle, Effect.void)
    return undefined
  }
}
