/** Which addresses clients may have called when their jobs end. */
import { isIP } from "node:net"
import * as Result from "effect/Result"
import type { WebhookConfig } from "../config/ServerConfig.ts"
import { Problem } from "../server/Problem.ts"
import { isPublicAddress } from "./PublicAddress.ts"

const LONGEST = 2048

/**
 * The URL, as far as it can be judged by its text: what its name resolves to is judged when the connection is made.
 * `URL` has written addresses in their usual form by then, however they were written.
 */
export const webhookTarget = (
  text: string,
  { allowPrivate, secret }: Pick<WebhookConfig, "allowPrivate" | "secret">
): Result.Result<URL, Problem> => {
  if (secret === undefined) return refuse("this service calls none, because it has no secret to sign with.")
  if (text.length > LONGEST) return refuse(`the URL is longer than ${LONGEST} characters.`)
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) {
    return refuse("expected a URL that starts with https:// or http://.")
  }
  if (url.username !== "" || url.password !== "") return refuse("the URL must not hold a user or a password.")
  return allowPrivate || !isPrivate(hostOf(url)) ? Result.succeed(url) : refuse(privateAddress)
}

/** Without the brackets of IPv6, and without the dot that ends a full name. */
export const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")

const isPrivate = (host: string): boolean =>
  isIP(host) === 0 ? host === "localhost" || host.endsWith(".localhost") : !isPublicAddress(host)

export const privateAddress = "addresses of this machine and of private networks are not called."

const refuse = (why: string): Result.Result<never, Problem> =>
  Result.fail(
    new Problem({ kind: "InvalidRequest", code: "webhook_refused", field: "webhook", message: `webhook: ${why}` })
  )
