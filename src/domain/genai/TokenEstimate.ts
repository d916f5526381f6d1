/**
 * Guesses how many tokens a request will take, before anybody has counted them: what token limits reserve.
 *
 * The guesses are meant to be upper bounds, and learn from what endpoints report: a count above the guess raises it at
 * once, counts below let it down slowly. Those for attachments are means, since there are no bounds.
 */
import type { GenAiRequest, Part } from "./GenAiRequest.ts"
import type { Usage } from "./GenAiResponse.ts"

/** Tokens per byte of UTF-8 text until something is known: English has about 0.25, few languages have more than 0.4. */
const FIRST_RATE = 0.4

/** Output tokens of a request that names no limit, until something is known. */
const FIRST_OUTPUT = 1_000

/** Roles and separators around each message. */
const MESSAGE_TOKENS = 8

/** What providers count for an image or a page, roughly; the size of its file says nothing. */
const ATTACHMENT_TOKENS = 1_500

/** Share of the way towards a lower count that one answer goes. */
const LEARNING = 0.02

/**
 * The same for attachments, towards higher counts as well: a long document says little of the next image, and what it takes
 * has no bound.
 */
const ATTACHMENT_LEARNING = 0.1

/** No tokenizer makes more of a byte: what is more has been added by somebody, once and not for each byte. */
const MOST_RATE = 1

/** The size of a prompt: worked out once, since a request may wait and be asked for it often. */
export interface PromptSize {
  /** Of text, and of what else is written in words: tools, response schemas. */
  readonly textBytes: number
  /** Tokens that do not depend on the text, as they are guessed before anything is known. */
  readonly fixedTokens: number
  /** How many images, sounds and documents there are; `fixedTokens` has a guess for each. */
  readonly attachments: number
}

export const promptSize = (request: GenAiRequest): PromptSize => {
  const { body, extra, messages, native, system } = request
  if (body !== undefined && messages.length === 0) {
    return { textBytes: jsonBytes(body), fixedTokens: 0, attachments: 0 }
  }
  let textBytes = Buffer.byteLength(system ?? "")
  let attachments = 0
  for (const { content } of messages) {
    const parts: ReadonlyArray<Part> = typeof content === "string" ? [{ type: "text", text: content }] : content
    for (const part of parts) {
      if (part.type === "text") textBytes += Buffer.byteLength(part.text)
      else attachments++
    }
  }
  // There is more in it than has neutral words, such as what tools gave.
  if (native !== undefined) textBytes = writtenBytes(native.body)
  if (extra !== undefined) textBytes += writtenBytes(extra)
  const fixedTokens = MESSAGE_TOKENS * (1 + messages.length) + ATTACHMENT_TOKENS * attachments
  return { textBytes, fixedTokens, attachments }
}

/** Where bodies have the conversation: there attachments are, whose bytes say nothing. */
const CONVERSATION = new Set(["messages", "contents", "system", "systemInstruction", "system_instruction"])

/** What in a conversation is no text: how it is put together, and attachments. */
const NO_TEXT = new Set([
  ...["role", "type", "id", "tool_call_id", "tool_use_id", "detail", "format", "mimeType", "mime_type", "media_type"],
  ...["data", "file_data", "url", "uri", "fileUri", "file_uri"]
])

/** Bytes of what members of a body in a provider's words say to a model: the conversation, tools, response schemas. */
export const writtenBytes = (members: Readonly<Record<string, unknown>>): number => {
  let bytes = 0
  for (const name in members) {
    const value = members[name]
    if (CONVERSATION.has(name)) bytes += textBytesIn(value)
    // Single values are settings.
    else if (typeof value === "object" && value !== null) bytes += jsonBytes(value)
  }
  return bytes
}

/** Text deeper than this is nobody's; what refers to itself ends here. */
const MOST_DEPTH = 16

const textBytesIn = (value: unknown, depth = 0): number => {
  if (typeof value === "string") return value.startsWith("data:") ? 0 : Buffer.byteLength(value)
  if (typeof value !== "object" || value === null || depth === MOST_DEPTH) return 0
  let bytes = 0
  if (Array.isArray(value)) {
    for (const item of value) bytes += textBytesIn(item, depth + 1)
  } else {
    for (const [name, member] of Object.entries(value)) {
      if (!NO_TEXT.has(name)) bytes += textBytesIn(member, depth + 1)
    }
  }
  return bytes
}

/** 0 for what has no JSON: it will not be sent. */
const jsonBytes = (value: unknown): number => {
  try {
    return Buffer.byteLength(JSON.stringify(value) ?? "")
  } catch {
    return 0
  }
}

/** The guesses for one endpoint. */
export class TokenEstimator {
  private readonly defaultMaxTokens: number | undefined
  private readonly parameterBytes: number
  private rate = FIRST_RATE
  /** What an attachment takes beyond the guess in `PromptSize.fixedTokens`; below 0 when it takes less. */
  private attachmentExcess = 0
  private output: number | undefined = undefined

  /**
   * `defaultMaxTokens`: the longest answer that the endpoint's own parameters allow. `parameterBytes`: what they add to each
   * prompt, by `writtenBytes`.
   */
  constructor(defaultMaxTokens: number | undefined, parameterBytes = 0) {
    this.defaultMaxTokens = defaultMaxTokens
    this.parameterBytes = parameterBytes
  }

  inputTokens(size: PromptSize): number {
    return Math.ceil(this.bytesOf(size) * this.rate + size.attachments * this.attachmentExcess) + size.fixedTokens
  }

  outputTokens(request: GenAiRequest): number {
    const limit = request.maxTokens ?? this.defaultMaxTokens
    const learned = this.output ?? limit ?? FIRST_OUTPUT
    return Math.ceil(Math.min(learned, limit ?? learned))
  }

  /** Takes in what an endpoint reported. */
  learn(size: PromptSize, usage: Usage): void {
    const { inputTokens, outputTokens } = usage
    if (inputTokens !== undefined) this.learnInput(size, inputTokens)
    if (outputTokens !== undefined) this.output = towards(this.output ?? outputTokens, outputTokens)
  }

  private learnInput(size: PromptSize, inputTokens: number): void {
    const bytes = this.bytesOf(size)
    const { attachments, fixedTokens } = size
    if (attachments > 0) {
      const excess = Math.max(-ATTACHMENT_TOKENS, (inputTokens - fixedTokens - bytes * this.rate) / attachments)
      this.attachmentExcess += (excess - this.attachmentExcess) * ATTACHMENT_LEARNING
    } else if (bytes > 0) {
      const rate = Math.max(0, inputTokens - fixedTokens) / bytes
      this.rate = towards(this.rate, Math.min(MOST_RATE, rate))
    }
  }

  private bytesOf({ textBytes }: PromptSize): number {
    return textBytes + this.parameterBytes
  }
}

const towards = (guess: number, actual: number): number =>
  actual > guess ? actual : guess + (actual - guess) * LEARNING

/** The providers' names for the longest answer, in the endpoint's own parameters. */
export const maxTokensOf = (parameters: Readonly<Record<string, unknown>>): number | undefined =>
  ["max_completion_tokens", "max_tokens", "maxOutputTokens"]
    .map((name) => parameters[name])
    .find((value) => typeof value === "number")
