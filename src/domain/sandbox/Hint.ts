/** The end of a complaint about an unknown word: the one that was probably meant, or all that are known. */
import { nearest } from "../Suggestion.ts"

export function hint(word: string, known: ReadonlyArray<string>, examples: ReadonlyArray<string> = known): string {
  const near = nearest(word, known)
  return near === undefined ? `; known: ${examples.join(", ")}` : `; did you mean "${near}"?`
}
