/**
 * Guesses how many tokens a request will take, before anybody has counted them: what token limits reserve.
 *
 * The guesses are meant to be upper bounds, and learn from what endpoints report: a count above the guess raises it at
 * once, counts below let it down slowly.
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

/** The size of a prompt: worked out once, since a request may wait and be asked for it often. */
export interface PromptSize {
  readonly textBytes: number
  /** Tokens that do not depend on the text. */
  readonly fixedTokens: number
}

export const promptSize = (request: GenAiRequest): PromptSize => {
  if (request.body !== undefined && request.messages.length === 0) {
    return { textBytes: Buffer.byteLength(JSON.stringify(request.body)), fixedTokens: 0 }
  }
  let textBytes = Buffer.byteLength(request.system ?? "")
  let fixedTokens = MESSAGE_TOKENS
  for (const { content } of request.messages) {
    fixedTokens += MESSAGE_TOKENS
    const parts: ReadonlyArray<Part> = typeof content === "string" ? [{ type: "text", text: content }] : content
    for (const part of parts) {
      if (part.type === "text") textBytes += Buffer.byteLength(part.text)
      else fixedTokens += ATTACHMENT_TOKENS
    }
  }
  return { textBytes, fixedTokens }
}

/** The guesses for one endpoint. */
export class TokenEstimator {
  private readonly defaultMaxTokens: number | undefined
  private rate = FIRST_RATE
  private output: number | undefined = undefined

  /** `defaultMaxTokens`: the longest answer that the endpoint's own parameters allow. */
  constructor(defaultMaxTokens: number | undefined) {
    this.defaultMaxTokens = defaultMaxTokens
  }

  inputTokens(size: PromptSize): number {
    return Math.ceil(size.textBytes * this.rate) + size.fixedTokens
  }

  outputTokens(request: GenAiRequest): number {
    const limit = request.maxTokens ?? this.defaultMaxTokens
    const learned = this.output ?? limit ?? FIRST_OUTPUT
    return Math.ceil(Math.min(learned, limit ?? learned))
  }

  /** Takes in what an endpoint reported. */
  learn(size: PromptSize, usage: Usage): void {
    const { inputTokens, outputTokens } = usage
    if (inputTokens !== undefined && size.textBytes > 0) {
      const rate = Math.max(0, inputTokens - size.fixedTokens) / size.textBytes
      this.rate = towards(this.rate, rate)
    }
    if (outputTokens !== undefined) this.output = towards(this.output ?? outputTokens, outputTokens)
  }
}

const towards = (guess: number, actual: number): number =>
  actual > guess ? actual : guess + (actual - guess) * LEARNING
