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
  readonly streams?: boolean
}

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
    streams: true
  },
  {
    method: "get",
    path: "/v1/models",
    operationId: "openai.listModels",
    summary: "The models that clients can name, as OpenAI or Anthropic lists them",
    docs: "https://platform.openai.com/docs/api-reference/models/list"
  },
  {
    method: "get",
    path: "/v1/models/{model}",
    operationId: "openai.getModel",
    summary: "One of them",
    docs: "https://platform.openai.com/docs/api-reference/models/retrieve"
  },
  {
    method: "get",
    path: "/v1beta/models",
    operationId: "gemini.listModels",
    summary: "The models that clients can name, as Gemini lists them",
    docs: "https://ai.google.dev/api/models"
  },
  {
    method: "get",
    path: "/v1beta/models/{model}",
    operationId: "gemini.getModel",
    summary: "One of them",
    docs: "https://ai.google.dev/api/models"
  },
  {
    method: "post",
    path: "/v1beta/models/{model}:generateContent",
    operationId: "gemini.generateContent",
    summary: "Gemini's generateContent",
    docs: GEMINI
  },
  {
    method: "post",
    path: "/v1beta/models/{model}:streamGenerateContent",
    operationId: "gemini.streamGenerateContent",
    summary: "Gemini's streamGenerateContent; with ?alt=sse as server-sent events",
    docs: GEMINI,
    streams: true
  },
  {
    method: "post",
    path: "/v1/messages",
    operationId: "anthropic.createMessage",
    summary: "Anthropic's messages, plain or streamed",
    docs: ANTHROPIC,
    streams: true
  }
]

/** Without `/v1` and `/v1alpha` for Gemini's, which are the same. */
export const dialectPaths: ReadonlyArray<string> = [...new Set(described.map(({ path }) => path))]

const operation = ({ docs, method, operationId, path, streams, summary }: Described) => ({
  operationId,
  summary,
  tags: ["Dialects"],
  security,
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

/** Any of these; a service without API keys asks for none. */
const security = [{ bearer: [] }, { apiKey: [] }]

const securitySchemes = {
  bearer: { type: "http", scheme: "bearer", description: "The API key" },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "The API key" }
}

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
        { ...operation, security: isOpen(path) ? [] : security }
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
