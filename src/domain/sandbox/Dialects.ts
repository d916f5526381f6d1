/** The wire formats that the sandbox speaks, all at once: the path of a request says which it is. */
import type { Dialect } from "./Dialect.ts"
import { anthropicDialect } from "./dialects/Anthropic.ts"
import { azureDialect, isAzureCall } from "./dialects/Azure.ts"
import { cloudflareDialect, isCloudflareCall } from "./dialects/Cloudflare.ts"
import { geminiArrayDialect, geminiDialect, isGeminiCall } from "./dialects/Gemini.ts"
import { framingOf } from "./dialects/Google.ts"
import { openAiDialect } from "./dialects/OpenAi.ts"
import { isVertexCall, vertexArrayDialect, vertexDialect } from "./dialects/Vertex.ts"

/** The dialect whose calls (always POST) go to a path, or `undefined` when it is no call's. */
export function dialectOfCall(path: string, query: string): Dialect | undefined {
  if (path === "/v1/chat/completions") return openAiDialect
  if (path === "/v1/messages") return anthropicDialect
  if (isGeminiCall(path)) return isArray(path, query) ? geminiArrayDialect : geminiDialect
  if (isVertexCall(path)) return isArray(path, query) ? vertexArrayDialect : vertexDialect
  if (isAzureCall(path)) return azureDialect
  return isCloudflareCall(path) ? cloudflareDialect : undefined
}

const isArray = (path: string, query: string): boolean =>
  path.endsWith(":streamGenerateContent") && framingOf(query) === "array"

/** The dialect in which to say that a path is unknown: the one that it looks like, else OpenAI's. */
export function dialectNear(path: string): Dialect {
  const near = PREFIXES.find(([prefix]) => path.startsWith(prefix))
  return near === undefined ? openAiDialect : near[1]
}

const PREFIXES: ReadonlyArray<readonly [prefix: string, dialect: Dialect]> = [
  ["/v1beta/", geminiDialect],
  ["/v1/models/", geminiDialect],
  ["/v1/projects/", vertexDialect],
  ["/v1beta1/projects/", vertexDialect],
  ["/v1/messages", anthropicDialect],
  ["/openai/", azureDialect],
  ["/client/v4/", cloudflareDialect]
]
