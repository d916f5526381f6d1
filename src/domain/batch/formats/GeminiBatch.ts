/**
 * Rows of the batch API of Gemini: `{"key", "request": {"contents": [...], ...}}`. Those of Vertex AI are the same
 * without a key.
 *
 * @see https://ai.google.dev/gemini-api/docs/batch-api
 */
import * as Result from "effect/Result"
import { neutralOf } from "../../dialects/GeminiBody.ts"
import { isObject, type JsonObject, shown } from "../../JsonText.ts"
import type { Content } from "../Row.ts"
import { nativeContent } from "./Native.ts"
import { isName, type RowFormat } from "./RowFormat.ts"

export const gemini: RowFormat = {
  name: "gemini",
  recognises: ({ request }) => isObject(request) && Array.isArray(request["contents"]),
  read: (row) => read(row),
  nameOf: ({ key }) => (isName(key) ? key : undefined),
  askedIn: ({ request }) => ({ contents: isObject(request) ? request["contents"] : undefined })
}

const read = (row: JsonObject): Result.Result<Content, string> => {
  const { key, request } = row
  if (!isName(key ?? "")) return Result.fail(`key: expected text or a number, got ${shown(key)}`)
  if (!isObject(request)) return Result.fail(`request: expected an object, got ${shown(request)}`)
  const { contents } = request
  if (!Array.isArray(contents)) return Result.fail(`request.contents: expected a list, got ${shown(contents)}`)
  if (contents.length === 0) return Result.fail("request.contents: expected at least one turn, got an empty list")
  const other = contents.findIndex((content) => !isObject(content) || !Array.isArray(content["parts"]))
  if (other >= 0) {
    return Result.fail(`request.contents[${other}]: expected an object with "parts", got ${shown(contents[other])}`)
  }
  return Result.succeed(nativeContent(row, "gemini", request, neutralOf(request, contents)))
}
