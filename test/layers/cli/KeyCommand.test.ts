import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { hashKey, KeyRing } from "../../../src/domain/server/KeyRing.ts"
import { cli } from "../../../src/layers/cli/Cli.ts"
import { loadServerCase } from "../config/harness.ts"
import { capture, makeSignals, output } from "./Harness.ts"

const runKey = Effect.fnUntraced(function* (...args: ReadonlyArray<string>) {
  const out = capture()
  const err = capture()
  const code = yield* cli({ args: ["key", ...args], version: "1.2.3", program: ["genai-dispatcher"] }).pipe(
    Effect.match({ onSuccess: () => 0, onFailure: (status) => status.code }),
    Effect.provide(Layer.mergeAll(output(out, err), makeSignals().layer))
  )
  return { code, out: out.text(), err: err.text() }
})

const endpoints = "endpoints: [{ name: a, kind: raw, baseUrl: 'http://a.test' }]\n"

describe("key", () => {
  for (const name of ["team-a", "my team", "no", "7", "a: { b }", '"x" # y']) {
    it.live(`makes a key that a service with its lines in the config knows as that of ${name}`, () =>
      Effect.gen(function* () {
        const { code, err, out } = yield* runKey("--name", name)
        assert.deepStrictEqual({ code, err }, { code: 0, err: "" })
        const key = /^ {2}(gd_\S+)$/m.exec(out)?.[1] ?? ""
        const yaml = endpoints + out.slice(out.indexOf("server:\n"))
        assert.notInclude(yaml, key)
        const { server } = yield* loadServerCase({ files: { "a.yaml": yaml }, file: "a.yaml" })
        assert.strictEqual(new KeyRing(server.apiKeys).lookup(key)?.name, name)
      })
    )
  }

  it.live("makes another key each time", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* runKey(), yield* runKey()]
      assert.notStrictEqual(one.out, other.out)
      assert.notInclude(one.out, hashKey(""))
    })
  )

  it.live("refuses a name that no line of a log can have", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* runKey("--name", "x".repeat(65)), {
        code: 2,
        out: "",
        err: `error: --name cannot be ${"x".repeat(59)}…; it must be at most 64 letters on one line.\nSee genai-dispatcher key --help\n`
      })
    })
  )
})
