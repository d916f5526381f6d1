/**
 * Rows of OpenAI's batch API: `{"custom_id", "method": "POST", "url": "/v1/chat/completions", "body": {...}}`.
 *
 * @see https://platform.openai.com/docs/api-reference/batch/request-input
 */
import * as Result from "effect/Result"
import { neutralOf } from "../../dialects/OpenAiBody.ts"
import { isObject, type JsonObject, shown } from "../../JsonText.ts"
import type { Content } from "../Row.ts"
import { nativeContent } from "./Native.ts"
import { isName, type RowFormat } from "./RowFormat.ts"

const PATH = "/chat/completions"

export const openai: RowFormat = {
  name: "openai",
  recognises: ({ body, custom_id, url }) => custom_id !== undefined && typeof url === "string" && isObject(body),
  read: (row) => read(row),
  nameOf: ({ custom_id }) => (isName(custom_id) ? custom_id : undefined),
  askedIn: ({ body }) => ({ messages: isObject(body) ? body["messages"] : undefined })
}

const read = (row: JsonObject): Result.Result<Content, string> => {
  const { body, custom_id: id, method = "POST", url } = row
  if (typeof id !== "string") return Result.fail(`custom_id: expected text, got ${shown(id)}`)
  if (method !== "POST") return Result.fail(`method: expected "POST", got ${shown(method)}`)
  if (typeof url !== "string" || !url.endsWith(PATH))
    return Result.fail(`url: expected "/v1${PATH}", got ${shown(url)}`)
  if (!isObject(body)) return Result.fail(`body: expected an object, got ${shown(body)}`)
  const { messages } = body
  if (!Array.isArray(messages)) return Result.fail(`body.messages: expected a list of messages, got ${shown(messages)}`)
  if (messages.length === 0) return Result.fail("body.messages: expected at least one message, got an empty list")
  const other = messages.findIndex((message) => !isObject(message))
  if (other >= 0) return Result.fail(`body.messages[${other}]: expected an object, got ${shown(messages[other])}`)
  return Result.succeed(nativeContent(row, "openai", body, neutralOf(body, messages)))
}
