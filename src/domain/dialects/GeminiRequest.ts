/** Reads the body of a `generateContent`. */
import * as Result from "effect/Result"
import { isObject, type JsonObject } from "../JsonText.ts"
import { Problem } from "../server/Problem.ts"
import type { Dialect } from "./Dialect.ts"
import {
  type Check,
  COUNT,
  invalid,
  isModelName,
  isText,
  LIST,
  NUMBER,
  OBJECT,
  objectIn,
  objectsIn,
  TEXT,
  wrongField
} from "./Fields.ts"
import { camelCased, neutralOf } from "./GeminiBody.ts"
import { type Dispensable, isEmptyList, needed } from "./Needs.ts"

/** The model is in the path; it replaces one in the body. Names may have underscores, messages have them in camel case. */
export const decode: Dialect["decode"] = ({ model, isStreamed, problem }, written) => {
  if (problem !== undefined) return Result.fail(problem)
  const body = objectIn(written)
  if (body instanceof Problem) return Result.fail(body)
  if (!isModelName(model)) return Result.fail(invalid("model", "the name of a model in the path", model))
  const named = camelCased(body)
  const contents = objectsIn(named, "contents", "turn")
  if (contents instanceof Problem) return Result.fail(contents)
  const config = isObject(named["generationConfig"]) ? camelCased(named["generationConfig"]) : {}
  const wrong = wrongField(named, CHECKS) ?? wrongField(config, CONFIG_CHECKS, CONFIG) ?? wrongTurn(contents)
  if (wrong !== undefined) return Result.fail(wrong)
  const { fields, unsaid } = neutralOf(body, contents)
  const valueOf = (name: string) => (name.startsWith(CONFIG) ? config[name.slice(CONFIG.length)] : named[name])
  return Result.succeed({
    request: { ...fields, native: { family: "gemini", body: { ...body, model } }, keepRaw: "text" },
    model,
    isStreamed: isStreamed === true,
    needs: needed(unsaid, DISPENSABLE, valueOf),
    wantsUsage: true
  })
}

const CONFIG = "generationConfig."

const isInstruction = (value: unknown): boolean =>
  isText(value) || (isObject(value) && Array.isArray(value["parts"]) && value["parts"].every(isObject))

const CHECKS: ReadonlyArray<readonly [string, Check]> = [
  ["generationConfig", OBJECT],
  ["systemInstruction", ['an object with "parts"', isInstruction]],
  ["tools", LIST]
]

const CONFIG_CHECKS: ReadonlyArray<readonly [string, Check]> = [
  ["temperature", NUMBER],
  ["maxOutputTokens", COUNT],
  ["topP", NUMBER],
  ["candidateCount", COUNT],
  ["stopSequences", LIST],
  ["responseMimeType", TEXT]
]

const wrongTurn = (contents: ReadonlyArray<JsonObject>): Problem | undefined => {
  for (const [at, { parts, role }] of contents.entries()) {
    const path = `contents[${at}]`
    if ((role ?? undefined) !== undefined && !isText(role)) return invalid(`${path}.role`, '"user" or "model"', role)
    // Clients keep an empty turn of the model where it had nothing to say.
    if (!Array.isArray(parts)) return invalid(`${path}.parts`, "a list of parts", parts)
    for (const [index, part] of parts.entries()) {
      const wrong = wrongPart(part, `${path}.parts[${index}]`)
      if (wrong !== undefined) return wrong
    }
  }
  return undefined
}

const wrongPart = (part: unknown, path: string): Problem | undefined => {
  if (!isObject(part)) return invalid(path, "an object", part)
  const named = camelCased(part)
  const { fileData, inlineData, text } = named
  if (Object.keys(named).length === 0) return invalid(path, 'a part with "text" or a file', part)
  if ((text ?? undefined) !== undefined && !isText(text)) return invalid(`${path}.text`, "text", text)
  if ((inlineData ?? undefined) !== undefined) return wrongFile(inlineData, `${path}.inlineData`, ["data", "mimeType"])
  return (fileData ?? undefined) === undefined ? undefined : wrongFile(fileData, `${path}.fileData`, ["fileUri"])
}

const wrongFile = (file: unknown, path: string, members: ReadonlyArray<string>): Problem | undefined => {
  if (!isObject(file)) return invalid(path, "an object", file)
  const named = camelCased(file)
  const missing = members.find((member) => !isText(named[member]))
  return missing === undefined ? undefined : invalid(`${path}.${missing}`, "text", named[missing])
}

/** How to choose words, whom to bill, where to keep things, and what Google's own filters let pass. */
const hints = new Set([
  "generationConfig.enableEnhancedCivicAnswers",
  "generationConfig.frequencyPenalty",
  "generationConfig.mediaResolution",
  "generationConfig.presencePenalty",
  "generationConfig.seed",
  "generationConfig.topK",
  "generationConfig.topP",
  "labels",
  "modelArmorConfig",
  // What the model thought in former turns.
  "parts of text, thought",
  "parts of text, thought, thoughtSignature",
  "safetySettings",
  "serviceTier",
  "store"
])

/** Whether calls of tools are not asked for: `toolConfig` alone says only how tools would be used. */
const isNoChoice = (value: unknown): boolean => {
  const { functionCallingConfig } = isObject(value) ? camelCased(value) : {}
  const mode = isObject(functionCallingConfig) ? functionCallingConfig["mode"] : undefined
  return mode === undefined || mode === "NONE" || mode === "AUTO"
}

/** Values that ask for what comes anyway. */
const defaults: Dispensable["defaults"] = new Map([
  ["generationConfig.candidateCount", (value: unknown) => value === 1],
  ["generationConfig.responseLogprobs", (value: unknown) => value === false],
  ["generationConfig.responseMimeType", (value: unknown) => value === "text/plain"],
  [
    "generationConfig.responseModalities",
    (value: unknown) => Array.isArray(value) && value.every((item) => item === "TEXT")
  ],
  ["generationConfig.stopSequences", isEmptyList],
  ["toolConfig", isNoChoice],
  ["tools", isEmptyList]
])

const DISPENSABLE: Dispensable = { hints, defaults }
