/**
 * Keeps credentials out of sight: which names and texts are likely to be one, and what may be repeated in a message.
 *
 * Users paste keys in wrong places. Whatever a message repeats of their input goes through `quote` or `printableName`.
 */

/** Shapes that only credentials have: the key prefixes of providers, JSON web tokens, `Bearer` and `Basic` values. */
const keyShape = new RegExp(
  [
    /(?:^|[^A-Za-z0-9])(?:sk|rk)[-_][A-Za-z0-9_-]{4,}/,
    /(?:^|[^A-Za-z0-9])(?:pk|xai|pplx|gsk|ghp|gho|hf|nvapi|r8)[-_](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{6,}/,
    /(?:AKIA|ASIA)[A-Z0-9]{12,}/,
    /AIza[A-Za-z0-9_-]{6,}/,
    /ya29\.[A-Za-z0-9_-]+/,
    /eyJ[A-Za-z0-9_-]{8,}/,
    /^(?:[Bb]earer|[Bb]asic)\s+[^\s$]{6,}/
  ]
    .map((shape) => shape.source)
    .join("|")
)

/** Whether a text holds something with the shape of a credential. Misses those without a known shape. */
export const looksLikeKey = (text: string): boolean => keyShape.test(text)

const secretNames = new Set([
  "accesskey",
  "accesstoken",
  "apikey",
  "apisecret",
  "apitoken",
  "authorization",
  "authtoken",
  "bearer",
  "bearertoken",
  "clientsecret",
  "credential",
  "credentials",
  "password",
  "privatekey",
  "secret",
  "secretkey"
])

/** Names that are a credential in an endpoint or a URL, but an honest word elsewhere. */
const shortSecretNames = new Set(["key", "token", "sig", "signature", "auth", "code"])

const fold = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "")

/** Whether a field of this name holds a credential: `apiKey`, `api_key`, `password`, ... */
export const isSecretName = (name: string): boolean => secretNames.has(fold(name))

/** As `isSecretName`, and also `key`, `token` and the like: for endpoints and for the query of a URL. */
export const isSecretNameOfEndpoint = (name: string): boolean => isSecretName(name) || shortSecretNames.has(fold(name))

/** Whether an HTTP header of this name carries a credential: `authorization`, `x-api-key`, `cookie`, `x-auth-token`, ... */
export const isSecretHeader = (name: string): boolean =>
  /authorization|cookie|api-?key|token|secret|password|credential|subscription-key/i.test(name)

/** Input as a message may repeat it: in quotes when short and harmless, else only its kind. */
export const quote = (text: string): string =>
  text.length > 24 || looksLikeKey(text) || /\p{C}/u.test(text) ? "this text" : JSON.stringify(text)

/** The name of a field as a message may repeat it; `undefined` when it could be a misplaced credential. */
export const printableName = (name: string): string | undefined =>
  name.length <= 40 && !looksLikeKey(name) && !/[\p{C}:=]/u.test(name) ? name : undefined

/** How a variable is written in a header's value; quoted in YAML, where braces have a meaning of their own. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: users write it so
export const variableExample = '"${NAME}"'

/** Whether a text can be the name of an environment variable in every shell. */
export const isVariableName = (text: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
