/** The dialects' routes in the OpenAPI document: described here, answered elsewhere, specified by their providers. */

/** Whatever the provider's own documentation says. */
const anyObject = { type: "object", additionalProperties: true }

const json = (schema: object) => ({ "application/json": { schema } })

interface Described {
  readonly method: "get" | "post"
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly docs: string
  /** The schemes by which the API key may come. */
  readonly keys: ReadonlyArray<Scheme>
  readonly streams?: boolean
}

const securitySchemes = {
  bearer: { type: "http", scheme: "bearer", description: "The API key" },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "The API key" },
  googleKey: { type: "apiKey", in: "header", name: "x-goog-api-key", description: "The API key" },
  googleQuery: { type: "apiKey", in: "query", name: "key", description: "The API key" }
}
type Scheme = keyof typeof securitySchemes

/** Any of these; a service without API keys asks for none. */
const anyOf = (keys: ReadonlyArray<Scheme>) => keys.map((key) => ({ [key]: [] }))

const ANTHROPIC_KEYS = ["apiKey", "bearer"] as const
const GEMINI_KEYS = ["googleKey", "googleQuery", "bearer"] as const
/** Those of the control plane. */
const OWN_KEYS = ["bearer", "apiKey"] as const

const OPENAI = "https://platform.openai.com/docs/api-reference/chat/create"
const GEMINI = "https://ai.google.dev/api/generate-content"
const ANTHROPIC = "https://docs.claude.com/en/api/messages"

const described: ReadonlyArray<Described> = [
  {
    method: "post",
    path: "/v1/chat/completions",
    operationId: "openai.createChatCompletion",
    summary: "OpenAI's chat completions, plain or streamed",
    docs: OPENAI,
    keys: ["bearer"],
    streams: true
  },
  {
    method: "get",
    path: "/v1/models",
    operationId: "openai.listModels",
    summary: "The models that clients can name, as OpenAI or Anthropic lists them",
    docs: "https://platform.openai.com/docs/api-reference/models/list",
    keys: ["bearer"]
  },
  {
    method: "get",
    path: "/v1/models/{model}",
    operationId: "openai.getModel",
    summary: "One of them",
    docs: "https://platform.openai.com/docs/api-reference/models/retrieve",
    keys: ["bearer"]
  },
  {
    method: "get",
    path: "/v1beta/models",
    operationId: "gemini.listModels",
    summary: "The models that clients can name, as Gemini lists them",
    docs: "https://ai.google.dev/api/models",
    keys: GEMINI_KEYS
  },
  {
    method: "get",
    path: "/v1beta/models/{model}",
    operationId: "gemini.getModel",
    summary: "One of them",
    docs: "https://ai.google.dev/api/models",
    keys: GEMINI_KEYS
  },
  {
    method: "post",
    path: "/v1beta/models/{model}:generateContent",
    operationId: "gemini.generateContent",
    summary: "Gemini's generateContent",
    docs: GEMINI,
    keys: GEMINI_KEYS
  },
  {
    method: "post",
    path: "/v1beta/models/{model}:streamGenerateContent",
    operationId: "gemini.streamGenerateContent",
    summary: "Gemini's streamGenerateContent; with ?alt=sse as server-sent events",
    docs: GEMINI,
    keys: GEMINI_KEYS,
    streams: true
  },
  {
    method: "post",
    path: "/v1/messages",
    operationId: "anthropic.createMessage",
    summary: "Anthropic's messages, plain or streamed",
    docs: ANTHROPIC,
    keys: ANTHROPIC_KEYS,
    streams: true
  }
]

/** Without `/v1` and `/v1alpha` for Gemini's, which are the same. */
export const dialectPaths: ReadonlyArray<string> = [...new Set(described.map(({ path }) => path))]

const operation = ({ docs, keys, method, operationId, path, streams, summary }: Described) => ({
  operationId,
  summary,
  tags: ["Dialects"],
  security: anyOf(keys),
  externalDocs: { url: docs },
  parameters: path.includes("{model}")
    ? [{ name: "model", in: "path", required: true, schema: { type: "string" } }]
    : [],
  ...(method === "post" ? { requestBody: { required: true, content: json(anyObject) } } : {}),
  responses: {
    200: {
      description: "The answer in the dialect's own format",
      content: {
        ...json(anyObject),
        ...(streams === true ? { "text/event-stream": { schema: { type: "string" } } } : {})
      }
    },
    default: { description: "An error in the dialect's own format", content: json(anyObject) }
  }
})

const isOpen = (path: string): boolean => path.startsWith("/health/")

/** HttpApi writes a schema for each status of a problem; they are all the same. */
const withOneProblem = (spec: Record<string, unknown>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(spec).replaceAll(/ProblemDetails_\d+/g, "ProblemDetails"))

/** Adds to the document what HttpApi does not know of. */
export const withDialects = (written: Record<string, unknown>): Record<string, unknown> => {
  const spec = withOneProblem(written)
  const paths = { ...(spec["paths"] as Record<string, Record<string, object>>) }
  for (const [path, operations] of Object.entries(paths)) {
    paths[path] = Object.fromEntries(
      Object.entries(operations).map(([method, operation]) => [
        method,
        { ...operation, security: anyOf(isOpen(path) ? [] : OWN_KEYS) }
      ])
    )
  }
  for (const entry of described) paths[entry.path] = { ...paths[entry.path], [entry.method]: operation(entry) }
  const components = spec["components"] as Record<string, object>
  return {
    ...spec,
    paths,
    components: { ...components, securitySchemes: { ...components["securitySchemes"], ...securitySchemes } },
    tags: [
      ...(spec["tags"] as ReadonlyArray<object>),
      {
        name: "Dialects",
        description: "The APIs of providers; their SDKs work by changing only the base URL and the key"
      }
    ]
  }
}
