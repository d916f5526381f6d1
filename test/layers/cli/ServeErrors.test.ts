/** What keeps `serve` from starting, with real files and sockets. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { cli } from "../../../src/layers/cli/Cli.ts"
import { temporaryFolder } from "../../support/TemporaryFolder.ts"
import { capture, makeSignals, output } from "./Harness.ts"

const serving = (config: string, ...args: ReadonlyArray<string>) => {
  const out = capture()
  const err = capture()
  const signals = makeSignals()
  const ended = cli({ args: ["serve", "--config", config, ...args], version: "1.2.3", program: ["x"] }).pipe(
    Effect.match({ onSuccess: () => 0, onFailure: (status) => status.code }),
    Effect.provide(Layer.mergeAll(output(out, err), signals.layer))
  )
  return { out, err, signals, ended }
}

/** Refused with one line and exit code 2. */
const refused = Effect.fnUntraced(function* (sentence: RegExp, config: string, ...args: ReadonlyArray<string>) {
  const { ended, err, out } = serving(config, ...args)
  const code = yield* ended
  assert.deepStrictEqual({ code, out: out.text() }, { code: 2, out: "" })
  assert.match(err.text(), sentence)
  assert.strictEqual(err.text().split("\n").length, 2, err.text())
})

const endpoints = 'endpoints: [{ name: a, kind: openai, baseUrl: "http://127.0.0.1:9", model: m }]\n'

/** A config whose jobs are in a file. */
const withStore = (folder: (...names: ReadonlyArray<string>) => string, file: string) => {
  writeFileSync(
    folder("a.yaml"),
    `${endpoints}server: { port: 0, requestLog: none, jobs: { file: "${folder(file)}" } }\n`
  )
  return folder("a.yaml")
}

describe("serve is refused", () => {
  it.live("an address that is not this machine's", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      yield* refused(
        /^error: "192\.0\.2\.1" is no address of this machine/,
        withStore(folder, "jobs.db"),
        "--host",
        "192.0.2.1",
        "--no-auth"
      )
    })
  )

  it.live("a store that another service uses, which goes on", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const config = withStore(folder, "jobs.db")
      const first = serving(config)
      const fiber = yield* Effect.forkChild(first.ended, { startImmediately: true })
      while (!first.out.text().includes("Ctrl-C")) {
        assert.isUndefined(fiber.pollUnsafe(), first.err.text())
        yield* Effect.sleep("5 millis")
      }
      yield* refused(/^error: .*jobs\.db are in use by another process/, config)
      const url = /serves on (http:[^,]+),/.exec(first.out.text())?.[1]
      const live = yield* Effect.promise(() => fetch(`${url}/health/live`))
      assert.strictEqual(live.status, 200)
      yield* first.signals.first
      assert.strictEqual(yield* Fiber.join(fiber), 0)
    })
  )

  it.live("a store that is another file, which is left as it is", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const text = "{}\n".repeat(1000)
      writeFileSync(folder("prompts.jsonl"), text)
      yield* refused(/^error: .*prompts\.jsonl/, withStore(folder, "prompts.jsonl"))
      assert.strictEqual(readFileSync(folder("prompts.jsonl"), "utf8"), text)
    })
  )

  it.live("a store that is a folder, or would be in a file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      mkdirSync(folder("folder"))
      yield* refused(/^error: .*folder/, withStore(folder, "folder"))
      writeFileSync(folder("file"), "")
      yield* refused(/^error: .*x\.db/, withStore(folder, "file/x.db"))
    })
  )

  it.live("a config with mistakes, and told of all of them", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(folder("a.yaml"), `${endpoints}polcy: x\nserver: { prot: 1 }\nmodels: { x: [b] }\n`)
      const { ended, err, out } = serving(folder("a.yaml"), "--port", "70000")
      assert.strictEqual(yield* ended, 2)
      assert.strictEqual(out.text(), "")
      assert.deepStrictEqual(err.text().split("\n").slice(1), [
        '  polcy: unknown field; did you mean "policy"?',
        '  server.prot: unknown field; did you mean "port"?',
        "  --port: must be a whole number from 0 to 65535, got 70000",
        "  models.x[0]: names neither an endpoint nor a model of one; there are a, m",
        ""
      ])
    })
  )
})
