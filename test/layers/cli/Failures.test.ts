import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { ExitStatus } from "../../../src/layers/cli/ExitStatus.ts"
import { present } from "../../../src/layers/cli/Failures.ts"
import { UsageError } from "../../../src/layers/cli/RunPlan.ts"
import { capture, output } from "./Harness.ts"

/** How a program ends and what it says on standard error; on standard output nothing may be said. */
const ending = Effect.fnUntraced(function* <E extends { readonly message: string }>(program: Effect.Effect<void, E>) {
  const out = capture()
  const err = capture()
  const exit = yield* Effect.exit(Effect.provide(present(program), output(out, err)))
  assert.strictEqual(out.text(), "")
  return { exit, said: err.text() }
})

describe("how a program ends", () => {
  it.effect("says nothing when all is well", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* ending(Effect.void), { exit: Exit.void, said: "" })
    })
  )

  it.effect("says the sentence of an error, without a stack trace, and exits with 2", () =>
    Effect.gen(function* () {
      const { exit, said } = yield* ending(new UsageError({ message: "That does not go together." }))
      assert.deepStrictEqual(exit, Exit.fail(new ExitStatus({ code: 2 })))
      assert.strictEqual(said, "error: That does not go together.\n")
    })
  )

  it.effect("keeps an exit status that was settled before, and adds no word", () =>
    Effect.gen(function* () {
      const { exit, said } = yield* ending(new ExitStatus({ code: 130 }))
      assert.deepStrictEqual(exit, Exit.fail(new ExitStatus({ code: 130 })))
      assert.strictEqual(said, "")
    })
  )

  it.effect("owns up to a bug, shows where it is, and exits with 1", () =>
    Effect.gen(function* () {
      const { exit, said } = yield* ending(Effect.die(new TypeError("undefined is not a row")))
      assert.deepStrictEqual(exit, Exit.fail(new ExitStatus({ code: 1 })))
      assert.match(said, /^error: This is a bug in genai-dispatcher, .*\nTypeError: undefined is not a row\n {4}at /)
    })
  )

  it.effect("stays interrupted when it is interrupted", () =>
    Effect.gen(function* () {
      const { exit, said } = yield* ending(Effect.interrupt)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
      assert.strictEqual(said, "")
    })
  )
})
