/**
 * Where an endpoint is reached: from what identifies a deployment (project, location, account, ...) to one base URL.
 *
 * A `baseUrl` that is written always wins, with one exception: kind `azure` has no host of its own, so that there
 * `deployment` is added to the resource's URL.
 */
import type { ConfigProblem } from "./ConfigError.ts"

/** The version that kind `azure` asks for when none is written: the latest one that is no preview. */
export const azureApiVersion = "2024-10-21"

/** The region that kind `vertex` uses when none is written. */
export const vertexLocation = "global"

interface Identifier {
  readonly pattern: RegExp
  /** What is wrong with other values. */
  readonly message: string
}

/** They become parts of a host name or a path: nothing in them may lead to another host. */
export const identifiers = {
  project: {
    pattern: /^[a-z0-9][a-z0-9.:-]{0,62}$/i,
    message: "must be the ID or the number of a project, such as my-project-123"
  },
  location: { pattern: /^[a-z][a-z0-9-]{0,40}$/, message: "must be global or a region, such as europe-west4" },
  serviceAccount: {
    pattern: /^[\w.+-]+@[\w.-]+$/,
    message: "must be the e-mail address of a service account, such as name@my-project.iam.gserviceaccount.com"
  },
  account: { pattern: /^[\w-]{1,64}$/, message: "must be the ID of an account: letters and digits" },
  deployment: { pattern: /^[\w.-]{1,64}$/, message: "must be the name of a deployment: letters, digits, . - and _" },
  apiVersion: { pattern: /^[\w.-]{1,40}$/, message: `must be a version, such as ${azureApiVersion}` }
} satisfies Readonly<Record<string, Identifier>>
type IdentifierField = keyof typeof identifiers

/** The fields that only one kind has a use for. */
const kindOfField: ReadonlyMap<string, string> = new Map([
  ["deployment", "azure"],
  ["apiVersion", "azure"],
  ["project", "vertex"],
  ["location", "vertex"],
  ["keyFile", "vertex"],
  ["serviceAccount", "vertex"],
  ["account", "cloudflare"]
])

/** Fields that the endpoint's kind has no use for. */
export const misplacedFields = (
  kind: unknown,
  fields: Readonly<Record<string, unknown>>,
  path: string
): ReadonlyArray<ConfigProblem> =>
  Object.keys(fields).flatMap((field) => {
    const owner = kindOfField.get(field)
    return owner === undefined || owner === kind || typeof kind !== "string"
      ? []
      : [{ path: `${path}.${field}`, message: `belongs to kind ${owner}; remove it here` }]
  })

/** The variables that stand in for fields of a kind that are not written. */
export const variablesOfKind = (kind: unknown): Readonly<Partial<Record<IdentifierField | "model", string>>> => {
  switch (kind) {
    case "vertex":
      return {
        project: "GOOGLE_CLOUD_PROJECT",
        location: "GOOGLE_CLOUD_LOCATION",
        serviceAccount: "GOOGLE_CLOUD_SERVICE_ACCOUNT",
        model: "MODEL_ID"
      }
    case "cloudflare":
      return { account: "CLOUDFLARE_ACCOUNT_ID" }
    default:
      return {}
  }
}

const ownHosts: ReadonlyMap<string, { readonly base: string; readonly variable: string }> = new Map([
  ["openai", { base: "https://api.openai.com/v1", variable: "OPENAI_API_KEY" }],
  ["gemini", { base: "https://generativelanguage.googleapis.com/v1beta", variable: "GEMINI_API_KEY" }],
  ["anthropic", { base: "https://api.anthropic.com", variable: "ANTHROPIC_API_KEY" }],
  ["cloudflare", { base: "https://api.cloudflare.com/client/v4/accounts", variable: "CLOUDFLARE_API_TOKEN" }]
])

/**
 * The variable that a provider's own tools read the key from, for the provider's own host, encrypted, and never for
 * another. Azure has none: a key there belongs to one resource.
 */
export const usualKey = (kind: string, baseUrl: string | undefined): string | undefined => {
  const own = ownHosts.get(kind)
  if (own === undefined) return undefined
  if (baseUrl === undefined) return kind === "openai" ? undefined : own.variable
  const url = URL.parse(baseUrl)
  return url?.protocol === "https:" && url.host === new URL(own.base).host ? own.variable : undefined
}

/** What an endpoint says of its target; identifiers from variables included. */
export interface TargetFields {
  readonly kind: string
  readonly baseUrl?: URL | undefined
  readonly project?: string | undefined
  readonly location?: string | undefined
  readonly account?: string | undefined
  readonly deployment?: string | undefined
  readonly apiVersion?: string | undefined
}

/** A field that is missing, and what to do about it. */
export interface MissingField {
  readonly field: string
  readonly message: string
}

/** The base URL of an endpoint, or what is missing for it. */
export const baseUrlOf = (fields: TargetFields): URL | MissingField => {
  if (fields.kind === "azure") return azureUrl(fields)
  if (fields.baseUrl !== undefined) return trimmed(fields.kind, fields.baseUrl)
  switch (fields.kind) {
    case "vertex":
      return vertexUrl(fields)
    case "cloudflare":
      return fields.account === undefined
        ? { field: "account", message: "missing; write account: ID, or set CLOUDFLARE_ACCOUNT_ID" }
        : new URL(`${ownHosts.get("cloudflare")?.base}/${fields.account}/ai`)
    case "gemini":
    case "anthropic":
      return new URL(ownHosts.get(fields.kind)?.base ?? "")
    default:
      return { field: "baseUrl", message: "missing; write baseUrl: https://host/v1" }
  }
}

const vertexUrl = ({ location = vertexLocation, project }: TargetFields): URL | MissingField => {
  if (project === undefined) {
    return { field: "project", message: "missing; write project: ID, or set GOOGLE_CLOUD_PROJECT" }
  }
  const host = location === "global" ? "aiplatform.googleapis.com" : `${location}-aiplatform.googleapis.com`
  return new URL(`https://${host}/v1/projects/${project}/locations/${location}/publishers/google`)
}

/** A resource and a deployment; or the whole URL, as the provider's pages show it, `/chat/completions` left out. */
const azureUrl = ({ apiVersion, baseUrl, deployment, kind }: TargetFields): URL | MissingField => {
  if (baseUrl === undefined) {
    return { field: "baseUrl", message: "missing; write baseUrl: https://RESOURCE.openai.azure.com" }
  }
  const url = trimmed(kind, baseUrl)
  // The API that needs neither deployment nor version.
  if (/\/openai\/v1$/.test(url.pathname)) return url
  if (!/\/openai\/deployments\/[^/]+$/.test(url.pathname)) {
    if (deployment === undefined) return { field: "deployment", message: "missing; write deployment: NAME" }
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/openai/deployments/${deployment}`
  }
  if (apiVersion !== undefined || !url.searchParams.has("api-version")) {
    url.searchParams.set("api-version", apiVersion ?? azureApiVersion)
  }
  return url
}

/** `https://host/v1/` and `https://host/v1` are one base; for `raw` the URL is sent as it is, and they are two. */
const trimmed = (kind: string, baseUrl: URL): URL => {
  const url = new URL(baseUrl)
  if (kind !== "raw") url.pathname = url.pathname.replace(/\/+$/, "")
  return url
}
