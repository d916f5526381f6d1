/**
 * The dialect of Vertex AI: Gemini's, with an OAuth access token (scope `cloud-platform`) in place of a key.
 *
 * @see https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
 */
import * as Gemini from "./Gemini.ts"
import { bearer } from "./Headers.ts"
import type { MakeProvider } from "./Provider.ts"

/**
 * Requests go to `{baseUrl}/models/{model}:generateContent`: project and location are in the base URL, such as
 * `https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google`. Else as `Gemini`.
 */
export const make: MakeProvider = (target) => Gemini.makeWith(target, bearer)
