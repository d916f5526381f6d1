/** Reads the JSON bodies of requests to the control plane. */

import type { IncomingMessage } from "node:http"
import * as Effect from "effect/Effect"
import { Problem } from "../../../domain/server/Problem.ts"

/**
 * The body as parsed JSON. Longer ones than `maxBytes` are refused as soon as that is known, without being kept.
 *
 * Not HttpApi's own reader: that answers without a body where this says what is wrong.
 */
export const readJsonBody = (request: IncomingMessage, maxBytes: number): Effect.Effect<unknown, Problem> =>
  Effect.suspend(() => {
    const refusal = refuse(request, maxBytes)
    return refusal === undefined ? Effect.flatMap(readBytes(request, maxBytes), parse) : Effect.fail(refusal)
  })

const refuse = (request: IncomingMessage, maxBytes: number): Problem | undefined => {
  const type = request.headers["content-type"]
  if (type === undefined || !/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(type.trim())) {
    return new Problem({
      kind: "UnsupportedMediaType",
      message: "The body must be JSON: send it with the header content-type: application/json."
    })
  }
  const encoding = request.headers["content-encoding"]
  if (encoding !== undefined && encoding !== "identity") {
    return new Problem({ kind: "UnsupportedMediaType", message: "The body must not be compressed." })
  }
  return Number(request.headers["content-length"] ?? 0) > maxBytes ? tooLarge(maxBytes) : undefined
}

const readBytes = (request: IncomingMessage, maxBytes: number): Effect.Effect<Buffer, Problem> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    const done = (result: Effect.Effect<Buffer, Problem>) => {
      stop()
      resume(result)
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) done(Effect.fail(tooLarge(maxBytes)))
      else chunks.push(chunk)
    }
    const onEnd = () => done(Effect.succeed(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    // The client is gone: nobody hears this.
    const onClose = () => done(Effect.fail(new Problem({ kind: "InvalidRequest", message: "The body broke off." })))
    const stop = () => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose)
      // What still comes is thrown away, and a late error has somebody to hear it.
      request.on("error", () => {}).resume()
    }
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose)
    return Effect.sync(stop)
  })

const utf8 = new TextDecoder("utf-8", { fatal: true })

const parse = (bytes: Buffer): Effect.Effect<unknown, Problem> =>
  Effect.try({
    try: (): unknown => JSON.parse(utf8.decode(bytes)),
    catch: () => new Problem({ kind: "InvalidRequest", code: "invalid_json", message: "The body is not valid JSON." })
  })

const tooLarge = (maxBytes: number): Problem =>
  new Problem({ kind: "TooLarge", message: `The body is longer than the ${maxBytes} bytes that are taken.` })
