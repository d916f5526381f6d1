/**
 * The dialect of Azure OpenAI: OpenAI's chat completions under a path of its own, with keys in a header of its own.
 *
 * @see https://learn.microsoft.com/azure/ai-foundry/openai/reference
 */
import type { Authenticate } from "./Headers.ts"
import * as OpenAi from "./OpenAi.ts"
import type { MakeProvider } from "./Provider.ts"

/**
 * Requests go to `{baseUrl}/chat/completions`; the base URL names the deployment and, in its query, the `api-version`. The
 * deployment has its model, so that none need be named. Everything else is as for kind openai.
 */
export const make: MakeProvider = (target) => OpenAi.makeWith(target, { authenticate: apiKey, needsModel: false })

const apiKey: Authenticate = (credential) => ["api-key", credential]
