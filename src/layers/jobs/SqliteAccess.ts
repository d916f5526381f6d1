/**
 * Whether a file of SQLite can be written, and is still the one that was opened. SQLite says neither: it opens what it may only
 * read without a word (a lock on such a file keeps nobody out), and writes on into a file that was removed.
 */
import { accessSync, constants, statSync } from "node:fs"
import { dirname, resolve } from "node:path"

/** The file, and what SQLite and we put beside it: changes that are not in it yet, who reads them, the lock. */
const ENDINGS = ["", "-wal", "-shm", ".lock", ".lock-journal"]

/** Why the file cannot be written; `undefined` when it can, or could be made. */
export const refusal = (file: string): string | undefined => {
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
    return "cannot be kept there: it is a folder. Name a file."
  const folder = dirname(file)
  const refused = refusalOf(folder, constants.W_OK | constants.X_OK, `the folder ${resolve(folder)}`)
  if (refused !== undefined) return refused
  for (const ending of ENDINGS) {
    const path = file + ending
    const refused = refusalOf(path, constants.R_OK | constants.W_OK, path)
    if (refused !== undefined) return refused
  }
  return undefined
}

const refusalOf = (path: string, mode: number, name: string): string | undefined => {
  try {
    accessSync(path, mode)
    return undefined
  } catch (error) {
    switch (error instanceof Error && "code" in error ? error.code : undefined) {
      case "EACCES":
      case "EPERM":
        return `may not be read and written by this user: change the permissions of ${name}.`
      case "EROFS":
        return "are on a file system that may only be read: name a file elsewhere."
      default:
        // It is not there, or opening it will say more.
        return undefined
    }
  }
}

/** Tells whether the file that is there now is still there under its name. */
export const watch = (file: string): (() => boolean) => {
  const opened = statSync(file)
  return () => {
    const now = statSync(file, { throwIfNoEntry: false })
    return now !== undefined && now.ino === opened.ino && now.dev === opened.dev
  }
}
