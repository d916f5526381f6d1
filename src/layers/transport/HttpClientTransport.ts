/** A transport over any Effect `HttpClient`: for tests with a fake client, and for runtimes where undici is not at home. */
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import type { WireRequest, WireResponse } from "../../domain/providers/Wire.ts"
import { Transport, TransportError } from "../../services/Transport.ts"
import * as TransportErrors from "./TransportErrors.ts"

export interface HttpClientTransportOptions {
  /** Largest answer body that is read, in bytes; a larger one fails with code `BODY_TOO_LARGE`. Default: 64 MiB. */
  readonly maxBodyBytes?: number | undefined
}

/**
 * Makes a transport over the `HttpClient` in the context.
 *
 * **Details**
 *
 * - An `HttpClient` does not tell when its connection stands: `connectMs` is not used, and `firstByteMs` counts the
 *   connecting too.
 * - The client's spans are off for these calls: they cost as much as the call.
 *
 * **Gotchas**
 *
 * Redirects, keep-alive, proxies and compression are the client's. A client of `fetch` follows redirects.
 */
export const make = Effect.fnUntraced(function* (options: HttpClientTransportOptions = {}) {
  const client = yield* HttpClient.HttpClient
  const maxBodyBytes = options.maxBodyBytes ?? 64 * 1024 * 1024

  const send = (request: WireRequest): Effect.Effect<WireResponse, TransportError> => {
    const { timeouts } = request
    const head = Effect.timeoutOrElse(client.execute(toHttp(request)), {
      duration: timeouts.firstByteMs,
      orElse: () => Effect.fail(TransportErrors.timedOut(request, "firstByte"))
    })
    return Effect.flatMap(head, (response) =>
      Effect.map(
        readText(request, response, maxBodyBytes),
        (body): WireResponse => ({ status: response.status, headers: { ...response.headers }, body })
      )
    ).pipe(
      Effect.timeoutOrElse({
        duration: timeouts.totalMs,
        orElse: () => Effect.fail(TransportErrors.timedOut(request, "total"))
      }),
      Effect.mapError((error) =>
        error instanceof TransportError ? error : TransportErrors.connectionFailed(request.origin, error)
      ),
      Effect.provideService(HttpClient.TracerDisabledWhen, constTrue)
    )
  }
  return { send } satisfies Transport["Service"]
})

export const layerOptions = (
  options: HttpClientTransportOptions
): Layer.Layer<Transport, never, HttpClient.HttpClient> => Layer.effect(Transport, make(options))

export const layer: Layer.Layer<Transport, never, HttpClient.HttpClient> = layerOptions({})

const toHttp = ({ method, origin, path, headers, body }: WireRequest): HttpClientRequest.HttpClientRequest => {
  const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i]!, headers[2 * i + 1]!] as const)
  const contentType = pairs.find(([name]) => name.toLowerCase() === "content-type")?.[1]
  return HttpClientRequest.make(method)(origin + path, {
    headers: pairs,
    ...(body === "" ? {} : { body: HttpBody.text(body, contentType) })
  })
}

/** The body as UTF-8 text, with the idle limit on every chunk. */
const readText = (
  request: WireRequest,
  response: HttpClientResponse.HttpClientResponse,
  maxBodyBytes: number
): Effect.Effect<string, TransportError | HttpClientError.HttpClientError> =>
  Effect.suspend(() => {
    // A chunk may end within a character, so the decoder keeps what is left over.
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true })
    let text = ""
    let bytes = 0
    return response.stream.pipe(
      Stream.timeoutOrElse({
        duration: request.timeouts.idleMs,
        orElse: () => Stream.fail(TransportErrors.timedOut(request, "idle"))
      }),
      Stream.runForEach((chunk) => {
        bytes += chunk.length
        if (bytes > maxBodyBytes) return Effect.fail(TransportErrors.bodyTooLarge(request.origin, maxBodyBytes))
        text += decoder.decode(chunk, { stream: true })
        return Effect.void
      }),
      Effect.map(() => text + decoder.decode())
    )
  })
