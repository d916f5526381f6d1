/**
 * The dispatcher inside a plain Node program, with `Effect.runPromise`: `node examples/embed.ts`.
 *
 * In an app of your own the import is from "genai-dispatcher". No HTTP and no models here: the work is a function.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { Dispatcher } from "../src/index.ts"

class TooLong extends Data.TaggedError("TooLong")<{ readonly length: number }> {}

/** Stands for any slow work that may fail: an embedding model, a thumbnailer, a database. */
const shout = (text: string) =>
  text.length > 20
    ? Effect.fail(new TooLong({ length: text.length }))
    : Effect.delay(Effect.succeed(text.toUpperCase()), "10 millis")

const program = Effect.gen(function* () {
  const dispatcher = yield* Dispatcher.make({
    policy: "weighted",
    affinity: { ttl: "5 minutes", onUnavailable: "spill" },
    workers: [
      { name: "big", weight: 3, concurrency: 8, handler: shout },
      { name: "small", weight: 1, concurrency: 2, limits: { requestsPerSecond: 100 }, handler: shout }
    ]
  })

  const answers = yield* Effect.forEach(
    ["hello", "dear", "world"],
    (text) => dispatcher.submit(text, { session: "greeting", deadline: "2 seconds" }),
    { concurrency: "unbounded" }
  )
  // The handler's own error comes back, typed, and can be handled by its tag.
  const fallback = yield* dispatcher
    .submit("this sentence is too long for it")
    .pipe(Effect.catchTag("TooLong", (error) => Effect.succeed(`(${error.length} characters are too many)`)))

  const { workers } = yield* dispatcher.metrics
  return { answers, fallback, workers }
}).pipe(Effect.scoped)

const { answers, fallback, workers } = await Effect.runPromise(program)
console.log(answers.join(" "), fallback)
for (const { name, completed, errors } of workers) console.log(`${name}: ${completed} completed, ${errors} errors`)
