/**
 * Signs deliveries, so that receivers know who calls.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from "node:crypto"

const PREFIX = "whsec_"

/** A secret with the prefix is base64, any other is taken as it is. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), "base64") : Buffer.from(secret)

/** How long the key is that a secret stands for; 0 for one that has the prefix and is no base64. */
export const keyBytes = (secret: string): number =>
  secret.startsWith(PREFIX) && !BASE64.test(secret.slice(PREFIX.length)) ? 0 : keyOf(secret).length

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/

/** The same `id` for every try of one delivery; `nowMs` is that of this try. */
export const signatureHeaders = (
  secret: string,
  { body, id, nowMs }: { readonly id: string; readonly nowMs: number; readonly body: string }
): Readonly<Record<string, string>> => {
  const timestamp = String(Math.floor(nowMs / 1000))
  const signature = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest("base64")
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` }
}
