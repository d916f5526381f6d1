/** What is told to whoever sends what is no request, or sends it too slowly: there is no route whose format it could have. */
import { STATUS_CODES } from "node:http"
import type { Reply } from "../../domain/dialects/Dialect.ts"
import { type ProblemBody, problemContentType } from "../../domain/server/ProblemBody.ts"

/** Most bytes of a request's first line and headers together. */
export const MAX_HEAD_BYTES = 16_384

/** In the log too. */
export const MALFORMED = "malformed_request"

/** All ASCII, so that its length in bytes is that of its text. */
export const malformedReply = (status: number): Reply => {
  const body: ProblemBody = {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Bad Request",
    status,
    detail: detailOf(status),
    code: MALFORMED
  }
  return { status, headers: { "content-type": problemContentType }, body: JSON.stringify(body) }
}

const detailOf = (status: number): string => {
  switch (status) {
    case 405:
      return "This service is no proxy: it takes no CONNECT."
    case 408:
      return "The request did not come in time."
    case 413:
      return "A chunk of the body has too long extensions."
    case 431:
      return `The request's first line and headers are longer than the ${MAX_HEAD_BYTES} bytes that this service takes.`
    default:
      return "What came is no request of HTTP/1.1, or one of a method that there is not."
  }
}
