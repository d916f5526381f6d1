/**
 * Writes the 2,000 varied prompts of examples/prompts.jsonl: `node scripts/make-prompts.ts > examples/prompts.jsonl`.
 *
 * The same file every time. Rows use every field of the row format, several languages, and lengths from a few words to
 * a few paragraphs.
 */
const TOPICS = [
  "photosynthesis",
  "the tides",
  "compound interest",
  "plate tectonics",
  "the bicycle",
  "sourdough bread",
  "public-key cryptography",
  "the printing press",
  "vaccines",
  "jet engines",
  "coral reefs",
  "the Silk Road",
  "noise-cancelling headphones",
  "chess openings",
  "the water cycle",
  "typhoons",
  "bridges",
  "sleep",
  "the metric system",
  "volcanoes"
]
const AUDIENCES = ["a curious child", "a busy manager", "a new engineer", "a biology student", "my grandmother"]
const TONES = ["plainly", "with one example", "in a single sentence", "as a short list", "with a touch of humour"]
const REVIEWS = [
  "The parcel came a week late, but the lamp itself is lovely.",
  "Battery lasts two days. Screen scratches if you look at it.",
  "I have bought four of these by now and would buy a fifth.",
  "Support answered within minutes and sent a new cable at once.",
  "Neither good nor bad; it does what the label says."
]
const SENTENCES: ReadonlyArray<readonly [string, string]> = [
  ["Wie spät fährt der letzte Zug nach Köln?", "English"],
  ["La bibliothèque est fermée le lundi.", "English"],
  ["明日の会議は十時からです。", "English"],
  ["¿Dónde puedo alquilar una bicicleta?", "German"],
  ["Погода сегодня прекрасная 🌞", "French"],
  ["Where do I change trains?", "Japanese"]
]
const FACTS = ["a date", "a place", "an amount", "a person", "an order number"]
const LETTER =
  "Dear team,\n\non 12 March we ordered 40 chairs (order 77-1042) for our office in Leeds at 59.90 each. " +
  "Only 38 came, one of them with a broken leg. Please send the missing ones by Friday.\n\nKind regards,\nA. Mensah"

const pick = <A>(list: ReadonlyArray<A>, n: number): A => list[n % list.length]!

const rows: ReadonlyArray<(n: number) => Record<string, unknown>> = [
  (n) => ({ input: `Explain ${pick(TOPICS, n)} to ${pick(AUDIENCES, n * 3)} ${pick(TONES, n * 7)}.` }),
  (n) => ({
    id: `review-${n}`,
    input: `Is this review positive, negative or mixed? Answer in one word.\n\n"${pick(REVIEWS, n)}"`,
    temperature: 0,
    max_tokens: 3,
    metadata: { task: "sentiment", batch: Math.floor(n / 100) }
  }),
  (n) => {
    const [sentence, language] = pick(SENTENCES, n)
    return { id: `translate-${n}`, system: `You translate into ${language}.`, input: sentence, temperature: 0.2 }
  },
  (n) => ({
    session: `chat-${n % 50}`,
    messages: [
      { role: "system", content: "You are a patient tutor. Answer briefly." },
      { role: "user", content: `What should I know about ${pick(TOPICS, n)}?` },
      { role: "assistant", content: "Start with what you can observe yourself. What have you noticed so far?" },
      { role: "user", content: `Not much. Give me ${(n % 4) + 2} things to look for.` }
    ]
  }),
  (n) => ({
    id: `extract-${n}`,
    input: `Find ${pick(FACTS, n)} in this letter and answer with it alone:\n\n${LETTER}`,
    max_tokens: 20,
    metadata: { task: "extraction" }
  }),
  (n) => ({ input: `Write a title of at most ${(n % 5) + 4} words for an article about ${pick(TOPICS, n * 11)}.` }),
  (n) => ({ input: `${n} * ${(n * 37) % 101} = ?`, temperature: 0, max_tokens: 8 })
]

for (let n = 0; n < 2000; n++) process.stdout.write(`${JSON.stringify(pick(rows, n)(n))}\n`)
