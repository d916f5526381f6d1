/** What went wrong on the way to a Google access token, and what to do about it. */
import { isObject } from "effect/Predicate"
import { ConnectionFailed, Unauthorized } from "../../domain/genai/GenAiError.ts"
import * as ErrorBody from "../../domain/providers/ErrorBody.ts"
import * as Json from "../../domain/providers/Json.ts"
import { cut, EXCERPT_LIMIT, oneLine, words } from "../../domain/providers/Text.ts"
import { CredentialError } from "../../services/Credentials.ts"

/** The setup is wrong: nobody was asked. */
export const misconfigured = (message: string): CredentialError =>
  new CredentialError({ message, reason: new Unauthorized({ status: 401 }) })

/**
 * The failure of a call to one of Google's servers.
 *
 * `asked` names the server, `advice` says what to do when it refuses. Nothing of the request is repeated, only what the
 * server said.
 */
export const fromCall = (error: unknown, asked: string, advice: string): CredentialError => {
  const status = statusOf(error)
  if (status === undefined) return unreachable(error, asked)
  const said = saidIn(error)
  const answer = `${asked} answered ${status}${said === "" ? "" : ` (${said})`}`
  return status >= 500 || status === 429 || status === 408
    ? new CredentialError({ message: answer, reason: new ConnectionFailed({ code: `HTTP_${status}` }) })
    : new CredentialError({ message: `${answer}: ${advice}`, reason: new Unauthorized({ status }) })
}

const unreachable = (error: unknown, asked: string): CredentialError => {
  const code = codeOf(error)
  return new CredentialError({
    message: `${asked} cannot be reached (${code}): does this machine's network let it through?`,
    reason: new ConnectionFailed({ code })
  })
}

/** Whether an error comes from a call over the network, and not from what leads up to it. */
export const isFromCall = (error: unknown): boolean => isObject(error) && "config" in error

const statusOf = (error: unknown): number | undefined => Json.count(Json.field(Json.field(error, "response"), "status"))

/** OAuth says `{error, error_description}` (RFC 6749, 5.2), other APIs `{error: {message, status}}`. */
const saidIn = (error: unknown): string => {
  const data = Json.field(Json.field(error, "response"), "data")
  const document = typeof data === "string" ? (Json.parse(data) ?? data) : data
  const description = Json.text(Json.field(document, "error_description"))
  const { code, message } = ErrorBody.read(document) ?? {}
  const parts = [code, message, description].filter((part) => part !== undefined && part !== "")
  return cut(oneLine(words(parts.join(": "))), EXCERPT_LIMIT)
}

/** The first code of the system or the HTTP client in the chain of causes. */
const codeOf = (error: unknown): string => {
  let at = error
  for (let depth = 0; depth < 5 && isObject(at); depth++) {
    const code = Json.text(Json.field(at, "code")) ?? Json.text(Json.field(Json.field(at, "error"), "code"))
    if (code === "TimeoutError" || code === "AbortError") return "ETIMEDOUT"
    if (code !== undefined) return code
    at = Json.field(at, "cause")
  }
  return "UNKNOWN"
}
