import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { Unauthorized } from "../../../src/domain/genai/GenAiError.ts"
import { HealthFleet } from "../../../src/layers/genai/HealthFleet.ts"
import { config, endpoint } from "../../support/Config.ts"

const fleetOf = (names: ReadonlyArray<string>) =>
  Effect.map(Clock.Clock, (clock) => new HealthFleet(config(names.map((name) => endpoint({ name }))), clock))

const disable = (fleet: HealthFleet, name: string) =>
  Effect.suspend(() => {
    const monitor = fleet.monitors.find((monitor) => monitor.name === name)!
    monitor.failed(monitor.sent(), { reason: new Unauthorized({ status: 401 }), message: "refused" }, 0)
    const none = () => Effect.void
    const watch = monitor.watch({ setConcurrency: none, setLimits: none, setOpen: none })
    return Effect.andThen(Effect.forkScoped(watch, { startImmediately: true }), fleet.apply(name))
  })

describe("the endpoints that a request may not use", () => {
  it.effect("are the same set for the same set given, until another endpoint is disabled", () =>
    Effect.gen(function* () {
      const fleet = yield* fleetOf(["a", "b", "c", "d"])
      const given = new Set(["a"])
      assert.strictEqual(fleet.excluding(given), given)
      yield* disable(fleet, "b")
      const one = fleet.excluding(given)
      assert.deepStrictEqual([...one].sort(), ["a", "b"])
      assert.strictEqual(fleet.excluding(given), one, "the dispatcher knows it again")
      yield* disable(fleet, "c")
      assert.deepStrictEqual([...fleet.excluding(given)].sort(), ["a", "b", "c"])
      assert.deepStrictEqual([...fleet.excluding(new Set(["d"]))].sort(), ["b", "c", "d"])
    })
  )
})
