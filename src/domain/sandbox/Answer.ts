/** The answers that the sandbox makes up: plain English words without meaning, the same for the same seed and prompt. */
import { hashText, Prng } from "./Prng.ts"

/** What was asked, in words that no wire format owns. */
export interface SandboxCall {
  /** The model that was asked for. */
  readonly model: string
  /** The texts of the conversation, oldest first. */
  readonly texts: ReadonlyArray<string>
  /** The longest answer wanted, in tokens. */
  readonly maxTokens: number | undefined
  /** Whether the answer is to come in pieces. */
  readonly stream: boolean
  /** Whether a streamed answer is to tell its tokens, where the format leaves that to the client. */
  readonly streamUsage: boolean
  /** A tool that is to be called in place of an answer in words. */
  readonly tool?: SandboxToolCall
}

export interface SandboxToolCall {
  readonly name: string
  /** A JSON document. */
  readonly arguments: string
}

export interface SandboxAnswer {
  readonly text: string
  readonly promptTokens: number
  readonly completionTokens: number
  /** Whether `maxTokens` cut the text off. */
  readonly cut: boolean
}

/** English text has about four characters a token with the tokenizers in use. */
const CHARS_PER_TOKEN = 4
/** What chat formats add to each turn of a conversation. */
const TOKENS_PER_TURN = 4

/**
 * Answers a call; one for a tool has no text. The length is uniform between half and one and a half of `meanTokens`, at least 1, and never more than
 * the call's `maxTokens`. Tokens are counted as a quarter of the characters, rounded up.
 */
export function makeAnswer(
  seed: number,
  call: Pick<SandboxCall, "texts" | "maxTokens" | "tool">,
  meanTokens: number
): SandboxAnswer {
  let hash = 0
  let promptTokens = 0
  for (const text of call.texts) {
    hash = hashText(text, hash)
    promptTokens += tokensOf(text) + TOKENS_PER_TURN
  }
  if (call.tool !== undefined) {
    const { name, arguments: written } = call.tool
    return { text: "", promptTokens, completionTokens: tokensOf(name + written), cut: false }
  }
  const random = new Prng(seed, hash)
  const wanted = Math.max(1, Math.round(meanTokens * (0.5 + random.uniform())))
  const cut = call.maxTokens !== undefined && call.maxTokens < wanted
  const text = cut ? prose(random, call.maxTokens * CHARS_PER_TOKEN) : `${prose(random, wanted * CHARS_PER_TOKEN - 1)}.`
  return { text, promptTokens, completionTokens: tokensOf(text), cut }
}

/** The text in `count` pieces of nearly the same length; fewer when it has not so many characters. At least one. */
export function deltasOf(text: string, count: number): ReadonlyArray<string> {
  const pieces = Math.max(1, Math.min(count, text.length))
  return Array.from({ length: pieces }, (_, index) =>
    text.slice(Math.floor((index * text.length) / pieces), Math.floor(((index + 1) * text.length) / pieces))
  )
}

const tokensOf = (text: string): number => Math.ceil(text.length / CHARS_PER_TOKEN)

/** Sentences, cut at `chars` characters; the last character is a letter. */
function prose(random: Prng, chars: number): string {
  let text = ""
  while (text.length < chars) text += SENTENCES[random.uint32() % SENTENCES.length]!
  let end = chars
  while (text[end - 1] === " " || text[end - 1] === ".") end -= 1
  return text.slice(0, end)
}

const WORDS: ReadonlyArray<string> = (
  "a about after again all also always an and another answer any are as at back be because been before better between " +
  "both but by can case change clear close common could day detail different do does down each early easy end enough " +
  "even every example fact far few field find first follow for form found from full general give go good great had half " +
  "hand has have here high how idea if important in instead into is it its just keep kind know large last later least " +
  "less level light like line list little long look made main make many mean measure might more most much must name " +
  "near need never new next no not note now number of off often old on once one only open or order other our out over " +
  "own part pattern place plan point possible present problem question quite rather reason result right same second " +
  "see several short should side simple since small so some sort start state step still such sure system take than " +
  "that the their them then there these they thing this those three through time to together too true two under unit " +
  "until up use useful value very view was water way we well were what when where which while whole why will with " +
  "within without word work world would year yet you"
).split(" ")

/** Made once: an answer is put together from whole sentences, as it must cost little (benchmarks run against it). */
const SENTENCES: ReadonlyArray<string> = Array.from({ length: 512 }, (_, index) => {
  const random = new Prng(0, index)
  const words = Array.from({ length: 5 + (random.uint32() % 8) }, () => WORDS[random.uint32() % WORDS.length]!)
  const sentence = words.join(" ")
  return `${sentence[0]!.toUpperCase()}${sentence.slice(1)}. `
})
