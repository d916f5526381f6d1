/** How a process that this one has started comes to its end. */
import type { ChildProcess } from "node:child_process"

/** What a process that is gone has sent is here within this time. */
const LAST_WORDS_MS = 500

/**
 * Calls back once, when the process is gone and nothing more comes from it.
 *
 * `exit` may come before the last messages do. The channel ends after them, but Node does not always tell that of a process
 * that died while it was sent something, so that is waited for only briefly.
 */
export const whenGone = (process: ChildProcess, done: () => void): void => {
  const channel = new Promise<void>((resolve) => process.once("disconnect", resolve))
  process.once("exit", () => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_WORDS_MS)
    })
    void Promise.race([channel, late]).then(() => {
      clearTimeout(timer)
      done()
    })
  })
}

/** How a process ended, in a few words: its signal, or its exit code. */
export const howEnded = ({ exitCode, signalCode }: ChildProcess): string =>
  signalCode === null ? `exit code ${exitCode}` : signalCode
