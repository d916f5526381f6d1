/** What can go wrong below HTTP, in sentences that say what to check. */
import type { WireRequest, WireTimeouts } from "../../domain/providers/Wire.ts"
import { TransportError } from "../../services/Transport.ts"

/** One of the four limits was passed. */
export const timedOut = (
  { origin, timeouts }: Pick<WireRequest, "origin" | "timeouts">,
  phase: TransportError["phase"] & Phase
): TransportError => new TransportError({ message: LIMITS[phase](origin, timeouts), phase, code: "ETIMEDOUT" })

type Phase = "connect" | "firstByte" | "idle" | "total"

const LIMITS: Record<Phase, (origin: string, limits: WireTimeouts) => string> = {
  connect: (origin, { connectMs }) => `no connection to ${origin} within ${connectMs} ms: can it be reached from here?`,
  firstByte: (origin, { firstByteMs }) => `no answer from ${origin} within ${firstByteMs} ms`,
  idle: (origin, { idleMs }) => `${origin} stopped in the middle of its answer: nothing came for ${idleMs} ms`,
  total: (origin, { totalMs }) => `the answer from ${origin} was not whole within ${totalMs} ms`
}

/** The answer is larger than the transport takes. */
export const bodyTooLarge = (origin: string, maxBodyBytes: number): TransportError =>
  broken(`the answer from ${origin} is larger than ${maxBodyBytes} bytes`, "BODY_TOO_LARGE")

/** The head of the answer, or what follows its body, is larger than the transport takes. */
export const headersTooLarge = (origin: string): TransportError =>
  broken(`the headers of the answer from ${origin} are too large`, "HEADERS_TOO_LARGE")

/** The answer is not HTTP, or not as it must be; `what` says so without its bytes. */
export const invalidAnswer = (origin: string, what: string): TransportError =>
  broken(`the answer from ${origin} is not HTTP/1.1: ${what}; check the endpoint's baseUrl`, "INVALID_ANSWER")

/** The connection was closed before the answer had come to its end. */
export const incomplete = (origin: string): TransportError =>
  broken(`${origin} closed the connection before its answer was whole`, "INCOMPLETE_ANSWER")

/** The request cannot be written as HTTP; `what` says why without its values. */
export const invalidRequest = (origin: string, what: string): TransportError =>
  broken(`the request to ${origin.replace(USERINFO, "//")} cannot be sent: ${what}`, "INVALID_REQUEST")

/** May hold a password. */
const USERINFO = /\/\/[^/]*@/

/** The transport's scope is closed. */
export const closed = (origin: string): TransportError =>
  broken(`the request to ${origin} was not sent or answered: the transport is closed`, "CLOSED")

/** The scope of a streamed answer was closed before its end. */
export const abandoned = (origin: string): TransportError =>
  broken(`the answer from ${origin} was given up before its end`, "ABANDONED")

/**
 * Any other failure of an HTTP client.
 *
 * The code is that of the error or of the nearest of its causes that has one.
 */
export const connectionFailed = (origin: string, error: unknown): TransportError => {
  const code = codeOf(error)
  return broken(sentenceOf(code, origin, error), code)
}

/** The same before anything could be sent. */
export const notConnected = (origin: string, error: unknown): TransportError => {
  const code = codeOf(error)
  if (code !== "ECONNRESET" && code !== "EPIPE") return connectionFailed(origin, error)
  const advice = origin.startsWith("https:") ? "check that its port speaks https" : "check the endpoint's baseUrl"
  return broken(`${origin} closed the connection before it could be used (${code}): ${advice}`, code)
}

const broken = (message: string, code: string): TransportError =>
  new TransportError({ message, phase: "connection", code })

const codeOf = (error: unknown): string => {
  let at = error
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    if ("code" in at && typeof at.code === "string") return at.code
    // undici's parser errors lost their codes (8.12): the message is left.
    if (at.name === "HTTPParserError") return at.message.includes("EOF") ? "HPE_INVALID_EOF_STATE" : "HPE_INVALID"
    at = at.cause
  }
  return "UNKNOWN"
}

/** Codes that begin with `UND_` or `HPE_` are those of an `HttpClient` over undici. */
const sentenceOf = (code: string, origin: string, error: unknown): string => {
  switch (code) {
    case "ECONNREFUSED":
      return `connection refused by ${origin}: is the endpoint up?`
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `the host of ${origin} is not known (${code}): check the endpoint's baseUrl and the name service`
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
    case "HPE_INVALID_EOF_STATE":
      return `${origin} closed the connection before its answer was whole (${code})`
    case "ETIMEDOUT":
    case "UND_ERR_CONNECT_TIMEOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `${origin} cannot be reached (${code}): check the endpoint's baseUrl and the network`
    case "EMFILE":
    case "ENFILE":
      return `too many open files for another connection to ${origin}: raise the limit (ulimit -n) or lower the concurrency`
    case "EADDRNOTAVAIL":
      return `no local port is free for another connection to ${origin}: lower the concurrency`
    case "UND_ERR_HEADERS_OVERFLOW":
      return `the headers of the answer from ${origin} are too large`
    case "UND_ERR_INVALID_ARG":
      return `the request to ${origin} cannot be sent: ${error instanceof Error ? error.message : code}`
  }
  if (TLS_CODE.test(code)) return `no secure connection to ${origin} (${code}): ${tlsAdvice(code)}`
  if (code.startsWith("HPE_"))
    return `the answer from ${origin} is not HTTP/1.1 (${code}): check the endpoint's baseUrl`
  return `the connection to ${origin} failed (${code})`
}

const tlsAdvice = (code: string): string => {
  if (/EXPIRED|NOT_YET_VALID/.test(code)) return "check the dates of its certificate, and this machine's clock"
  if (/ALTNAME|MISMATCH/.test(code)) return "its certificate is for other hosts; check the endpoint's baseUrl"
  if (/^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA)/.test(code)) {
    return "its certificate is not trusted here; NODE_EXTRA_CA_CERTS adds an authority"
  }
  return "check that its port speaks https, and whether it wants a certificate of its clients"
}

/** Codes of OpenSSL and of Node's certificate checks. */
const TLS_CODE = /^(EPROTO|ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA)/
