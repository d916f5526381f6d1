/** Token counts as providers report them: any of them may be missing. */
import type { Mutable } from "effect/Types"
import type { Usage } from "../genai/GenAiResponse.ts"

/** The counts that were reported. One by one: by `...` each would make an object of its own. */
export const reported = ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  totalTokens
}: { readonly [K in keyof Usage]-?: number | undefined }): Usage => {
  const usage: Mutable<Usage> = {}
  if (inputTokens !== undefined) usage.inputTokens = inputTokens
  if (cachedInputTokens !== undefined) usage.cachedInputTokens = cachedInputTokens
  if (outputTokens !== undefined) usage.outputTokens = outputTokens
  if (totalTokens !== undefined) usage.totalTokens = totalTokens
  return usage
}
