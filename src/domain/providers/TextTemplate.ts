/**
 * Knows the events of one stream that differ from an earlier one in their text alone, which is most of them: those need
 * not be parsed.
 *
 * Parsing is a third of what it costs to pass a stream on (`benchmarks/server.ts`), and it finds the same each time but for
 * some letters. It is left out only where nothing else can come of it: what stands before and after the text is, byte for
 * byte, that of an event which was parsed, cut where another text between was shown to be read as the text; and what
 * stands between is the inside of one JSON string. So any spelling of JSON is read as it was before, only not always faster.
 */
import * as Json from "./Json.ts"

/** An event as its stream has it. */
interface Piece {
  readonly name: string
  readonly data: string
}

/** So many times it is tried to learn from an event: streams whose events differ in more than the text cannot be learnt. */
const MOST_TRIES = 4

/** Takes the place of the text, to see whether it is found there. Plain, so that it is the same within JSON. */
const PROBE = "\u2042 probe"

/** What JSON has in a string as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON has to escape them
const PLAIN = /^[^"\\\u0000-\u001f]+$/

/** Mutable; one for each stream. */
export class TextTemplate {
  private before = ""
  private after = ""
  private name = ""
  private tries = 0
  private isLearnt = false

  /** The text of an event that says nothing else; `undefined` when it must be parsed to know. Never empty. */
  textOf({ data, name }: Piece): string | undefined {
    if (!this.fits(name, data)) return undefined
    const text = data.slice(this.before.length, data.length - this.after.length)
    if (PLAIN.test(text)) return text
    const read = Json.parse(`"${text}"`)
    return typeof read === "string" && read !== "" ? read : undefined
  }

  /**
   * Learns from an event that said nothing but this text. `read` gives the text of a document that says nothing but a text.
   */
  learn({ data, name }: Piece, text: string, read: (document: unknown) => string | undefined): void {
    if (this.tries >= MOST_TRIES || !PLAIN.test(text) || this.fits(name, data)) return
    const at = data.indexOf(`"${text}"`)
    if (at < 0) return
    this.tries++
    const before = data.slice(0, at + 1)
    const after = data.slice(at + 1 + text.length)
    if (read(Json.parse(before + PROBE + after)) !== PROBE) return
    this.before = before
    this.after = after
    this.name = name
    this.isLearnt = true
  }

  private fits(name: string, data: string): boolean {
    return (
      this.isLearnt &&
      data.length > this.before.length + this.after.length &&
      name === this.name &&
      data.endsWith(this.after) &&
      data.startsWith(this.before)
    )
  }
}
