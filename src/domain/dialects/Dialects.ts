/** All dialects. A path that two of them have belongs to the first whose `route` takes it. */
import { anthropic } from "./Anthropic.ts"
import type { Dialect } from "./Dialect.ts"
import { gemini } from "./Gemini.ts"
import { openai } from "./OpenAi.ts"

/** OpenAI's last: anything may be a model's name in its `/v1/models/{model}`. */
export const dialects: ReadonlyArray<Dialect> = [anthropic, gemini, openai]
