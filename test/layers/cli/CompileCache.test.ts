import { readdirSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { cacheFolder } from "../../../src/layers/cli/CompileCache.ts"
import { run } from "../../support/Cli.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"

describe("the folder for what is compiled", () => {
  it.each([
    [{ HOME: "/home/me" }, "/home/me/.cache/genai-dispatcher"],
    [{ HOME: "/home/me", XDG_CACHE_HOME: "/caches" }, "/caches/genai-dispatcher"],
    [{ HOME: "/home/me", XDG_CACHE_HOME: "relative" }, "/home/me/.cache/genai-dispatcher"],
    [{ HOME: "", USERPROFILE: "/users/me", XDG_CACHE_HOME: "" }, "/users/me/.cache/genai-dispatcher"],
    [{}, undefined],
    [{ HOME: "relative" }, undefined]
  ])("with %o is %s", (environment, folder) => {
    assert.strictEqual(cacheFolder(environment), folder)
  })

  it.live("is filled by a first start, and the next says the same", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const without = yield* run(["--version"])
      const first = yield* run(["--version"], { env: { HOME: home() } })
      assert.isNotEmpty(readdirSync(home(".cache", "genai-dispatcher")))
      const second = yield* run(["--version"], { env: { HOME: home() } })
      assert.deepStrictEqual([first, second], [without, without])
    })
  )

  it.live("may be one that cannot be written", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = folder("file")
      writeFileSync(file, "")
      assert.deepInclude(yield* run(["--version"], { env: { HOME: file } }), { code: 0, stderr: "" })
    })
  )
})
