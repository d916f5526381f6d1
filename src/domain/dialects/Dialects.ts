/** All dialects. A path that two of them have belongs to the first whose `route` takes it. */
import type { Dialect } from "./Dialect.ts"
import { openai } from "./OpenAi.ts"

export const dialects: ReadonlyArray<Dialect> = [openai]
