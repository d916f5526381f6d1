/**
 * What spans say of a call of a model, in the words of OpenTelemetry's semantic conventions. Never contents.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */

type Attribute = (key: string, value: string | number | ReadonlyArray<string>) => void

const OPERATION = "chat"

/** The conventions' names of the providers; other kinds go by their own. */
const PROVIDERS: Readonly<Record<string, string>> = {
  openai: "openai",
  azure: "azure.ai.openai",
  gemini: "gcp.gemini",
  vertex: "gcp.vertex_ai",
  anthropic: "anthropic"
}

/** The name of the provider, from an endpoint's kind. */
export const providerName = (kind: string): string => PROVIDERS[kind] ?? kind

export const spanName = (model: string | undefined): string =>
  model === undefined ? OPERATION : `${OPERATION} ${model}`

/** What is known before there is an answer. */
export const forRequest = (
  set: Attribute,
  request: {
    readonly kind: string | undefined
    readonly model: string | undefined
    readonly origin: string | undefined
  }
): void => {
  set("gen_ai.operation.name", OPERATION)
  if (request.kind !== undefined) set("gen_ai.provider.name", providerName(request.kind))
  if (request.model !== undefined) set("gen_ai.request.model", request.model)
  if (request.origin === undefined) return
  const { hostname, port, protocol } = new URL(request.origin)
  set("server.address", hostname)
  set("server.port", port === "" ? (protocol === "https:" ? 443 : 80) : Number(port))
}

/** What the answer brought. */
export const forAnswer = (
  set: Attribute,
  answer: {
    readonly model: string | undefined
    readonly finishReason: string | undefined
    readonly inputTokens: number | undefined
    readonly outputTokens: number | undefined
  }
): void => {
  if (answer.model !== undefined) set("gen_ai.response.model", answer.model)
  if (answer.finishReason !== undefined) set("gen_ai.response.finish_reasons", [answer.finishReason])
  if (answer.inputTokens !== undefined) set("gen_ai.usage.input_tokens", answer.inputTokens)
  if (answer.outputTokens !== undefined) set("gen_ai.usage.output_tokens", answer.outputTokens)
}
