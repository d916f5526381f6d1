/** Rows whose requests are in a provider's words. */
import type { Neutral } from "../../dialects/Neutral.ts"
import type { Family } from "../../genai/GenAiRequest.ts"
import type { JsonObject } from "../../JsonText.ts"
import type { Content } from "../Row.ts"
import { NOTHING } from "./RowFormat.ts"

/** The content of a row: its request goes as `body` to endpoints of the family, in neutral words to others. */
export const nativeContent = (source: JsonObject, family: Family, body: JsonObject, neutral: Neutral): Content => {
  const { fields, unsaid } = neutral
  return {
    request: { ...fields, native: { family, body }, body },
    session: undefined,
    source,
    unsaid: unsaid.length === 0 ? NOTHING : unsaid
  }
}
