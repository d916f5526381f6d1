/** A transport over any Effect `HttpClient`: for tests with a fake client, and for runtimes that have no sockets of Node. */
import * as Channel from "effect/Channel"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { constTrue } from "effect/Function"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import { type SendListener, Transport, TransportError, type WireStream } from "../../services/Transport.ts"
import * as TransportErrors from "./TransportErrors.ts"

/** What a transport has beside its `HttpClient`. */
export interface HttpClientTransportOptions {
  /** Largest answer body that is read, in bytes; a larger one fails with code `BODY_TOO_LARGE`. Default: 64 MiB. */
  readonly maxBodyBytes?: number | undefined
}

/**
 * Makes a transport over the `HttpClient` in the context.
 *
 * **Details**
 *
 * - An `HttpClient` does not tell when its connection stands: `connectMs` is not used, `firstByteMs` counts the
 *   connecting too, and a request passes for sent when the client has it.
 * - The client's spans are off for these calls: they cost as much as the call.
 *
 * **Gotchas**
 *
 * Redirects, keep-alive, proxies and compression are the client's. A client of `fetch` follows redirects.
 */
export const make = Effect.fnUntraced(function* (
  options: HttpClientTransportOptions = {}
): Effect.fn.Return<Transport["Service"], never, HttpClient.HttpClient> {
  const client = yield* HttpClient.HttpClient
  const maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024

  const head = <R>(
    request: WireRequest,
    listener: SendListener | undefined,
    through: HttpClient.HttpClient.With<HttpClientError.HttpClientError, R>
  ) => {
    const execute = Effect.suspend(() => {
      listener?.sent()
      return through.execute(toHttp(request))
    })
    return Effect.timeoutOrElse(execute, {
      duration: request.timeouts.firstByteMs,
      orElse: () => Effect.fail(TransportErrors.timedOut(request, "firstByte"))
    })
  }

  const send = (request: WireRequest, listener?: SendListener): Effect.Effect<WireResponse, TransportError> =>
    Effect.flatMap(head(request, listener, client), (response) =>
      Effect.map(
        readText(request, response, maxBodyBytes),
        (body): WireResponse => ({ status: response.status, headers: { ...response.headers }, body })
      )
    ).pipe(
      Effect.timeoutOrElse({
        duration: request.timeouts.totalMs,
        orElse: () => Effect.fail(TransportErrors.timedOut(request, "total"))
      }),
      Effect.mapError((error) => explain(request, error)),
      Effect.provideService(HttpClient.TracerDisabledWhen, constTrue)
    )

  const scopedClient = HttpClient.withScope(client)

  const open = Effect.fnUntraced(
    function* (request: WireRequest, listener?: SendListener) {
      const caller = yield* Effect.scope
      // A scope of the request's own: its limits and an early end of its body close it before the caller's.
      const scope = yield* Scope.fork(caller)
      const ended = yield* Deferred.make<never, TransportError>()
      const giveUp = (error: TransportError) =>
        Effect.andThen(Deferred.fail(ended, error), Scope.close(scope, Exit.void))
      const abandon = giveUp(TransportErrors.abandoned(request.origin))
      yield* Scope.addFinalizer(caller, abandon)
      yield* Effect.sleep(request.timeouts.totalMs).pipe(
        Effect.andThen(giveUp(TransportErrors.timedOut(request, "total"))),
        Effect.forkIn(caller, { startImmediately: true })
      )
      const response = yield* Effect.raceFirst(Deferred.await(ended), head(request, listener, scopedClient)).pipe(
        Scope.provide(scope),
        Effect.mapError((error) => explain(request, error)),
        Effect.onError(() => abandon)
      )
      const chunks = Stream.mapError(limitedBody(request, response, maxBodyBytes), (error) => explain(request, error))
      const body = Stream.fromChannel(
        Channel.fromTransform((_, reading) =>
          // The client's own scope closes after the request is given up, so that a reader who waits learns of that first.
          Effect.flatMap(Scope.fork(reading), (client) =>
            Scope.addFinalizer(reading, abandon).pipe(
              Effect.andThen(Channel.toPullScoped(chunks.channel, client)),
              Effect.map((next) => Effect.raceFirst(Deferred.await(ended), next))
            )
          )
        )
      )
      return { status: response.status, headers: { ...response.headers }, body } satisfies WireStream
    },
    Effect.provideService(HttpClient.TracerDisabledWhen, constTrue)
  )

  return { tellsSent: true, send, open } satisfies Transport["Service"]
})

/** `make` as a layer. */
export const layerOptions = (
  options: HttpClientTransportOptions
): Layer.Layer<Transport, never, HttpClient.HttpClient> => Layer.effect(Transport, make(options))

/** The same with all defaults. */
export const layer: Layer.Layer<Transport, never, HttpClient.HttpClient> = layerOptions({})

const toHttp = ({ method, origin, path, headers, body }: WireRequest): HttpClientRequest.HttpClientRequest => {
  const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i]!, headers[2 * i + 1]!] as const)
  const contentType = pairs.find(([name]) => name.toLowerCase() === "content-type")?.[1]
  return HttpClientRequest.make(method)(origin + path, {
    headers: pairs,
    ...(body === "" ? {} : { body: HttpBody.text(body, contentType) })
  })
}

const explain = (request: WireRequest, error: TransportError | HttpClientError.HttpClientError): TransportError =>
  error instanceof TransportError ? error : TransportErrors.connectionFailed(request.origin, error)

/** The body with the idle limit on every chunk, and no larger than allowed. */
const limitedBody = (
  request: WireRequest,
  response: HttpClientResponse.HttpClientResponse,
  maxBodyBytes: number
): Stream.Stream<Uint8Array, TransportError | HttpClientError.HttpClientError> => {
  let bytes = 0
  return response.stream.pipe(
    // For a client of `fetch` an answer without a body is a failure.
    Stream.catchReason("HttpClientError", "EmptyBodyError", () => Stream.empty),
    Stream.timeoutOrElse({
      duration: request.timeouts.idleMs,
      orElse: () => Stream.fail(TransportErrors.timedOut(request, "idle"))
    }),
    Stream.tap((chunk) => {
      bytes += chunk.length
      return bytes > maxBodyBytes
        ? Effect.fail(TransportErrors.bodyTooLarge(request.origin, maxBodyBytes))
        : Effect.void
    })
  )
}

/** The whole body as UTF-8 text. */
const readText = (
  request: WireRequest,
  response: HttpClientResponse.HttpClientResponse,
  maxBodyBytes: number
): Effect.Effect<string, TransportError | HttpClientError.HttpClientError> =>
  Effect.suspend(() => {
    // A chunk may end within a character, so the decoder keeps what is left over.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
    let text = ""
    return Effect.map(
      Stream.runForEach(limitedBody(request, response, maxBodyBytes), (chunk) =>
        Effect.sync(() => {
          text += decoder.decode(chunk, { stream: true })
        })
      ),
      () => text + decoder.decode()
    )
  })
