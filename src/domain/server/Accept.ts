/** Which of two formats a client would rather have, by its header `accept` (RFC 9110, 12.5.1). */

/** How much each range weighs; those that say nothing weigh 1. */
const weights = (accept: string): ReadonlyMap<string, number> =>
  new Map(
    accept.split(",").map((item) => {
      const [type = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase())
      const q = parameters.find((parameter) => parameter.startsWith("q="))
      const weight = q === undefined ? 1 : Number(q.slice(2))
      return [type, Number.isFinite(weight) ? weight : 0]
    })
  )

/** Whether Prometheus' text is wanted more than JSON; those who do not care get JSON. */
export const prefersText = (accept: string | undefined): boolean => {
  if (accept === undefined) return false
  const given = weights(accept)
  const text = Math.max(...["application/openmetrics-text", "text/plain", "text/*"].map((type) => given.get(type) ?? 0))
  const json = given.get("application/json") ?? given.get("application/*") ?? given.get("*/*") ?? 0
  return text > json
}
