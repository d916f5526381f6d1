/** Commands that people can copy into a POSIX shell. */

/** Joins the words of a command, quoting those that the shell would take apart or change. */
export const shellCommand = (words: ReadonlyArray<string>): string => words.map(quote).join(" ")

const quote = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
