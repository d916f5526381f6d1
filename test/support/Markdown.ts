/** What tests read from a page: its code blocks, and transcripts of terminals. */

/** The code blocks of a language, in order. */
export const blocks = (page: string, language: string): ReadonlyArray<string> =>
  [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, name, text = ""]) => (name === language ? [text] : []))

export interface Command {
  readonly line: string
  /** As printed, without blank lines at the end. */
  readonly answer: string
}

/** The commands of a transcript: lines that begin with `$ `, each with what follows it. */
export const transcript = (block: string): ReadonlyArray<Command> =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n")
      return { line: part.slice(0, end), answer: part.slice(end + 1).trimEnd() }
    })

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

/** A pattern for a text in which `...` stands for anything. */
const patternOf = (text: string): RegExp => new RegExp(`^${text.split("...").map(escape).join("[\\s\\S]+")}$`)

/** JSON in which `...` may stand for a number too; `undefined` when it is none. */
const parse = (line: string): unknown => {
  const json = line.replace(/^data: /, "").replaceAll(/:\.\.\.(?=[,}\]])/g, ':{"...":"a number"}')
  if (!/^[[{]/.test(json)) return undefined
  return JSON.parse(json)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** How an answer differs from what is printed: one line for each place. None when it is the same where nothing is left out. */
export const differences = (printed: unknown, given: unknown, path = "answer"): ReadonlyArray<string> => {
  const wrong = [`${path}: expected ${JSON.stringify(printed)}, got ${JSON.stringify(given)}`]
  if (typeof printed === "string") return typeof given === "string" && patternOf(printed).test(given) ? [] : wrong
  if (!isObject(printed)) return printed === given ? [] : wrong
  if (Object.hasOwn(printed, "...")) return typeof given === "number" ? [] : wrong
  if (!isObject(given) || Array.isArray(printed) !== Array.isArray(given)) return wrong
  // In order: that is how clients' eyes read it.
  if (Object.keys(printed).join() !== Object.keys(given).join()) return wrong
  return Object.keys(printed).flatMap((key) => differences(printed[key], given[key], `${path}.${key}`))
}

/** The same for texts, line by line; lines of JSON are compared as that. */
export const differencesOfText = (printed: string, given: string): ReadonlyArray<string> => {
  const expected = printed.trimEnd().split("\n")
  const got = given.trimEnd().split("\n")
  if (expected.length !== got.length) return [`expected ${expected.length} lines, got ${got.length}: ${given}`]
  return expected.flatMap((line, index) => {
    const other = got[index] ?? ""
    const json = parse(line)
    return json === undefined
      ? differences(line, other, `line ${index + 1}`)
      : differences(json, parse(other), `line ${index + 1}`)
  })
}
