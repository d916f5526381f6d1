/** The calls of a client: their attempts, deadlines and end. */
import * as Channel from "effect/Channel"
import type * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DispatcherConfig } from "../../domain/config/DispatcherConfig.ts"
import { DispatchError, Draining } from "../../domain/dispatch/DispatchError.ts"
import type { ChatEvent } from "../../domain/genai/ChatEvent.ts"
import type { GenAiError } from "../../domain/genai/GenAiError.ts"
import type { GenAiRequest } from "../../domain/genai/GenAiRequest.ts"
import type { GenAiAnswer } from "../../domain/genai/GenAiResponse.ts"
import type { Begun, Dispatcher, SubmitOptions } from "../../services/Dispatcher.ts"
import type {
  DrainOptions,
  GenerateListener,
  GenerateOptions,
  Room,
  StartedGenerate,
  StartGenerate
} from "../../services/GenAiClient.ts"
import { monotonicMs } from "../dispatch/Throttle.ts"
import { AttemptFailed, Call, type NotSent } from "./Attempt.ts"
import { traceOf } from "./AttemptSpan.ts"
import { backoff } from "./Backoff.ts"
import { CallDeadlines } from "./CallDeadlines.ts"
import type { Endpoint } from "./Endpoint.ts"
import { makeDirectSend } from "./EndpointHandler.ts"
import { rejected } from "./Explain.ts"
import type { HealthFleet } from "./HealthFleet.ts"
import type { Hedge } from "./Hedge.ts"
import { RetryGate } from "./RetryGate.ts"
import type { Spending } from "./Spending.ts"
import { type CallOwner, StartedCall } from "./StartedCall.ts"
import type { StreamTurn } from "./StreamAttempt.ts"
import { StreamCall } from "./StreamCall.ts"
import type { TokenLimits } from "./TokenLimits.ts"

/** What streamed answers, and those that take no fiber, need of an endpoint. */
export interface Streamer {
  readonly endpoint: Endpoint
  readonly tokens: TokenLimits
}

/** Whoever asks: a fiber, or what is left of one. */
type Caller = Pick<Fiber.Fiber<unknown, unknown>, "cache" | "context">

/** What is given for a call that has ended already. */
const NOTHING_UNDER_WAY: StartedGenerate = { interrupt: Effect.void }

/** So many calls may wait for a slot beside those that will be free soon. */
const MARGIN = 64
/**
 * Of the calls that can be sent at once, so many may wait for their turn while no endpoint would take another one at once: as
 * many as a pause of the process can make due. More would only be kept in memory, and each is old before its turn comes.
 */
const STOCK = 1 / 8
/** So many calls may always wait for their next attempt; more than that only in proportion to what can be sent at once. */
const LEAST_RESTING = 1_024

/** All calls under way: retries, deadlines and the end. */
export class Calls {
  private readonly config: DispatcherConfig
  private readonly dispatcher: Dispatcher<Call, GenAiAnswer, AttemptFailed | NotSent>
  private readonly streamers: ReadonlyMap<string, Streamer>
  private readonly fleet: HealthFleet
  private readonly hedge: Hedge | undefined
  private readonly retries: RetryGate
  private readonly clock: Clock.Clock
  private readonly spending: Spending | undefined
  private readonly deadlines: CallDeadlines
  private readonly owner: CallOwner
  private readonly schedule: ReturnType<typeof backoff>
  private active = 0
  /** Calls that wait for their next attempt. */
  private resting = 0
  private onRoom: () => void = () => {}
  /** Attempts of calls that may not use every endpoint, until they end. */
  private readonly choosy = new Set<{
    readonly call: Call
    readonly attempts: number
    readonly fiber: Fiber.Fiber<unknown, unknown>
  }>()
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
    clock: Clock.Clock,
    spending: Spending | undefined
  ) {
    this.config = config
    this.dispatcher = dispatcher
    this.streamers = streamers
    this.fleet = fleet
    this.hedge = hedge
    this.retries = new RetryGate(config, clock)
    this.clock = clock
    this.spending = spending
    this.deadlines = new CallDeadlines(clock)
    this.schedule = backoff(config.retry)
    const direct = new Map(Array.from(streamers, ([name, { endpoint }]) => [name, makeDirectSend(endpoint)]))
    this.owner = {
      deadlines: this.deadlines,
      begin: (call) => this.begin(call),
      directSend: (endpoint) => direct.get(endpoint),
      attempts: (call, first) => this.attempts(call, (place) => this.attempt(call, place), first),
      onEnd: () => this.end()
    }
    fleet.onLoss = () => this.endLost()
  }

  /**
   * While a slot is free somewhere, though not for ever when those that wait cannot use it (limits, sessions). The slot is
   * then taken at once, which is much cheaper than to queue for it. And not while very many wait to be sent again: each
   * holds its request in memory. And not while nothing may be spent.
   */
  get room(): Room {
    const { dispatcher, fleet, spending } = this
    return {
      has: () => {
        const { capacity, sending } = fleet
        const trying = this.active - this.resting
        return (
          sending < capacity &&
          trying < 2 * capacity + MARGIN &&
          (trying - sending < capacity * STOCK + MARGIN || dispatcher.hasIdleSlot()) &&
          this.resting < Math.max(LEAST_RESTING, 2 * capacity) &&
          spending?.isHeld !== true
        )
      },
      watch: (listener) => {
        this.onRoom = listener
        fleet.onCapacity = listener
        fleet.onSent = listener
        if (spending !== undefined) spending.onAllowed = listener
      }
    }
  }

  /** Keeps the calls' deadlines, for ever. */
  get watch(): Effect.Effect<never> {
    return this.deadlines.watch
  }

  generate(request: GenAiRequest, options: GenerateOptions | undefined): Effect.Effect<GenAiAnswer, GenAiError> {
    return Effect.withFiber((fiber) =>
      // With one parameter `callback` makes no AbortController.
      Effect.callback((resume) => this.start(fiber, request, options, { ended: resume }).interrupt)
    )
  }

  get starter(): Effect.Effect<StartGenerate> {
    return Effect.withFiber(({ cache, context }) =>
      Effect.succeed((request, options, listener) => this.start({ cache, context }, request, options, listener))
    )
  }

  private start(
    caller: Caller,
    request: GenAiRequest,
    options: GenerateOptions | undefined,
    listener: GenerateListener
  ): StartedGenerate {
    const call = this.call(request, options, caller)
    if (this.idle !== undefined) {
      listener.ended(Exit.fail(rejected(call, "Draining")))
      return NOTHING_UNDER_WAY
    }
    this.active++
    this.retries.onRequest()
    const started = new StartedCall(this.owner, call, caller.context, listener)
    started.start()
    return started
  }

  stream(request: GenAiRequest, options: GenerateOptions | undefined): Stream.Stream<ChatEvent, GenAiError> {
    const events = Channel.fromTransform((_, scope) =>
      Effect.withFiber((fiber) => {
        const call = this.call(request, options, fiber)
        if (this.idle !== undefined) return Effect.fail(rejected(call, "Draining"))
        this.active++
        this.retries.onRequest()
        const stream = new StreamCall({
          call,
          deadlines: this.deadlines,
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

  private call(request: GenAiRequest, options: GenerateOptions | undefined, caller: Pick<Caller, "cache">): Call {
    const deadlineMs = options?.deadline === undefined ? this.config.deadlineMs : Duration.toMillis(options.deadline)
    const now = this.fleet.time.now()
    const call = new Call(request, options, now, monotonicMs(this.clock), deadlineMs, this.config.endpoints.length)
    call.trace = traceOf(caller, this.clock)
    return call
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
    return Effect.map(this.dispatcher.lease(call, place), ({ report, sent, worker }) => {
      const { endpoint, tokens } = this.streamers.get(worker)!
      return {
        endpoint,
        sent,
        report: (usage) => report(usage === undefined ? tokens.limits.map(() => 0) : tokens.countsOf(call, usage))
      }
    })
  }

  /** The retry loop is entered on the first failure only: most requests never pay for it. */
  private attempts<A>(
    call: Call,
    attemptAt: (place: SubmitOptions) => Effect.Effect<A, AttemptFailed | NotSent | DispatchError>,
    first?: Effect.Effect<A, AttemptFailed | NotSent | DispatchError>
  ): Effect.Effect<A, AttemptFailed | DispatchError> {
    const attempt = Effect.withFiber((fiber: Fiber.Fiber<unknown, unknown>) => {
      const place = this.placeOf(call)
      if (place instanceof AttemptFailed) return Effect.fail(place)
      const sent = attemptAt(place)
      if (call.exclude.size === 0) return sent
      const waiting = { call, attempts: call.attempts, fiber }
      this.choosy.add(waiting)
      return Effect.onExitPrimitive(sent, () => {
        this.choosy.delete(waiting)
        return undefined
      })
    })
    return Effect.catch(first ?? attempt, (failure) => this.retry(attempt, failure))
  }

  /** The first attempt, unless it is hedged or may have to be ended while it waits: then it is for `attempts` to make. */
  private begin(call: Call): Begun<GenAiAnswer, AttemptFailed | NotSent> | undefined {
    if (this.hedge !== undefined || call.exclude.size > 0) return undefined
    const place = this.placeOf(call)
    return place instanceof AttemptFailed ? undefined : this.dispatcher.begin(call, place)
  }

  /** Where the next attempt may go; why there is none, when no endpoint takes the call before its deadline. */
  private placeOf(call: Call): SubmitOptions | AttemptFailed {
    const { exclude } = call
    const lost = this.fleet.isAvailableBefore(call.expiresAt, exclude) ? undefined : this.whyLost(call)
    if (lost !== undefined) return lost
    // What has been sent has been taken: it is not turned away any more.
    const onFull = call.attempts === 0 ? call.onFull : "wait"
    return { session: call.session, avoid: call.avoid, exclude, onFull }
  }

  /** No endpoint takes the call before its deadline: how it failed last, else how the endpoint did that has gone. */
  private whyLost(call: Call): AttemptFailed | undefined {
    if (call.lastFailure !== undefined) return call.lastFailure
    const culprit = this.fleet.culprit(call.exclude)
    if (culprit?.failure === undefined) return undefined
    return new AttemptFailed({ ...culprit.failure, call, endpoint: culprit.name, isRetryable: false })
  }

  /** Ends the calls that wait for a turn although no endpoint that they may use will take them in time. */
  private endLost(): void {
    for (const { attempts, call, fiber } of [...this.choosy]) {
      // Of those that have been sent meanwhile an answer may come.
      if (call.attempts > attempts) continue
      if (this.fleet.isAvailableBefore(call.expiresAt, call.exclude)) continue
      call.lost = this.whyLost(call)
      if (call.lost !== undefined) fiber.interruptUnsafe()
    }
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
      if (failure._tag === "NotSent") {
        yield* this.fleet.apply(failure.endpoint)
        // Here, and not in the turn that it had: what was held back would be sent all at once, whatever the limits.
        if (this.spending?.isHeld) yield* this.rest(Effect.raceFirst(this.spending.awaitAllowed, shutDown))
      } else {
        yield* this.rest(Effect.raceFirst(this.turnToRetry(failure, backoff(failure)), shutDown))
        failure.call.readyAt = this.fleet.time.now()
      }
      const result = yield* Effect.result(attempt)
      if (Result.isSuccess(result)) return result.success
      failure = result.failure
    }
  })

  private rest<A, E>(wait: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.resting++
      this.onRoom()
      return Effect.onExit(wait, () =>
        Effect.sync(() => {
          this.resting--
          this.onRoom()
        })
      )
    })
  }

  /** What is wrong with one endpoint only costs no budget: healthy ones must not stay unused for it. */
  private turnToRetry<E>(
    failure: AttemptFailed,
    backoff: Pull.Pull<Duration.Duration, never, E>
  ): Effect.Effect<unknown, AttemptFailed> {
    const wait = Pull.catchDone(backoff, () => Effect.fail(failure))
    return failure.reason.retry === "elsewhere" ? wait : Effect.andThen(wait, this.retries.retry)
  }

  private end(): void {
    this.active--
    if (this.active === 0 && this.idle !== undefined) Deferred.doneUnsafe(this.idle, Effect.void)
  }
}
