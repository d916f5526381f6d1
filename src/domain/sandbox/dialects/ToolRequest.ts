/**
 * Calls of tools, for those who want to try a conversation with them: when the last message says
 * `call the tool NAME`, or `call the tool NAME with {"city": "Oslo"}`, and there is such a tool, it is called.
 */
import type { SandboxToolCall } from "../Answer.ts"
import { isFields, parseJson } from "./Fields.ts"

const ORDER = /\bcall the tool ([\w-]{1,64})(?: with (\{.*\}))?/is

/** The call that a text asks for; `undefined` when it asks for none, or for a tool that there is not. */
export function toolCallIn(text: string, names: ReadonlyArray<string>): SandboxToolCall | undefined {
  const [, name, written = "{}"] = ORDER.exec(text) ?? []
  if (name === undefined || !names.includes(name)) return undefined
  return { name, arguments: isFields(parseJson(written)) ? written : "{}" }
}

/** The names of OpenAI's `tools`; what is no function is left out. */
export const toolNames = (tools: unknown): ReadonlyArray<string> =>
  (Array.isArray(tools) ? tools : []).flatMap((tool: unknown) => {
    const named = isFields(tool) ? tool["function"] : undefined
    const name = isFields(named) ? named["name"] : undefined
    return typeof name === "string" ? [name] : []
  })
