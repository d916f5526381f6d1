/** Shows a run while it is under way: redrawn on a terminal, or line by line. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { EndpointStats } from "../../domain/genai/EndpointStats.ts"
import * as Line from "../../domain/report/Line.ts"
import { live } from "../../domain/report/LiveView.ts"
import * as ProgressLine from "../../domain/report/ProgressLine.ts"
import type { RateWindow } from "../../domain/report/Rates.ts"
import * as Rates from "../../domain/report/Rates.ts"
import * as RunView from "../../domain/report/RunView.ts"
import * as Text from "../../domain/report/Text.ts"
import type { OutputStream } from "./Output.ts"

/** How progress is shown, `auto` decided. */
export type DisplayMode = "live" | "plain" | "json" | "none"

/** Where the figures come from. */
export interface ProgressSource {
  readonly title: string
  readonly rows: Effect.Effect<RunView.RowCounts>
  readonly stats: Effect.Effect<ReadonlyArray<EndpointStats>>
}

export interface ProgressDisplay {
  /** Says a sentence, without disturbing what is drawn, and shows from now on that the run is stopping. */
  readonly stopping: (sentence: string) => Effect.Effect<void>
}

/** Milliseconds between two draws: often enough to look alive, seldom enough to cost nothing. */
const REDRAW_MS = 125

/** Shows progress on `stream` until the scope closes; a live display is wiped then, for the summary to take its place. */
export const show = Effect.fnUntraced(function* (
  mode: DisplayMode,
  stream: OutputStream,
  source: ProgressSource
): Effect.fn.Return<ProgressDisplay, never, Scope.Scope> {
  const view = yield* viewer(source)
  switch (mode) {
    case "live":
      return yield* liveDisplay(stream, view)
    case "plain":
      return yield* lineDisplay(stream, view, { everyMs: 2000, progress: ProgressLine.plain, sentence: (said) => said })
    case "json":
      return yield* lineDisplay(stream, view, {
        everyMs: 1000,
        progress: (now) => JSON.stringify(ProgressLine.json(now)),
        sentence: (message) => JSON.stringify({ type: "stopping", message })
      })
    case "none":
      return { stopping: (sentence) => stream.write(`${sentence}\n`) }
  }
})

/** Gives the view of the moment it is run, with rates over the moments it was run before. */
const viewer = Effect.fnUntraced(function* (source: ProgressSource) {
  const startedAt = yield* Clock.currentTimeMillis
  const before = yield* source.rows
  let window: RateWindow = [RunView.sample(0, before, yield* source.stats)]
  let stopping = false
  return Effect.fnUntraced(function* (stop = false) {
    stopping ||= stop
    const elapsedMs = (yield* Clock.currentTimeMillis) - startedAt
    const rows = yield* source.rows
    const stats = yield* source.stats
    window = Rates.push(window, RunView.sample(elapsedMs, rows, stats))
    return RunView.make({ title: source.title, elapsedMs, rows, before, window, stopping, stats })
  })
})

/** Milliseconds until the first line: by then there are rates to tell. */
const FIRST_LINE_MS = 1000

const lineDisplay = Effect.fnUntraced(function* (
  stream: OutputStream,
  view: (stop?: boolean) => Effect.Effect<RunView.RunView>,
  format: {
    readonly everyMs: number
    readonly progress: (view: RunView.RunView) => string
    readonly sentence: (said: string) => string
  }
) {
  const line = Effect.flatMap(view(), (now) => stream.write(`${format.progress(now)}\n`))
  yield* Effect.forkScoped(Effect.delay(Effect.repeat(line, Schedule.spaced(format.everyMs)), FIRST_LINE_MS))
  return {
    stopping: (said: string) => Effect.andThen(view(true), stream.write(`${format.sentence(said)}\n`))
  }
})

const liveDisplay = Effect.fnUntraced(function* (
  stream: OutputStream,
  view: (stop?: boolean) => Effect.Effect<RunView.RunView>
) {
  /** Cells of each line on the screen, for the cursor to find back to the first one. */
  let drawn: ReadonlyArray<number> = []

  const pen = yield* Semaphore.make(1)
  const draw = (sentence: string) =>
    Effect.gen(function* () {
      const now = yield* view()
      const { height, width } = yield* stream.size
      // The last cell of a row stays free: some terminals wrap as soon as it is written.
      const lines = live(now, { width: width - 1, height }).map((line) => ({
        cells: Math.min(
          width - 1,
          line.reduce((sum, part) => sum + Text.width(part.text), 0)
        ),
        text: Line.render(line, { width: width - 1, colors: stream.colors })
      }))
      yield* stream.write(
        home(drawn, width) + sentence + lines.map(({ text }) => `${text}${ERASE_LINE}\n`).join("") + ERASE_BELOW
      )
      drawn = lines.map(({ cells }) => cells)
    }).pipe(pen.withPermit)

  const showCursor = yield* stream.hideCursor
  yield* Effect.addFinalizer(() => showCursor)
  yield* Effect.addFinalizer(() =>
    Effect.flatMap(stream.size, ({ width }) => stream.write(home(drawn, width) + ERASE_BELOW))
  )
  yield* Effect.forkScoped(Effect.repeat(draw(""), Schedule.spaced(REDRAW_MS)))
  return {
    stopping: (sentence: string) => Effect.andThen(view(true), draw(`${sentence}${ERASE_LINE}\n`))
  }
})

const ERASE_LINE = "\x1b[K"
const ERASE_BELOW = "\x1b[J"

/** Back to the first line drawn: a terminal that was made narrower since has wrapped the long ones. */
const home = (drawn: ReadonlyArray<number>, width: number): string => {
  const rows = drawn.reduce((sum, cells) => sum + Math.max(1, Math.ceil(cells / width)), 0)
  return rows === 0 ? "\r" : `\r\x1b[${rows}A`
}
