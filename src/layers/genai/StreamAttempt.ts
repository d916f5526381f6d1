/** One attempt at a streamed answer: from the request being sent to the last event. */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import type { ChatEvent, Finish } from "../../domain/genai/ChatEvent.ts"
import { ConnectionFailed, InvalidAnswer } from "../../domain/genai/GenAiError.ts"
import type { Usage } from "../../domain/genai/GenAiResponse.ts"
import type { Credential, ProviderFailure } from "../../domain/providers/Provider.ts"
import type { StreamDecoder, StreamItem } from "../../domain/providers/StreamDecoder.ts"
import type { Turn } from "../../services/Dispatcher.ts"
import type { TransportError, WireStream } from "../../services/Transport.ts"
import { AttemptFailed, type Call, type NotSent } from "./Attempt.ts"
import type { Endpoint, Send } from "./Endpoint.ts"

/** A turn at an endpoint. */
export interface StreamTurn extends Turn {
  readonly endpoint: Endpoint
  /** Says what the request took of the endpoint's token limits; `undefined` when the endpoint refused it. */
  readonly report: (usage: Usage | undefined) => void
}

/** Events that came together. */
export type Events = Arr.NonEmptyReadonlyArray<ChatEvent>

/** An answer that has begun. */
export interface StreamedAnswer {
  readonly attempt: StreamAttempt
  readonly first: Events
  /** The events after the first; ends after `Finish`. */
  readonly next: Pull.Pull<Events, AttemptFailed>
}

type Chunks = Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, TransportError>

/** How long the connection may take to come to its end after the answer has, so that it can be used again. */
const ENDING_MS = 1_000

/**
 * Sends the request and reads until the answer has begun, so that a failure before that can be followed by another
 * attempt. What comes before the first piece of the answer (usage, a provider's opening events) waits for it. Closing the scope aborts the request.
 */
export const openStream = (
  turn: StreamTurn,
  call: Call
): Effect.Effect<StreamedAnswer, AttemptFailed | NotSent, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    turn.endpoint.withCredential(call, (credential) => open(turn, call, credential, scope))
  )

const open = Effect.fnUntraced(function* (turn: StreamTurn, call: Call, credential: Credential, scope: Scope.Scope) {
  const { provider, transport } = turn.endpoint
  const { attempt, wire } = yield* begin(turn, call, credential, scope)
  const answer = yield* transport.open(wire, turn).pipe(
    Scope.provide(scope),
    Effect.mapError((error) => attempt.broken(error))
  )
  const chunks = yield* Channel.toPullScoped(answer.body.channel, scope)
  if (answer.status < 200 || answer.status >= 300) return yield* attempt.refused(answer, chunks)
  const keepsRaw = (call.request.keepRaw ?? false) !== false
  return yield* attempt.begun(answer, chunks, provider.stream(credential, turn.endpoint.now(), keepsRaw))
})

/** Uninterruptible, so that what has begun comes to an end in the endpoint's books. */
const begin = (turn: StreamTurn, call: Call, credential: Credential, scope: Scope.Scope) =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const begun = turn.endpoint.begin(call, credential, "stream")
      if (Result.isFailure(begun)) return Effect.fail(begun.failure)
      const { send, wire } = begun.success
      const attempt = new StreamAttempt(turn, call, send)
      const abort = Effect.sync(() => attempt.abort())
      return Effect.as(Scope.addFinalizer(scope, abort), { attempt, wire })
    })
  )

export class StreamAttempt {
  private readonly send: Send
  private readonly turn: StreamTurn
  private readonly call: Call
  private state: "open" | "succeeded" | "failed" | "aborted" = "open"
  private headers: WireStream["headers"] = {}
  private usage: Usage | undefined = undefined
  private failure: AttemptFailed | undefined = undefined

  constructor(turn: StreamTurn, call: Call, send: Send) {
    this.turn = turn
    this.call = call
    this.send = send
  }

  /** Whether it has come to no end yet. */
  get isOpen(): boolean {
    return this.state === "open"
  }

  /** How it ended. */
  get exit(): Exit.Exit<void, AttemptFailed> {
    if (this.failure !== undefined) return Exit.fail(this.failure)
    return this.state === "succeeded" ? Exit.void : Exit.interrupt()
  }

  /** The caller gives up. Nothing when the attempt has ended. */
  abort(): void {
    if (!this.isOpen) return
    this.state = "aborted"
    this.turn.endpoint.aborted(this.send)
  }

  /** No whole answer came. */
  broken(error: TransportError): AttemptFailed {
    if (this.state === "aborted") return this.abandoned(error)
    this.state = "failed"
    this.failure = this.turn.endpoint.broken(this.call, this.send, error)
    return this.failure
  }

  /** An answer with another status than success is read whole: it says why. */
  refused({ status, headers }: WireStream, chunks: Chunks): Effect.Effect<never, AttemptFailed> {
    const { endpoint, report } = this.turn
    const bytes: Array<Uint8Array> = []
    const whole = Effect.forever(Effect.tap(chunks, (more) => Effect.sync(() => bytes.push(...more))))
    return Effect.catch(whole, (error) => {
      if (!Cause.isDone(error)) return Effect.fail(this.broken(error))
      const response = { status, headers, body: Buffer.concat(bytes).toString("utf8") }
      const decoded = endpoint.provider.decode(response, this.send.credential, endpoint.now())
      report(undefined)
      return Effect.fail(this.failed(Result.isFailure(decoded) ? decoded.failure : noStream(status)))
    })
  }

  /** Reads up to the first event that is part of the answer. */
  readonly begun = Effect.fnUntraced(function* (
    this: StreamAttempt,
    { headers }: WireStream,
    chunks: Chunks,
    decoder: StreamDecoder
  ) {
    this.headers = headers
    const read = this.reader(chunks, decoder)
    let first = yield* read
    while (!first.some(isAnswer)) first = Arr.appendAll(first, yield* read)
    if (this.failure !== undefined) return yield* Effect.fail(this.failure)
    return { attempt: this, first, next: this.next(read, chunks) } satisfies StreamedAnswer
  })

  /** Reads until there are events. */
  private reader(chunks: Chunks, decoder: StreamDecoder): Effect.Effect<Events, AttemptFailed> {
    const read: Effect.Effect<Events, AttemptFailed> = Effect.matchEffect(chunks, {
      onSuccess: (bytes) => this.take(decoder.push(joined(bytes))) ?? read,
      onFailure: (error) => {
        if (!Cause.isDone(error)) return Effect.fail(this.broken(error))
        return this.take(decoder.end()) ?? Effect.fail(this.failed(NO_END))
      }
    })
    return Effect.suspend(() => (this.failure === undefined ? read : Effect.fail(this.failure)))
  }

  /** The events among the items, or the failure; `undefined` when there are none. */
  private take(items: ReadonlyArray<StreamItem>): Effect.Effect<Events, AttemptFailed> | undefined {
    const events = items.every(isEvent) ? items : items.filter(isEvent)
    for (const event of events) {
      if (event._tag === "UsageReport") this.usage = event.usage
      else if (event._tag === "Finish") this.succeeded(event)
    }
    const last = items.at(-1)
    if (last?._tag === "StreamFailed") {
      const failure = this.failed(last.failure)
      if (events.length === 0) return Effect.fail(failure)
    }
    return Arr.isReadonlyArrayNonEmpty(events) ? Effect.succeed(events) : undefined
  }

  private next(read: Effect.Effect<Events, AttemptFailed>, chunks: Chunks): Pull.Pull<Events, AttemptFailed> {
    // The answer is whole, so what becomes of the connection is of no interest any more.
    const ending = Effect.forever(chunks).pipe(
      Effect.timeoutOption(ENDING_MS),
      Effect.matchEffect({ onSuccess: () => Cause.done(), onFailure: () => Cause.done() })
    )
    return Effect.suspend((): Pull.Pull<Events, AttemptFailed> => (this.state === "succeeded" ? ending : read))
  }

  private succeeded(finish: Finish): void {
    this.state = "succeeded"
    this.turn.endpoint.succeeded(this.send, this.usage, this.headers, finish)
    if (this.usage !== undefined) this.turn.report(this.usage)
  }

  private failed(failure: ProviderFailure): AttemptFailed {
    this.state = "failed"
    this.failure = this.turn.endpoint.failed(this.call, this.send, failure)
    return this.failure
  }

  /** What a reader learns that still waits when the caller has given up. */
  private abandoned({ code, message }: TransportError): AttemptFailed {
    const { call } = this
    const reason = new ConnectionFailed({ code })
    return new AttemptFailed({ call, endpoint: this.turn.endpoint.name, reason, message, isRetryable: false })
  }
}

/** Read as one: servers send an event to a chunk, and each piece of text costs as much to decode as a long one. */
const joined = (chunks: Arr.NonEmptyReadonlyArray<Uint8Array>): Uint8Array =>
  chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)

const isEvent = (item: StreamItem): item is ChatEvent => item._tag !== "StreamFailed"

/** A provider's own events count from the first that is part of the answer: tool calls have no text, and must not wait. */
const isAnswer = (event: ChatEvent): boolean =>
  event._tag === "RawEvent" ? !event.isOpening : event._tag !== "UsageReport"

const NO_END: ProviderFailure = {
  reason: new InvalidAnswer({ status: 200 }),
  message: "the stream broke off before the answer was whole"
}

const noStream = (status: number): ProviderFailure => ({
  reason: new InvalidAnswer({ status }),
  message: `the endpoint answered with status ${status} and no stream`
})
