/** Where the commands speak: standard output for results and summaries, standard error for everything on the way. */

import type { WriteStream } from "node:tty"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** One of the two streams. */
export interface OutputStream {
  /**
   * Writes text as it is. A reader that has gone away is no error: nobody is left to tell. When standard output cannot be
   * written for another reason, such as a full disk, standard error says so, once.
   */
  readonly write: (text: string) => Effect.Effect<void>
  /** Whether people watch it on a terminal that can move its cursor. */
  readonly isTerminal: boolean
  /** Whether to colour; `NO_COLOR` and `FORCE_COLOR` are respected. */
  readonly colors: boolean
  /** Cells and rows, now; 80 x 24 when there is no terminal. */
  readonly size: Effect.Effect<{ readonly width: number; readonly height: number }>
  /** Hides the cursor; gives the effect that shows it again. It is shown in any case when the process exits. */
  readonly hideCursor: Effect.Effect<Effect.Effect<void>>
}

export class Output extends Context.Service<
  Output,
  {
    readonly out: OutputStream
    readonly err: OutputStream
  }
>()("genai-dispatcher/layers/cli/Output") {}

const fromStream = (stream: WriteStream, onFailure?: (error: NodeJS.ErrnoException) => void): OutputStream => ({
  write: (text) =>
    Effect.sync(() => void (stream.writable && stream.write(text, (error) => error && onFailure?.(error)))),
  isTerminal: stream.isTTY === true && process.env["TERM"] !== "dumb",
  colors: stream.isTTY === true && stream.hasColors(),
  // A terminal that does not tell its size (some CI consoles) says 0.
  size: Effect.sync(() => ({ width: stream.columns || 80, height: stream.rows || 24 })),
  hideCursor: Effect.sync(() => {
    const show = () => void (stream.writable && stream.write(SHOW_CURSOR))
    stream.write(HIDE_CURSOR)
    process.once("exit", show)
    return Effect.sync(() => {
      process.removeListener("exit", show)
      show()
    })
  })
})

const HIDE_CURSOR = "\x1b[?25l"
const SHOW_CURSOR = "\x1b[?25h"

const tellOnce = () => {
  let isTold = false
  return ({ code, message }: NodeJS.ErrnoException): void => {
    if (isTold || code === "EPIPE" || code === "EIO") return
    isTold = true
    const { stderr } = process
    if (stderr.writable) stderr.write(`error: Standard output cannot be written (${code ?? message}).\n`)
  }
}

/** The streams of this process. */
export const layer: Layer.Layer<Output> = Layer.sync(Output, () => ({
  out: fromStream(process.stdout, tellOnce()),
  err: fromStream(process.stderr)
}))
