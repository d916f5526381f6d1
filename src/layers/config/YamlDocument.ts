/** Reads a config file's text as YAML 1.2; JSON is YAML. */
import * as Result from "effect/Result"
import { LineCounter, parseDocument, type YAMLError } from "yaml"
import type { ConfigProblem } from "../../domain/config/ConfigError.ts"

/** Said in our own words: those of the parser repeat pieces of the file, and a piece could be a key. */
const sentences: Readonly<Partial<Record<YAMLError["code"], string>>> = {
  BAD_ALIAS: "an alias (*name) needs an anchor (&name) of that name before it",
  BAD_DQ_ESCAPE: 'a backslash in "double quotes" starts an escape that YAML does not know; use single quotes',
  BAD_INDENT: "the indentation does not fit the lines above; or is a bracket or quote above not closed?",
  BAD_SCALAR_START: "a text cannot start with this letter; put it in quotes",
  BLOCK_AS_IMPLICIT_KEY:
    "a value stands where only one name can stand; start a new line, or put text with a colon in quotes",
  BLOCK_IN_FLOW: "inside { } and [ ] only this short form can be used; close the bracket first",
  DUPLICATE_KEY: "this field is there twice; keep one of the two",
  MISSING_CHAR: "something is missing here: a colon, a comma, a dash, a quote or a closing bracket",
  MULTILINE_IMPLICIT_KEY: "a field's name must be on one line with its colon; is a colon missing on the line above?",
  MULTIPLE_DOCS: "there is a second document after ---; put everything into one",
  NON_STRING_KEY: "the name of a field must be plain text",
  RESOURCE_EXHAUSTION: "nested too deep",
  TAB_AS_INDENT: "a tab indents this line; use spaces",
  TAG_RESOLVE_FAILED: "a tag (!name) that a config has no use for; remove it",
  UNEXPECTED_TOKEN: "this does not belong here; is a quote or bracket missing before it?"
}

const problemOf = (error: YAMLError, lines: LineCounter): ConfigProblem => {
  const { col, line } = lines.linePos(error.pos[0])
  const sentence = sentences[error.code] ?? "YAML does not allow this here"
  return { path: `line ${line}, column ${col}`, message: sentence }
}

/**
 * The document in the text, `null` when there is none; or every syntax error with line and column.
 *
 * Fields that are there twice are errors. Aliases and merge keys (`<<: *east`) work, up to the parser's limit of 100 uses
 * of what they stand for, so that a small file cannot fill the memory.
 */
export const parseYaml = (text: string): Result.Result<unknown, ReadonlyArray<ConfigProblem>> => {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, logLevel: "error", merge: true, prettyErrors: false })
  const errors = [...document.errors, ...document.warnings]
  if (errors.length > 0) return Result.fail(errors.map((error) => problemOf(error, lineCounter)))
  return Result.try({
    try: (): unknown => document.toJS(),
    catch: () => [
      { path: "", message: "its aliases (*name) name nothing, or expand to too much; write the values out" }
    ]
  })
}
